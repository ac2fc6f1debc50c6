"""What can be asked of a training."""
