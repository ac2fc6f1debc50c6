"""Two runs: what changed, and how sure that is."""
