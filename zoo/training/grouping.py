"""Batches taken together for one update of the weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a batch stands in its group."""

    first: bool
    last: bool
    size: int  # batches of the group


class Groups:
    """Batches in groups of `size`; the last group of a pass over `batches` may be smaller.

    >>> groups = Groups(size=2, batches=3)
    >>> [(place.size, place.last) for place in (groups.next() for _ in range(3))]
    [(2, False), (2, True), (1, True)]
    """

    def __init__(self, size: int, batches: int) -> None:
        self._size, self._batches, self._seen = size, batches, 0
        self.per_pass = -(-batches // size)

    def begin(self) -> None:
        """Begin a pass."""
        self._seen = 0

    def next(self) -> Place:
        """Return the place of the next batch; after the last batch of a pass comes the first of another."""
        at = self._seen % self._batches
        begin = at - at % self._size
        size = min(self._size, self._batches - begin)
        self._seen += 1
        return Place(at == begin, at + 1 == begin + size, size)
