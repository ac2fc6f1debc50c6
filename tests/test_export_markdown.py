"""Markdown, parsed by markdown-it (CommonMark with tables): whole, cut, and under hostile names."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from energy.comparison.outcome import Shift
from energy.exporters import ExportError
from energy.exporters._markdown import code, commands, prose
from energy.exporters._text import printable
from energy.report.words import clipped
from tests.exports import by_model, comparison, flagged, mixed_run, named, names, repeated, run, text
from tests.simulated.records import failed

PARSER = MarkdownIt("commonmark").enable("table")
# What the page itself writes in HTML; nothing from a record may add to these.
TAGS = {"details", "summary", "code", "/details", "/summary", "/code"}


class _Page(HTMLParser):
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
    title, *rows = _Page(source.partition("<details>")[0]).rows
    assert {len(row) for row in rows} <= {len(title)}
    return [dict(zip(title, row, strict=True)) for row in rows]


def changes(source):
    """Return the cells that follow the first metric; two columns of the table have the same title."""
    return [row[2] for row in _Page(source.partition("<details>")[0]).rows[1:]]


def compared(head_records, base_records, **options):
    base, head = run(base_records), run(head_records)
    return text("markdown", head, base=comparison(base, head), **options)


def many(count, factor=1.0):
    return [repeated(f"net{number:03}-baseline", [12.0 * factor, 12.1 * factor]) for number in range(count)]


FOUR = [repeated(f"{name}-baseline", [12.0, 12.1, 12.2]) for name in ("unet", "enet", "cgnet", "erfnet")]
WORSE = [repeated("unet-baseline", [24.0, 24.1, 24.2]), *FOUR[1:]]


def test_the_verdict_comes_first_and_only_what_changed_is_in_the_table():
    source = compared(WORSE, FOUR)

    assert source.startswith("✗ **1 regression, 3 unchanged – epyc-2c-cpu-91bc, n = 3, noise of total_kj ±")
    session, unet = table_of(source)
    assert session["case"] == "session (median)"
    assert unet["case"] == "unet-baseline"
    assert unet["total kJ"] == "12.1 → 24.1"
    assert unet["Dice"] == "0.810 → 0.810"
    assert unet["verdict"].startswith("✗ regressed: total_kj regressed: worse by")
    assert "3 cases unchanged." in source


def test_a_change_has_its_interval():
    # ln(24.1 / 12.1) by its means of logarithms: 99.2 %.
    assert re.fullmatch(r"\+99\.2 % \[\+9\d\.\d, \+10\d\]", changes(compared(WORSE, FOUR))[1])


def test_the_whole_table_environment_and_commands_are_folded_away():
    source = compared(WORSE, FOUR)

    folds = re.findall(r"<details>\n<summary>(.*?)</summary>", source)
    assert folds == ["All 4 cases", "Environment", "How to reproduce"]
    assert source.count("</details>") == 3
    assert "git checkout 0123456789abcdef0123456789abcdef01234567" in source
    assert "joulebench compare epyc-2c-cpu-91bc/0001_base epyc-2c-cpu-91bc/0002_head" in source
    everything = _Page(source.split("<details>")[1]).rows
    assert [row[0] for row in everything[2:]] == [
        f"{n}-baseline" for n in ("unet", "enet", "cgnet", "erfnet")
    ]


def test_measured_or_modelled_is_in_the_head_and_survives_every_cut():
    modelled = [by_model(f"{name}-baseline", [12.0, 12.1]) for name in ("unet", "enet")]

    for source in (
        compared(modelled, modelled, max_bytes=700),
        text("markdown", run(modelled), max_bytes=400),
    ):
        assert "energy modelled: codecarbon_cpu_load_model" in source
        assert "<details>" not in source


def test_a_comparison_that_is_refused_says_why_and_judges_nothing():
    modelled = [by_model(f"{name}-baseline", [24.0, 24.1]) for name in ("unet", "enet")]
    measured = [repeated(f"{name}-baseline", [12.0, 12.1]) for name in ("unet", "enet")]

    source = compared(modelled, measured)

    assert "not judged: joules of another kind: measured in the base, modelled in the head" in source
    assert "regressed" not in source


def test_without_a_base_all_cases_are_there_and_bad_ones_come_first():
    rows = table_of(text("markdown", mixed_run()))

    in_order = ("sqnet", "segnet", "erfnet", "cgnet", "unet", "enet")
    assert [row["case"] for row in rows] == [f"{name}-baseline" for name in in_order]
    assert rows[0]["Dice"] == "oom [1]"
    assert (rows[4]["total kJ"], rows[4]["meter"]) == ("12.1", "measured")
    assert rows[5]["meter"] == "modelled"


def test_the_head_of_a_run_counts_how_cases_ended():
    source = text("markdown", mixed_run())

    assert source.startswith("✗ **6 cases: 2 ok, 1 invalid, 1 oom, 1 error, 1 diverged**")
    assert "out of memory" not in source.partition("\n")[0]
    assert "[1] sqnet-baseline oom: OutOfMemoryError: tried to allocate 2 GiB" in _Page(source).words


def test_a_comparison_without_a_change_says_so():
    only = [repeated("unet-baseline", [12.0, 12.1, 12.2])]
    found = comparison(run(only), run(only))

    source = text("markdown", run(only), base=replace(found, shifts={}))

    assert source.startswith("= **1 unchanged")
    assert "Nothing changed beyond its limit." in source


def test_the_session_is_a_row_with_its_reason():
    found = comparison(run(FOUR), run(FOUR))
    shift = Shift("total_kj", 0.031, (0.02, 0.042), 4, "regressed", "all 4 cases together")

    source = text("markdown", run(FOUR), base=replace(found, shifts={"total_kj": shift}))

    (row,) = table_of(source)

    assert row["case"] == "session (median)"
    assert row["verdict"] == "✗ regressed: total_kj regressed: all 4 cases together"
    assert changes(source) == ["+3.1 % [+2.0, +4.2]"]


@pytest.mark.parametrize("size", [60_000, 12_000, 6_000, 3_000, 1_500, 800])
def test_a_cut_text_fits_parses_and_says_that_it_was_cut(size):
    source = text("markdown", run(many(300)), max_bytes=size)

    assert len(source.encode()) <= size
    assert raw_html(source) <= TAGS
    assert source.count("<details>") == source.count("</details>")
    shown = [row for row in _Page(source).rows if row and row[0].startswith("net")]
    more = re.search(r"and (\d+) more: all in `joulebench show", source)
    assert len(shown) + (int(more[1]) if more else 0) == 300


def test_what_is_folded_away_goes_before_any_row_does():
    base, head = many(40), many(40, 2.0)[:20] + many(40)[20:]
    whole = compared(head, base)
    sizes = range(len(whole.encode()), 1500, -300)

    seen = [compared(head, base, max_bytes=size) for size in sizes]

    folds = [source.count("<details>") for source in seen]
    rows = [
        sum(row[0].startswith("net") for row in _Page(source.partition("<details>")[0]).rows)
        for source in seen
    ]
    assert folds == sorted(folds, reverse=True)
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > rows[-1]
    assert not [1 for fold, row in zip(folds, rows, strict=True) if row < rows[0] and fold > 0]
    assert "Shortened: all in `joulebench compare" in seen[folds.index(2)]


def test_the_gravest_rows_are_cut_last():
    head = [*many(200)[:-1], failed("net199-baseline")]

    source = compared(head, many(1), max_bytes=1800)

    assert table_of(source)[1]["case"] == "net199-baseline"
    assert re.search(r"and \d+ more", source)


def test_a_size_for_nothing_is_refused():
    with pytest.raises(ExportError, match="--max-bytes 50 is too little: the verdict alone takes"):
        text("markdown", run(FOUR), max_bytes=50)


@settings(deadline=None, max_examples=40)
@given(st.integers(300, 20_000))
def test_no_size_is_ever_exceeded(size):
    try:
        source = text("markdown", run(many(40)), max_bytes=size)
    except ExportError:
        return
    assert len(source.encode()) <= size


@settings(deadline=None, max_examples=40)
@given(names)
def test_any_name_is_shown_as_it_is_and_changes_nothing_else(name):
    shown = " ".join(clipped(printable(name), 120).split())
    bad = failed("a-b", message=name) | {"case": name}

    for source in (
        text("markdown", run([bad, flagged("c-d", [12.0])])),
        compared([bad, *FOUR], [named(name), *FOUR]),
    ):
        first = table_of(source)[0 if source.startswith("✗ **2") else 1]
        assert " ".join(first["case"].split()) == shown
        assert raw_html(source) <= TAGS
        assert not _Page(source).tags & {"script", "a", "img", "h1", "h2", "hr", "em", "blockquote"}


@settings(deadline=None, max_examples=40)
@given(names)
def test_nothing_is_mentioned_or_linked(name):
    source = text("markdown", run([failed("a-b", message=name) | {"case": name}]))

    # Services make neither of what stands in code.
    assert not re.search(r"[@#]\w", _Page(source).outside_code)


@pytest.mark.parametrize("text_of", [code, prose])
@settings(deadline=None, max_examples=40)
@given(name=names)
def test_every_escaped_text_reads_as_it_was(text_of, name):
    page = _Page(f"| a | b |\n| - | - |\n| {text_of(name)} | end |")

    shown = page.rows[1][0].replace("\u200b", "") if len(page.rows) > 1 else None
    assert " ".join(str(shown).split()) == " ".join(
        clipped(printable(name), 600).replace("\u200b", "").split()
    )
    assert page.rows[1][1] == "end"


@settings(deadline=None, max_examples=40)
@given(st.lists(names, min_size=1, max_size=3))
def test_no_command_ends_its_block(lines):
    (block,) = PARSER.parse(commands(lines))

    assert block.type == "fence"
    assert (
        block.content.rstrip("\n").split("\n") == [printable(line) for line in lines]
        or not "".join(lines).strip()
    )
