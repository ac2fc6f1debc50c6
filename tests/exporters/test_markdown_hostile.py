"""Names and messages in Markdown that try to be more than text."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from energy.exporters._markdown import code, commands, prose
from energy.exporters._text import printable
from energy.report.words import clipped
from tests.simulated.exports import invalid, named, names, run, text
from tests.simulated.markdown import FOUR, PARSER, TAGS, Page, compared, raw_html, table_of
from tests.simulated.records import failed


@settings(deadline=None, max_examples=40)
@given(names)
def test_any_name_is_shown_as_it_is_and_changes_nothing_else(name):
    shown = " ".join(clipped(printable(name), 120).split())
    bad = failed("a-b", message=name) | {"case": name}

    for source in (
        text("markdown", run([bad, invalid("c-d", [12.0])])),
        compared([bad, *FOUR], [named(name), *FOUR]),
    ):
        first = table_of(source)[0 if source.startswith("✗ **2") else 1]
        assert " ".join(first["case"].split()) == shown
        assert raw_html(source) <= TAGS
        assert not Page(source).tags & {"script", "a", "img", "h1", "h2", "hr", "em", "blockquote"}


@settings(deadline=None, max_examples=40)
@given(names)
def test_nothing_is_mentioned_or_linked(name):
    source = text("markdown", run([failed("a-b", message=name) | {"case": name}]))

    # Services make neither of what stands in code.
    assert not re.search(r"[@#]\w", Page(source).outside_code)


@pytest.mark.parametrize("text_of", [code, prose])
@settings(deadline=None, max_examples=40)
@given(name=names)
def test_every_escaped_text_reads_as_it_was(text_of, name):
    page = Page(f"| a | b |\n| - | - |\n| {text_of(name)} | end |")

    shown = page.rows[1][0].replace("\u200b", "") if len(page.rows) > 1 else None
    assert " ".join(str(shown).split()) == " ".join(
        clipped(printable(name), 600).replace("\u200b", "").split()
    )
    assert page.rows[1][1] == "end"


@settings(deadline=None, max_examples=40)
@given(st.lists(names, min_size=1, max_size=3))
@example(["```", "```` and more"])
def test_no_command_ends_its_block(lines):
    (block,) = PARSER.parse(commands(lines))

    assert block.type == "fence"
    assert (
        block.content.rstrip("\n").split("\n") == [printable(line) for line in lines]
        or not "".join(lines).strip()
    )
