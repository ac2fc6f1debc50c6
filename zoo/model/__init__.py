"""What is done with a network."""
