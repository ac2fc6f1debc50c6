"""A page of HTML taken apart by Python's own parser, so that tests ask the page and not the templates."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "input", "link", "img", "hr"}


@dataclass
class Page(HTMLParser):
    """Tags with their attributes, texts by their innermost element, tables as rows of text."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"</{tag}> ends another element"

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))
        if "td" in self._open or "th" in self._open:
            self.tables[-1][-1][-1] += data

    def named(self, tag):
        """Return the attributes of every element of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag):
        """Return the texts of every element of a name."""
        return [text for name, text in self.texts if name == tag]

    def table(self, *titles):
        """Return the rows, without the first, of the table that begins with these titles."""
        return next(rows[1:] for rows in self.tables if rows[0][: len(titles)] == list(titles))


def parsed(html):
    """Return a page taken apart; every element that was opened is closed."""
    page = Page()
    page.feed(html)
    page.close()
    assert page._open == []
    return page


def looks(root):
    """Yield each element of an SVG with its attributes and those of its group that it does not set."""
    groups = {child: parent for parent in root.iter() for child in parent}
    for element in root.iter():
        yield element, {**groups.get(element, root).attrib, **element.attrib}
