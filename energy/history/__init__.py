"""One case over many runs: its level, where that changed, and what changed with it."""
