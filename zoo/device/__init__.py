"""The GPU and its power limit."""
