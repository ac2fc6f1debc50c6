"""What every extra is made of: a library's network behind the zoo's size check."""
