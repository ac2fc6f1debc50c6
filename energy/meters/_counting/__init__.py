"""How a sensor's answers become cumulative joules."""
