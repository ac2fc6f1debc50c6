"""A training that learnt nothing is told wherever its figures are."""

from pathlib import Path

import pytest

from energy.analysis.compare.compare import compare
from energy.records.summary import summarise_run
from energy.report.charts import _names, _table
from energy.report.terminal import table
from tests.simulated import exports
from tests.simulated.records import run
from tests.simulated.reports import found, model_of, trained

NOTED = {"ok": True, "invalid": [], "notes": ["collapsed"]}


def collapsed(*each):
    """Return a training of three seeds, of which these collapsed."""
    return trained(
        "sqnet-baseline",
        [0.0 if one else 0.8 for one in each],
        [1.0, 1.1, 1.2],
        validity=NOTED,
        setup=[{"collapsed": one} for one in each],
    )


@pytest.mark.parametrize(
    ("each", "words"), [((True, False, False), "1 of 3 collapsed"), ((True, True, True), "3 of 3 collapsed")]
)
def test_the_row_says_how_many_and_the_line_below_what_that_means(each, words):
    text = table.format_table([collapsed(*each)])

    assert f"{words} [1]" in text
    assert "[1] collapsed: the weights that were kept find brain in no pixel of the validation part" in text


def test_a_chart_names_it_and_its_table_says_how_many():
    others = [trained(f"{name}-baseline", [0.9] * 3, [2.0, 2.1, 2.2]) for name in ("unet", "enet")]
    model = model_of(found([*others, collapsed(True, False, True)]))
    (panel,) = model.panels
    points = {point.case: point for point in panel.points}
    names = _names.short_names(panel.points)

    assert "sqnet (collapsed)" in names
    assert [name for name in names if "collapsed" in name] == ["sqnet (collapsed)"]
    assert _table.row(panel, points["sqnet-baseline"], ["dice"])[-1] == "ok; 2 of 3 collapsed"
    assert _table.telling(points["sqnet-baseline"], ["dice"]).endswith("; 2 of 3 collapsed")


def test_a_comparison_warns_of_it():
    good = trained("sqnet-baseline", [0.8] * 3, [1.0, 1.1, 1.2])
    sides = (
        summarise_run(run([one]), Path("a/0001_x.json")) for one in (good, collapsed(True, False, False))
    )

    assert "noted in the head: sqnet-baseline collapsed" in compare(*sides).warnings


def test_junit_has_it():
    text = exports.text("junit", run([collapsed(True, False, False)]))

    assert 'name="validity" value="ok; noted: 1 of 3 collapsed"' in text
