"""The study's ladder: techniques one after another, each kept if it raises Dice per kJ."""
