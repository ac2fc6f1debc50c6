"""What a training step is made of: loss, optimiser, schedule."""
