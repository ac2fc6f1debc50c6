"""What is asked of every format, whichever they are."""

import json
import re

import pytest

from energy import exporters
from energy.exporters import ExportError, load, names
from energy.exporters._text import printable
from energy.records import schema
from tests.simulated.exports import (
    COMMITTED,
    HOSTILE,
    by_model,
    invalid,
    mixed_run,
    named,
    repeated,
    request,
    run,
    with_total,
)

OF_ONE_CASE = {"model_card": {"case": "unet-baseline", "grid_g_per_kwh": 475.0}}


def whole(name, data):
    """Return everything that a format says of a run."""
    made = load(name).export(request(data, **OF_ONE_CASE.get(name, {})))
    return "\n".join(made.files.values())


def test_the_formats_are_the_files_of_the_folder():
    assert names() == (
        "bencher", "csv", "emissions_csv", "github_action_benchmark", "junit", "markdown", "model_card",
        "openmetrics",
    )  # fmt: skip


def test_a_misspelt_format_gets_the_nearest_name():
    with pytest.raises(ExportError, match="unknown format 'openmetric'; did you mean openmetrics"):
        load("openmetric")


def test_a_format_may_be_written_as_its_tool_is():
    assert load("github-action-benchmark") is load("github_action_benchmark")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\x00", r"a\u000ab\u0000"),
        ("half \ud800", r"half \ud800"),
        ("none \ufffe \U0001ffff", r"none \ufffe \u1ffff"),
        ("left \u202e right", r"left \u202e right"),
        ("line\u2028\x85", r"line\u2028\u0085"),
        ("ärger ± µ 日本 🧠 \\ | <", "ärger ± µ 日本 🧠 \\ | <"),
    ],
)
def test_what_no_format_can_hold_is_shown_by_its_number(text, shown):
    assert printable(text) == shown


def test_the_records_of_these_tests_are_valid():
    data = [*mixed_run()["benchmarks"], *run(map(named, HOSTILE))["benchmarks"]]

    assert all(schema.is_valid(json.loads(json.dumps(one["extra_info"]["energy"]))) for one in data)


@pytest.mark.parametrize("name", names())
def test_measured_and_modelled_differ_in_every_format(name):
    measured = whole(name, run([repeated("unet-baseline", [12.0, 12.5])]))
    modelled = whole(name, run([by_model("unet-baseline", [12.0, 12.5])]))

    assert "modelled" in modelled
    assert "modelled" not in measured


@pytest.mark.parametrize("name", sorted({*names()} - {"model_card"}))
def test_a_case_that_failed_is_seen_in_every_format(name):
    assert "sqnet-baseline" in whole(name, mixed_run())


@pytest.mark.parametrize("name", sorted({*names()} - {"model_card"}))
def test_a_flag_is_seen_in_every_format(name):
    clean, hot = (whole(name, run([one("unet-baseline", [12.0])])) for one in (repeated, invalid))

    assert clean.replace("1.0", "0.0") != hot.replace("1.0", "0.0") or clean != hot
    assert re.search("throttled|invalid|bencher-ignore|joulebench_record_valid.* 0.0", hot)


@pytest.mark.parametrize("name", names())
def test_an_unknown_figure_is_never_a_zero(name):
    one = repeated("unet-baseline", [12.0, 12.5])
    unknown = {"values": [None, None], "mean": None, "ci95": None, "reason": "nobody looked"}
    metrics = {
        metric: figure | unknown if metric not in ("seconds", "total_kj") else figure
        for metric, figure in one["metrics"].items()
    }

    said = whole(name, run([one | {"metrics": metrics}]))

    # 0 stands only for a seed, a repeat, a count of bad cases, of failures or of errors.
    values = re.findall(r"(?<![\d.\w-])0(?:\.0+)?(?![\d.\w])", said)
    assert len(values) == EXPECTED_ZEROS[name], said


EXPECTED_ZEROS = {
    "bencher": 1,  # failed
    "csv": 12,  # repeat 0 and seed 0 of each of 6 metrics
    "emissions_csv": 2,  # repeat 0 in the run's id, seed 0
    "github_action_benchmark": 3,  # count of bad cases; seeds 0, 1 of total_kj and seconds
    "junit": 5,  # failures, errors, failures, errors, skipped
    "markdown": 0,
    "model_card": 0,
    "openmetrics": 1,  # what 0 means in joulebench_record_valid
}


@pytest.mark.parametrize("data", COMMITTED)
@pytest.mark.parametrize("name", names())
def test_the_committed_results_can_be_exported(name, data):
    grid = {} if data["energy"].get("grid_g_per_kwh") else {"grid_g_per_kwh": 475.0}
    of_one = {"case": with_total(data)[0]["case"], **grid} if name == "model_card" else {}

    said = "\n".join(load(name).export(request(data, **of_one)).files.values())

    assert said.strip()
    assert not re.search(r"\b(NaN|nan|Infinity|inf|None|null)\b", said)


@pytest.mark.parametrize("name", names())
def test_a_plain_pytest_benchmark_file_has_nothing_to_export(name):
    plain = run([])
    del plain["energy"]

    with pytest.raises(ExportError, match="holds no energy records"):
        load(name).export(request(plain, **OF_ONE_CASE.get(name, {})))


@pytest.mark.parametrize("name", names())
def test_every_exporter_says_what_it_is_and_takes_only_fields_of_a_request(name):
    module = load(name)

    assert module.__doc__
    assert set(module.OPTIONS) <= set(exporters.Request.__dataclass_fields__) - {"run", "reference"}
