"""github-action-benchmark and Bencher: each against its own form."""

import json
import shlex

import pytest
from hypothesis import given
from jsonschema_rs import Draft7Validator

from energy import exporters
from energy.exporters._text import printable
from energy.records.metrics import METRICS
from tests.simulated.exports import (
    COMMITTED,
    by_model,
    comparison,
    invalid,
    mixed_run,
    named,
    names,
    repeated,
    request,
    run,
    text,
    with_total,
)
from tests.simulated.records import failed

HARDWARE = "epyc-2c-cpu-91bc"

# As its TypeScript interface BenchmarkResult has it.
GITHUB_ACTION_BENCHMARK = Draft7Validator(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "unit", "value"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "unit": {"type": "string", "minLength": 1},
                "value": {"type": "number"},
                "range": {"type": "string"},
                "extra": {"type": "string"},
            },
        },
    }
)
# What https://bencher.dev/bmf.json says, and the documented lengths.
BENCHER = Draft7Validator(
    {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": 1024},
        "additionalProperties": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 64},
            "additionalProperties": {
                "type": "object",
                "required": ["value"],
                "additionalProperties": False,
                "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
            },
        },
    }
)


def both(data, **options):
    """Return the entries of both files by name."""
    made = exporters.load("github_action_benchmark").export(request(data, **options))
    assert list(made.files) == [".smaller.json", ".bigger.json"]
    files = [json.loads(found) for found in made.files.values()]
    for entries in files:
        GITHUB_ACTION_BENCHMARK.validate(entries)
        assert len({entry["name"] for entry in entries}) == len(entries)
    return *({entry["name"]: entry for entry in entries} for entries in files), made.notes


def bencher(data):
    found = json.loads(text("bencher", data))
    BENCHER.validate(found)
    return found


def test_each_metric_is_in_the_file_of_its_direction():
    smaller, bigger, _ = both(run([repeated("unet-baseline", [12.0, 12.5, 13.0], [0.7, 0.8, 0.9])]))

    names_of = [name.partition(" / ")[2] for name in (*smaller, *bigger)]
    assert f"total_kj [{HARDWARE}]" in names_of
    assert all(METRICS[name.split()[2]].better == "lower" for name in smaller if " / " in name)
    assert list(bigger) == [f"unet-baseline / dice [{HARDWARE}]"]


def test_value_range_and_extra_are_those_of_the_repeats():
    # Student's t with 2 degrees of freedom: 4.303 * 0.5 / sqrt(3) = 1.242.
    smaller, _, _ = both(run([repeated("unet-baseline", [12.0, 12.5, 13.0])]))

    entry = smaller[f"unet-baseline / total_kj [{HARDWARE}]"]
    assert (entry["value"], entry["unit"], entry["range"]) == (12.5, "kJ (measured)", "± 1.24")
    assert entry["extra"].splitlines() == [
        "n = 3: 95 % interval of the mean",
        "seeds 0, 1, 2",
        "measured: rapl, of the machine",
        "commit 01234567",
    ]


def test_one_repeat_has_no_range():
    smaller, _, _ = both(run([repeated("unet-baseline", [12.0])]))

    entry = smaller[f"unet-baseline / total_kj [{HARDWARE}]"]
    assert "range" not in entry
    assert entry["extra"].startswith("n = 1: no interval")


def test_modelled_energy_is_another_unit():
    smaller, _, _ = both(run([by_model("enet-baseline", [3.0])]))

    assert smaller[f"enet-baseline / total_kj [{HARDWARE}]"]["unit"] == "kJ (modelled)"


def test_failed_and_invalid_cases_are_counted_named_and_in_no_series():
    smaller, bigger, notes = both(mixed_run())

    count = smaller[f"failed or invalid cases [{HARDWARE}]"]
    assert count["value"] == 4
    assert count["extra"].splitlines() == [
        "cgnet-baseline: invalid: throttled",
        "sqnet-baseline: oom: OutOfMemoryError: tried to allocate 2 GiB",
        "segnet-baseline: error: OutOfMemoryError: a cable fell out",
        "erfnet-baseline: diverged: OutOfMemoryError: the loss is NaN",
    ]
    assert not [name for name in (*smaller, *bigger) if name.startswith(("cgnet", "sqnet"))]
    assert len(notes) == 4


def test_the_base_and_the_verdict_are_in_the_tooltip():
    base = run(
        [repeated(f"{name}-baseline", [12.0, 12.1, 12.2]) for name in ("unet", "enet", "cgnet", "erfnet")]
    )
    head = run([repeated(f"{name}-baseline", [12.0, 12.1, 12.2]) for name in ("enet", "cgnet", "erfnet")])
    head["benchmarks"] += run([repeated("unet-baseline", [24.0, 24.1, 24.2])])["benchmarks"]

    smaller, _, _ = both(head, base=comparison(base, head))

    extra = smaller[f"unet-baseline / total_kj [{HARDWARE}]"]["extra"]
    assert "base epyc-2c-cpu-91bc/0001_base, commit 01234567" in extra
    assert extra.endswith("regressed")


