"""What lies on the disk: run files in a results folder, journals, and the index that is made of them."""
