"""The boundary in records: written, checked, given to those of before, and never compared across."""

import json
from pathlib import Path

import pytest

from energy.analysis.compare.cases import find_refusal, match_cases
from energy.analysis.gates import baseline
from energy.records import provenance
from energy.records.migration import update_record
from energy.records.schema import RecordError, check_record
from energy.records.storage.runfile import list_records, read_run
from energy.records.storage.store import Store
from energy.records.summary import summarise_run
from energy.report.groups import of_runs
from energy.report.terminal import table
from tests.simulated.records import block, domain, record, run
from tests.simulated.reports import found

RESULTS = Path(__file__).parents[2] / "results"
COMMITTED = sorted(RESULTS.glob("*/0*.json"))


def cpu(boundary="process", **changes):
    return domain(
        [9000.0], device="machine", source="cpu_seconds_model", kind="modelled", boundary=boundary, **changes
    )


def ram(boundary="process", **changes):
    made = {"device": "machine", "source": "ram_model", "kind": "modelled", "boundary": boundary}
    return domain([3300.0], domain="ram", **(made | changes))


def of_before():
    """A record of when memory was CodeCarbon's and no boundary was named."""
    made = record(domains=[cpu(), ram("machine", source="codecarbon_ram_model")])
    del made["boundary"]
    for part in made["domains"]:
        del part["boundary"]
    return made


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_records_keep_their_figures_and_say_that_they_mix_both(path):
    written = [entry["extra_info"]["energy"] for entry in json.loads(path.read_text())["benchmarks"]]
    today = list_records(read_run(path))

    for before, after in zip(written, today, strict=True):
        assert after["metrics"] == before["metrics"]
        assert [part["joules"] for part in after["domains"]] == [part["joules"] for part in before["domains"]]
        assert after["boundary"] == ("process+machine" if after["domains"] else None)


@pytest.mark.parametrize(
    ("sources", "boundary"),
    [
        (("cpu_seconds_model", "codecarbon_ram_model"), "process+machine"),
        (("codecarbon_cpu_load_model", "codecarbon_ram_model"), "machine"),
        (("rapl", "codecarbon_ram_model"), "machine"),
        (("cpu_seconds_model",), "process"),
        ((), None),
    ],
)
def test_what_a_record_of_before_is_of_follows_from_its_meters(sources, boundary):
    made = record(domains=[domain([1.0], source=source) for source in sources])
    del made["boundary"]
    for part in made["domains"]:
        del part["boundary"]

    update_record(made)

    assert made["boundary"] == boundary
    check_record(made, "here")


def test_a_record_whose_domains_are_of_another_boundary_than_it_says_is_refused():
    with pytest.raises(RecordError, match="boundary: machine, but its domains are of: process"):
        check_record(record(domains=[cpu(), ram()], boundary="machine"), "here")


@pytest.mark.parametrize("value", ["box", 1, "mixed"])
def test_a_boundary_is_one_of_the_words(value):
    with pytest.raises(RecordError, match="boundary"):
        check_record(record(domains=[cpu(boundary=value)], boundary=value), "here")


def test_a_table_says_how_it_was_modelled_and_what_its_totals_are_of():
    text = table.format_table([record(domains=[cpu(), ram()])])

    assert "modelled from CPU time: cpu_seconds_model + ram_model, of this process tree" in text
    assert "boundary process: what this process tree caused" in text


def test_a_law_that_knows_the_work_is_not_said_to_be_of_cpu_time():
    made = provenance.find_provenance(record(domains=[cpu() | {"source": "cpu_work_model"}, ram()]))

    assert made.told_kind == "modelled"


def summaries(before, after):
    return [
        summarise_run(run([one]) | {"energy": block("epyc-2c-avx2-cpu-91bc")}, Path(f"{name}.json"))
        for name, one in (("base", before), ("head", after))
    ]


@pytest.mark.parametrize("boundary", ["machine", "process+machine"])
def test_two_runs_of_other_boundaries_are_not_judged_against_each_other(boundary):
    parts = [cpu("machine"), ram("machine")] if boundary == "machine" else [cpu(), ram("machine")]
    before, after = summaries(record(domains=parts), record(domains=[cpu(), ram()]))

    refused = find_refusal(before, after, match_cases(before, after))

    assert refused == (
        f"joules of another boundary: {boundary} in the base, process in the head (first: unet-baseline); "
        "measure the base again"
    )


def test_two_runs_of_one_boundary_are():
    before, after = summaries(record(domains=[cpu(), ram()]), record(domains=[cpu(), ram()]))

    assert find_refusal(before, after, match_cases(before, after)) is None


def test_cases_of_two_boundaries_stand_in_two_tables():
    groups = of_runs([
        found([record("unet-baseline", domains=[cpu(), ram()]),
               record("enet-baseline", domains=[cpu("machine"), ram("machine")])], "epyc-2c-avx2-cpu-91bc")
    ])  # fmt: skip

    assert [(group.boundary, group.told) for group in groups] == [
        ("process", "modelled from CPU time, process"),
        ("machine", "modelled from CPU time, machine"),
    ]


def test_a_baseline_that_was_pinned_before_says_what_it_is_of(tmp_path):
    """It keeps a copy of the figures, and the sources behind them."""
    path = tmp_path / "epyc-2c-cpu-91bc" / "0001_old.json"
    path.parent.mkdir()
    data = run([record()])
    data["benchmarks"][0]["extra_info"]["energy"] = of_before()
    path.write_text(json.dumps(data))
    pin = baseline.pin_run(Store(tmp_path), "main", path)
    data = json.loads(pin.path.read_text())
    for case in data["run"]["cases"]:
        del case["boundary"]
    data["digest"] = baseline._digest_of(data)
    pin.path.write_text(json.dumps(data))

    (case,) = baseline.read_pin(pin.path).run.cases

    assert case.boundary == "process+machine"
