"""From a window to a record: cases, the machine, a run in progress."""
