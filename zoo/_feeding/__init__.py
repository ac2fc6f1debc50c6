"""How slices reach the device: read, transformed, batched."""
