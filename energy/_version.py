"""The version of the instrument, which stands in every run file."""

__version__ = "0.1.0"
