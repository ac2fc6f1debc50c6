"""Markdown cut to a size: what goes first, and that the rest is still whole."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.exporters import ExportError
from tests.simulated.exports import comparison, run, text
from tests.simulated.markdown import FOUR, TAGS, Page, compared, many, raw_html, table_of
from tests.simulated.records import failed


@pytest.mark.parametrize("size", [60_000, 12_000, 6_000, 3_000, 1_500, 800])
def test_a_cut_text_fits_parses_and_says_that_it_was_cut(size):
    source = text("markdown", run(many(300)), max_bytes=size)

    assert len(source.encode()) <= size
    assert raw_html(source) <= TAGS
    assert source.count("<details>") == source.count("</details>")
    shown = [row for row in Page(source).rows if row and row[0].startswith("net")]
    more = re.search(r"and (\d+) more: all in `joulebench show", source)
    assert len(shown) + (int(more[1]) if more else 0) == 300


def test_what_is_folded_away_goes_before_any_row_does():
    data = run([*many(10, 2.0), *many(40)[10:]])
    found = comparison(run(many(40)), data)
    whole = text("markdown", data, base=found)
    sizes = range(len(whole.encode()), 1200, -400)

    seen = [text("markdown", data, base=found, max_bytes=size) for size in sizes]

    folds = [source.count("<details>") for source in seen]
    rows = [len(cases(source)) for source in seen]
    assert folds == sorted(folds, reverse=True)
    assert rows == sorted(rows, reverse=True)
    assert (folds[0], rows[0]) == (3, 10)
    assert rows[-1] < 10
    assert not [1 for fold, row in zip(folds, rows, strict=True) if row < 10 and fold > 0]
    assert "Shortened: all in `joulebench compare" in seen[folds.index(2)]


def cases(source):
    """Return the rows of cases in the table that is not folded away."""
    return [row for row in Page(source.partition("<details>")[0]).rows if row[0].startswith("net")]


def test_the_gravest_rows_are_cut_last():
    head = [*many(200)[:-1], failed("net199-baseline")]

    source = compared(head, many(1), max_bytes=1800)

    assert table_of(source)[1]["case"] == "net199-baseline"
    assert re.search(r"and \d+ more", source)


def test_a_size_is_counted_in_bytes_and_not_in_characters():
    whole = text("markdown", run(many(5)))

    assert len(whole) < len(whole.encode())
    assert len(text("markdown", run(many(5)), max_bytes=len(whole)).encode()) <= len(whole)


def test_a_size_for_nothing_is_refused():
    with pytest.raises(ExportError, match="--max-bytes 50 is too little: the verdict alone takes"):
        text("markdown", run(FOUR), max_bytes=50)


@settings(deadline=None, max_examples=15)
@given(st.integers(300, 20_000))
def test_no_size_is_ever_exceeded(size):
    try:
        source = text("markdown", run(many(40)), max_bytes=size)
    except ExportError:
        return
    assert len(source.encode()) <= size
