"""What can be said of each network without training it: one row per network, as text or as Markdown."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from zoo._registry import extras, load_network, networks
from zoo.size import activation_bytes_per_slice, logits_shape, macs_per_slice, parameters, weightless

IMAGE_SIZE = 256  # pixels of 1 mm in the study (Mazurek et al. 2024)
LINKS = {
    "arXiv:": "https://arxiv.org/abs/",
    "doi:": "https://doi.org/",
    "openreview.net/": "https://openreview.net/",
}
# The second paragraph of a network's file: A. Author, B. Author, 2015. Journal, arXiv:1505.04597
SOURCE = re.compile(
    r"(?P<authors>.+?), (?P<year>\d{4})(?P<between>.*?)"
    r"(?P<kind>arXiv:|doi:|openreview\.net/)(?P<number>[^\s,)]+)"
)
INITIALS = re.compile(r"^(?:\w\.(?:-\w\.)* )+")


@dataclass(frozen=True)
class Facts:
    """One network at one channel in and one class out; products and bytes are per slice."""

    name: str
    extra: bool  # beyond the study's nineteen
    parameters: int
    macs: int  # multiply-accumulates of one forward pass
    logits: tuple[int, ...]  # (classes, H, W)
    activation_bytes: int  # kept for the backward pass, in fp32
    paper: str | None  # such as "Ronneberger et al. 2015"; None if its file names none
    identifier: str | None  # such as "arXiv:1505.04597"; "cited in ..." where the paper has none of its own
    link: str | None


def every() -> list[Facts]:
    """Work out the facts of every network: the study's, then the extras, each by name."""
    return [facts(name) for name in networks()]


def facts(name: str, image_size: int = IMAGE_SIZE) -> Facts:
    """Work out the facts of one network, without computing anything with it.

    Raises:
        ValueError: if there is no such network.
    """
    paper, identifier, link = _paper(name)
    return Facts(
        name=name,
        extra=name in extras(),
        parameters=parameters(weightless(name)),
        macs=macs_per_slice(name, image_size),
        logits=logits_shape(name, image_size),
        activation_bytes=activation_bytes_per_slice(name, image_size),
        paper=paper,
        identifier=identifier,
        link=link,
    )


def _paper(name: str) -> tuple[str, str, str] | tuple[None, None, None]:
    docstring = ast.get_docstring(ast.parse(Path(load_network(name).__file__).read_text())) or ""
    paragraphs = [" ".join(paragraph.split()) for paragraph in docstring.split("\n\n")]
    found = SOURCE.match(paragraphs[1]) if len(paragraphs) > 1 else None
    if found is None:
        return None, None, None
    cited = "cited in " if "as cited" in found["between"] else ""
    identifier = f"{cited}{found['kind']}{found['number']}"
    return f"{_cited(found['authors'])} {found['year']}", identifier, LINKS[found["kind"]] + found["number"]


def _cited(authors: str) -> str:
    """Shorten a list of authors as citations do.

    >>> _cited("A. Chaurasia, E. Culurciello")
    'Chaurasia & Culurciello'
    >>> _cited("O. Ronneberger, P. Fischer, T. Brox")
    'Ronneberger et al.'
    """
    surnames = [INITIALS.sub("", author) for author in authors.split(", ")]
    if surnames[0].endswith(" et al.") or len(surnames) == 1:
        return surnames[0]
    return " & ".join(surnames) if len(surnames) == 2 else f"{surnames[0]} et al."


HEADER = ("network", "parameters", "MACs at 256 px", "logits", "kept per slice", "paper", "")


def text(rows: list[Facts]) -> str:
    """Lay facts out as a table for a terminal."""
    cells = [HEADER, *(_cells(row, row.identifier) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    lines = []
    for line in cells:
        columns = zip(line, widths, "<>>>><<", strict=True)
        lines.append("  ".join(f"{cell:{side}{width}}" for cell, width, side in columns).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def markdown(rows: list[Facts]) -> str:
    """Lay facts out as a table for the README."""
    linked = [_cells(row, f"[{row.identifier}]({row.link})") for row in rows]
    named = [(f"`{name}`", *rest) for name, *rest in linked]
    lines = [HEADER, ("---", "--:", "--:", "--:", "--:", "---", "---"), *named]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def _cells(row: Facts, source: str) -> tuple[str, ...]:
    kept = f"{row.activation_bytes / 2**20:.1f} MiB"
    return (
        row.name,
        f"{row.parameters:,}",
        f"{row.macs / 1e6:,.1f} M",
        " × ".join(map(str, row.logits)),
        kept,
        f"{row.paper}, {source}" if row.paper else "its file names none",
        "extra" if row.extra else "",
    )
