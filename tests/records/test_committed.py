"""Every committed run of results/ lists, shows, compares and reports, whatever wrote it and when."""

import json
from pathlib import Path

import pytest

from energy.records.storage.runfile import list_records
from energy.records.storage.store import Store

RESULTS = Path(__file__).parents[2] / "results"
RUNS = {stored.reference: stored.path for stored in Store(RESULTS).runs()}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A copy, so that no index is left beside what is committed."""
    root = tmp_path_factory.mktemp("committed")
    for path in RESULTS.glob("*/*.json"):
        (root / path.parent.name).mkdir(exist_ok=True)
        (root / path.parent.name / path.name).write_bytes(path.read_bytes())
    return root


def cases_of(reference):
    return [record["case"] for record in list_records(Store(RESULTS).load(RUNS[reference]))]


def test_there_are_some():
    assert len(RUNS) >= 6


def test_all_are_listed(results, joulebench):
    code, out, err = joulebench("list", "--storage", str(results))

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(RUNS)


@pytest.mark.parametrize("reference", RUNS)
def test_each_shows_its_cases(results, joulebench, reference):
    code, out, err = joulebench("show", reference, "--storage", str(results))

    assert (code, err) == (0, "")
    assert [case for case in cases_of(reference) if case not in out] == []


@pytest.mark.parametrize("reference", RUNS)
def test_each_compared_with_itself_has_not_changed(results, joulebench, reference):
    code, out, _ = joulebench("compare", reference, reference, "--json", "--storage", str(results))

    rows = json.loads(out)["cases"]
    good = [row["verdict"] for row in rows if row["problem"] is None and row["changes"]]
    assert code == 0
    assert [row["case"] for row in rows] == cases_of(reference)
    assert good == ["unchanged"] * len(good)


@pytest.mark.usefixtures("no_charts")
def test_all_are_in_the_history_and_in_the_report(results, joulebench, tmp_path):
    page = tmp_path / "report.html"

    code, told, _ = joulebench("history", "--storage", str(results))
    reported, out, _ = joulebench("report", str(results), "-o", str(page))

    assert (code, reported) == (0, 0)
    assert "not used" not in out
    names = {case for reference in RUNS for case in cases_of(reference)}
    html = page.read_text(encoding="utf-8")
    assert [name for name in names if name not in html] == []
    assert all(reference.partition("/")[0] in told for reference in RUNS)
