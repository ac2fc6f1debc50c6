"""What is stored: records, run files, the journal, the index."""
