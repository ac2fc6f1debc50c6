"""A run against its limits: pass or fail, and the exit code."""
