"""What becomes of a network before and while it is trained."""
