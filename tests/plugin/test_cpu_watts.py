"""What the user knows of the CPU, and what the measured code tells of its work, up to the record."""

import json

import pytest

from energy.measuring.case import Case
from energy.meters import MeterUnavailable, open_meters
from tests.simulated.foreign import Foreign

SORTS = "def test_it(energy):\n    energy(sorted, [1])\n"


@pytest.mark.parametrize(
    "text",
    ["", "12", "12,", "95,12", "12,12", "-1,20", "0,20", "a,b", "12,95,3", "nan,95", "12,inf", "1,1e9"],
)
def test_watts_that_cannot_be_meant_are_refused_before_anything_runs(pytester, text):
    pytester.makepyfile(SORTS)

    result = pytester.runpytest("-p", "no:cacheprovider", f"--energy-cpu-watts={text}")

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*--energy-cpu-watts {text}: expected the watts of all processors*12,95*"])


def test_watts_that_the_user_gives_are_in_the_record(tmp_path):
    project = Foreign(tmp_path, SORTS)

    project.run("--energy-cpu-watts=20,120", meters="cpu_model,ram_model")

    process = next(
        part for part in project.records()["test_it"]["domains"]
        if (part["domain"], part["boundary"]) == ("cpu", "process")
    )  # fmt: skip
    threads = process["model"]["processor"]["threads"]
    law = process["model"]["law"]
    assert law["origin"] == "given by --energy-cpu-watts"
    assert law["idle_watts_per_thread"][1] * threads == pytest.approx(20)
    assert law["joules_per"]["cpu_seconds"][1] * threads == pytest.approx(100)


def test_watts_for_a_meter_that_is_not_opened_are_refused():
    with pytest.raises(ValueError, match="--energy-cpu-watts is for the meter cpu_model"):
        open_meters("ram_model", cpu_watts=(10.0, 50.0))


def test_watts_are_for_the_model_and_no_other_meter():
    with open_meters("cpu_model,ram_model", cpu_watts=(10.0, 50.0)) as meters:
        found = {count.source: count for meter in meters for count in meter.counts()}

    assert found["cpu_seconds_model"].model["law"]["origin"] == "given by --energy-cpu-watts"


def law_of_work():
    with open_meters("cpu_model") as meters:
        (meter,) = meters
        processor = meter.share.processor.as_key()
    per = {"cpu_seconds": [0.0, 0.0, 0.0], "macs_fp32": [1e-9, 1e-9, 1e-9]}
    law = {
        "source": "cpu_work_model",
        "origin": "fitted",
        "idle_watts_per_thread": [0, 0, 0],
        "joules_per": per,
    }
    return {"processor": processor, "laws": [law]}


def test_a_case_tells_its_work_to_a_meter_that_asks_and_the_window_is_billed_it():
    with open_meters("cpu_model", fitted=[law_of_work()], tells=["macs_fp32"]) as meters:
        case = Case("a", meters)
        with case.window() as repeat:
            case.tell(macs_fp32=3e9, bytes_moved=1e12)
            half = repeat.window.mark("epoch")
            case.tell(macs_fp32=2e9)
            repeat.window.mark("epoch")

    assert case.wanted == {"macs_fp32"}
    assert half.joules() == pytest.approx(3.0)
    assert repeat.window.energy.joules() == pytest.approx(5.0)


def test_a_law_of_work_is_not_taken_where_nobody_tells_the_work():
    with open_meters("cpu_model", fitted=[law_of_work()]) as meters:
        case = Case("a", meters)
        (meter,) = meters

    assert case.wanted == frozenset()
    assert {count.source for count in meter.counts()} == {"cpu_seconds_model"}


@pytest.mark.slow
def test_a_run_takes_the_law_that_calibrate_has_left_for_its_processor(tmp_path):
    block = law_of_work()
    block["laws"][0] = block["laws"][0] | {
        "source": "cpu_seconds_model",
        "joules_per": {"cpu_seconds": [2.0] * 3},
    }
    (tmp_path / "out" / "metal").mkdir(parents=True)
    (tmp_path / "out" / "metal" / "noise.json").write_text(json.dumps({"schema": 1, "cpu_power": block}))
    project = Foreign(tmp_path, SORTS)

    project.run(meters="cpu_model,ram_model")

    (path,) = (tmp_path / "out").glob("*/0*.json")
    record = json.loads(path.read_text())["benchmarks"][0]["extra_info"]["energy"]
    assert {part["model"]["law"]["origin"] for part in record["domains"] if part["domain"] == "cpu"} == {
        "fitted"
    }


def test_without_linux_the_model_cannot_be_asked_for(tmp_path):
    from energy.meters import cpu_model

    with pytest.raises(MeterUnavailable):
        cpu_model.open(watts=(10.0, 50.0), proc=tmp_path)
