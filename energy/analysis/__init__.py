"""Two runs, base and head: what changed, how sure that is, and whether a gate forbids it."""