@given(names)
def test_any_name_comes_back_from_the_json_files(name):
    data = run([named(name)])

    smaller, _, _ = both(data)

    assert f"{printable(name)} / total_kj [{HARDWARE}]" in smaller
    assert list(bencher(data)) == [printable(name)]


def test_bounds_are_the_interval_of_the_mean():
    found = bencher(run([repeated("unet-baseline", [12.0, 12.5, 13.0])]))["unet-baseline"]

    assert found["total-kj"]["value"] == 12.5
    assert found["total-kj"]["lower_value"] == pytest.approx(12.5 - 1.2421, abs=1e-4)
    assert found["total-kj"]["upper_value"] == pytest.approx(12.5 + 1.2421, abs=1e-4)


def test_one_repeat_has_no_bounds_and_an_unknown_figure_is_left_out():
    found = bencher(run([repeated("unet-baseline", [12.0])]))["unet-baseline"]

    assert found["total-kj"] == {"value": 12.0}
    assert "gpu-kj" not in found


def test_modelled_energy_is_another_measure():
    found = bencher(mixed_run())

    assert "total-kj" in found["unet-baseline"]
    assert "total-kj-modelled" in found["enet-baseline"]
    assert "total-kj" not in found["enet-baseline"]


def test_an_invalid_record_raises_no_alert_and_a_failed_case_does():
    found = bencher(mixed_run())

    assert found["cgnet-baseline-bencher-ignore"]["total-kj"]["value"] == pytest.approx(5.1)
    assert found["sqnet-baseline"] == {"failed": {"value": 1.0}}
    assert found["unet-baseline"]["failed"] == {"value": 0.0}


def test_a_name_that_bencher_would_refuse_is_cut_and_stays_one_of_its_own():
    long = ["x" * 3000 + end for end in "ab"]

    found = bencher(
        run(
            [named(long[0]), named(long[1]) | {"validity": {"ok": False, "invalid": ["shared"], "notes": []}}]
        )
    )

    assert len(found) == 2
    assert [name.endswith("-bencher-ignore") for name in found] == [False, True]


def test_the_command_limits_the_worse_side_of_each_measure():
    (note,) = exporters.load("bencher").export(request(mixed_run())).notes

    words = shlex.split(note.partition(" | ")[2])
    assert words[:6] == ["bencher", "run", "--adapter", "json", "--testbed", HARDWARE]
    limits = {
        words[at + 1]: (words[at + 3], words[at + 5], words[at + 7])
        for at, word in enumerate(words)
        if word == "--threshold-measure"
    }
    assert limits["failed"] == ("static", "_", "0.5")
    assert limits["total-kj"] == limits["total-kj-modelled"] == ("percentage", "_", "0.1")
    assert limits["dice"] == ("percentage", "0.1", "_")


def test_measures_that_may_be_negative_get_no_percentage():
    one = repeated("unet-baseline", [12.0])
    lost = {"unit": "%", "better": "lower", "values": [-3.0], "mean": -3.0, "ci95": None}
    data = run([one | {"metrics": one["metrics"] | {"dice_loss_vs_unet_pct": lost}}])

    (note,) = exporters.load("bencher").export(request(data)).notes

    assert bencher(data)["unet-baseline"]["dice-loss-vs-unet-pct"] == {"value": -3.0}
    assert "dice-loss" not in note


def test_two_tasks_or_two_tests_of_one_name_stay_apart():
    two = [
        repeated("unet-baseline", [12.0]),
        repeated("unet-baseline", [1.0]) | {"task": "inference"},
        repeated("unet-baseline", [2.0]) | {"node": "other/test_training.py::test"},
        invalid("unet-baseline", [3.0]) | {"node": "other/test_training.py::test"},
        failed("unet-baseline"),
    ]
    data = run(two)

    assert len(bencher(data)) == 5
    assert "unet-baseline (inference)" in bencher(data)
    assert len([name for name in both(data)[0] if " / total_kj " in name]) == 3


@pytest.mark.parametrize("data", COMMITTED)
def test_the_committed_results_fit_both_forms(data):
    smaller, bigger, _ = both(data)

    measures = bencher(data)
    for record in with_total(data):
        dice, total = (record["metrics"][name]["mean"] for name in ("dice", "total_kj"))
        key = data["energy"]["fingerprint"]
        assert bigger[f"{record['case']} / dice [{key}]"]["value"] == dice
        assert smaller[f"{record['case']} / total_kj [{key}]"]["value"] == total
        of_case = measures[record["case"]].items()
        assert [measure["value"] for name, measure in of_case if name.startswith("total-kj")] == [total]
