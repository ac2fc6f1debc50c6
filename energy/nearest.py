"""The sentence that answers a misspelt name."""

import difflib
from collections.abc import Iterable


def unknown(kind: str, given: str, known: Iterable[str]) -> str:
    """Say that `given` is no such `kind`, and which known names are nearest (all of them if none is near).

    >>> unknown("column", "dise", ["dice", "seconds"])
    "unknown column 'dise'; did you mean dice?"
    """
    names = list(known)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    if near:
        return f"unknown {kind} {given!r}; did you mean {' or '.join(near)}?"
    return f"unknown {kind} {given!r}; there {'are' if len(names) > 1 else 'is'} {', '.join(names) or 'none'}"
