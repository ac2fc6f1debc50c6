"""Pages of Markdown as a browser shows them, and comparisons to write them of."""

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from tests.simulated.exports import comparison, repeated, run, text

PARSER = MarkdownIt("commonmark").enable("table")
# What the page itself writes in HTML; nothing from a record may add to these.
TAGS = {"details", "summary", "code", "/details", "/summary", "/code"}


class Page(HTMLParser):
    """What a browser shows: the text of every table cell, and the tags there are."""

    def __init__(self, source):
        super().__init__()
        self.rows, self.tags, self.words, self.outside_code = [], set(), "", ""
        self._cell, self._in_code = None, False
        self.feed(PARSER.render(source))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._in_code = self._in_code or tag == "code"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = ""

    def handle_endtag(self, tag):
        self._in_code = self._in_code and tag != "code"
        if tag in ("td", "th"):
            self.rows[-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.words += data
        self.outside_code += "" if self._in_code else data
        if self._cell is not None:
            self._cell += data


def raw_html(source):
    """Return the names of the HTML tags that the Markdown itself contains."""
    inline = [child for token in PARSER.parse(source) for child in token.children or ()]
    html = [token.content for token in [*PARSER.parse(source), *inline] if token.type.startswith("html")]
    return {name for part in html for name in re.findall(r"<\s*(/?[\w!-]+)", part)}


def table_of(source):
    """Return the first table's rows as dictionaries of its titles."""
    title, *rows = Page(source.partition("<details>")[0]).rows
    assert {len(row) for row in rows} <= {len(title)}
    return [dict(zip(title, row, strict=True)) for row in rows]


def changes(source):
    """Return the cells that follow the first metric; two columns of the table have the same title."""
    return [row[2] for row in Page(source.partition("<details>")[0]).rows[1:]]


def compared(head_records, base_records, **options):
    base, head = run(base_records), run(head_records)
    return text("markdown", head, base=comparison(base, head), **options)


def many(count, factor=1.0):
    return [repeated(f"net{number:03}-baseline", [12.0 * factor, 12.1 * factor]) for number in range(count)]


FOUR = [repeated(f"{name}-baseline", [12.0, 12.1, 12.2]) for name in ("unet", "enet", "cgnet", "erfnet")]
WORSE = [repeated("unet-baseline", [24.0, 24.1, 24.2]), *FOUR[1:]]
