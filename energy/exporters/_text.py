"""Names and reasons come from outside: make of any text one that every format can hold."""

from __future__ import annotations

import unicodedata

# Reverse the direction of what follows: a name could be shown as another one.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, halves of a character, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Write what no XML, YAML or table can hold as \\uNNNN: control characters, line ends, lone surrogates.

    >>> printable("unet\nbaseline\x00"), printable("U-Net ± 3 µJ")
    ('unet\\u000abaseline\\u0000', 'U-Net ± 3 µJ')
    """
    # Nothing that Python calls printable is replaced below; most texts end here.
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    is_no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if is_no_character or character in _DIRECTIONS or unicodedata.category(character) in _UNPRINTABLE:
        return f"\\u{code:04x}"
    return character
