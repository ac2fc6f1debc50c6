"""The report: one HTML file of tables and charts that opens anywhere, without network or script."""
