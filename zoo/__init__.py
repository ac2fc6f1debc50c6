"""What is measured: networks, techniques and the training loop. Importing this imports no torch."""

from zoo._registry import architectures, create, techniques

__all__ = ["architectures", "create", "techniques"]
