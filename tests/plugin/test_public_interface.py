"""What other projects rely on: the names of `energy`, its windows, and the fixture in a project of theirs."""

import dataclasses
import json
import re
import subprocess
import sys
import typing

import pytest

import energy

METER = "cpu_model"
QUICK = ("--energy-idle=0", "--energy-storage=out", "-p", "no:cacheprovider")
UNITS = re.compile(r"joules|seconds|watts|factor|\bband\b|\bcoverage\b|model")
VENDORS = {"torch", "numpy", "scipy", "pandas", "codecarbon", "pynvml", "amdsmi", "pytest"}


@pytest.fixture
def project(pytester):
    """A project that sorts lists and has never heard of ours: no conftest, no options, no plugin named."""
    pytester.makeini("[pytest]\n")
    return pytester


def run(project, *options, meters="cpu_model,ram_model"):
    return project.runpytest_subprocess(*QUICK, f"--energy-meters={meters}", *options)


def records(project):
    (path,) = (project.path / "out").glob("*/*.json")
    return [case["extra_info"]["energy"] for case in json.loads(path.read_text())["benchmarks"]]


def joules(record):
    return [1000 * value for value in record["metrics"]["total_kj"]["values"]]


def script(project, text):
    """Run a script in a process of its own, with warnings as errors; return what it prints as JSON."""
    path = project.makepyfile(script=text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, cwd=project.path
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", energy.__all__)
def test_a_public_name_is_documented_at_its_home_and_in_the_overview(name):
    assert getattr(energy, name).__doc__
    assert re.search(rf"`{name}\b", energy.__doc__)


@pytest.mark.parametrize(
    "kind", [energy.Count, energy.DomainEnergy, energy.Energy, energy.Fault, energy.Reading]
)
def test_a_public_figure_has_its_unit_in_its_name_or_its_docstring(kind):
    hints = typing.get_type_hints(kind)
    figures = [field.name for field in dataclasses.fields(kind) if "float" in str(hints[field.name])]

    assert figures
    assert [name for name in figures if not UNITS.search(name)] == []


def test_the_overview_names_the_unit_of_each_figure():
    for word in ("`seconds`", "`joules`", "`joules()`", "`joules_at_stake`", "in joules", "kJ"):
        assert word in energy.__doc__


def test_importing_energy_loads_no_vendors_library_and_opens_nothing(project):
    loaded = script(
        project,
        "import json, sys, threading\nimport energy\n"
        "names = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "print(json.dumps([names, threading.active_count()]))\n",
    )

    assert VENDORS & set(loaded[0]) == set()
    assert loaded[1] == 1


def test_readings_subtract_to_windows_that_nest_overlap_and_add_up(project):
    found = script(
        project,
        f"""
        import json, time
        import energy

        meters = energy.open_meters("{METER}")
        readings = []
        for _ in range(4):
            readings.append(energy.read(meters))
            time.sleep(0.1)
        energy.close(meters)

        a, b, c, d = readings
        windows = {{"ad": d - a, "ab": b - a, "bc": c - b, "cd": d - c, "ac": c - a, "bd": d - b}}
        print(json.dumps({{name: [spent.joules(), spent.seconds] for name, spent in windows.items()}}))
        """,
    )

    for at in (0, 1):
        whole = found["ad"][at]
        assert whole == pytest.approx(found["ab"][at] + found["bc"][at] + found["cd"][at])
        assert whole == pytest.approx(found["ac"][at] + found["bd"][at] - found["bc"][at])
        assert 0 < found["bc"][at] <= whole


def test_readings_in_the_wrong_order_are_refused(project):
    said = script(
        project,
        f"""
        import json
        import energy

        with energy.open_meters("{METER}") as meters:
            first, second = energy.read(meters), energy.read(meters)
        try:
            first - second
        except ValueError as problem:
            print(json.dumps(str(problem)))
        """,
    )

    assert "subtract the earlier reading from the later" in said


def test_leaving_the_context_closes_the_meters_and_ends_their_thread_also_by_an_error(project):
    found = script(
        project,
        f"""
        import json, threading
        import energy

        try:
            with energy.open_meters("{METER}") as meters:
                during = threading.active_count()
                raise OSError("mine")
        except OSError as problem:
            kept = str(problem)
        print(json.dumps([kept, all(meter.closed for meter in meters), during, threading.active_count()]))
        """,
    )

    assert found[:2] == ["mine", True]
    assert found[3] == 1


def test_a_closed_meter_is_unknown_and_not_0(project):
    found = script(
        project,
        f"""
        import json
        import energy

        with energy.open_meters("{METER}") as meters:
            before = energy.read(meters)
        spent = energy.read(meters) - before
        print(json.dumps([spent.joules(), [part.reason for part in spent.domains]]))
        """,
    )

    assert found[0] is None
    assert all("closed" in reason for reason in found[1])


def test_a_plain_function_of_a_foreign_project_gets_a_record_and_a_row(project):
    project.makepyfile("""
    def test_sorting(energy):
        assert energy(sorted, [3, 1, 2], reverse=True) == [3, 2, 1]

    def test_unmeasured():
        assert sorted([2, 1]) == [1, 2]
    """)

    result = run(project, "--energy-save=mine", "--energy-columns=total_kj,seconds", meters="codecarbon")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*= energy =*", "case*total kJ  seconds", "test_sorting *", "modelled from CPU time: codecarbon*"]
    )
    result.stdout.fnmatch_lines(["written: *0001_mine.json"])
    result.stdout.no_fnmatch_line("*test_unmeasured *")
    (record,) = records(project)
    assert (record["case"], record["status"], record["arch"]) == ("test_sorting", "ok", None)
    assert record["metrics"]["total_kj"]["unit"] == "kJ"
    assert {part["source"] for part in record["domains"]} == {
        "codecarbon_cpu_load_model",
        "codecarbon_ram_model",
    }


def test_a_project_that_measures_nothing_sees_nothing_of_ours(project):
    project.makepyfile("def test_plain():\n    pass\n")

    result = project.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*= energy =*")
    assert not (project.path / "results").exists()


def test_windows_of_the_fixture_nest_overlap_and_have_their_figures_at_hand(project):
    project.makepyfile("""
    import time
    from contextlib import ExitStack

    def test_nested(energy):
        with energy.window():
            time.sleep(0.1)
            with energy.window() as repeat:
                time.sleep(0.1)
            time.sleep(0.1)
        assert repeat.window.energy.joules() < 1e6, "a second of a house"
        assert repeat.window.energy.kind == "modelled"

    def test_overlapping(energy):
        first, second = ExitStack(), ExitStack()
        first.enter_context(energy.window())
        time.sleep(0.1)
        second.enter_context(energy.window())
        time.sleep(0.2)
        first.close()
        time.sleep(0.1)
        second.close()
        a, b = (repeat.window for repeat in energy.repeats)
        both = (b.last - a.first).joules()
        shared = (a.last - b.first).joules()
        assert abs(a.energy.joules() + b.energy.joules() - both - shared) < 1e-9
        assert 0 < shared < min(a.energy.joules(), b.energy.joules())
    """)

    run(project, "--energy-autosave", "--energy-order=given").assert_outcomes(passed=2)

    nested, overlapping = records(project)
    inner, outer = joules(nested)
    assert 0 < inner < outer
    assert len(joules(overlapping)) == 2
