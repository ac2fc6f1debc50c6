"""Gates in real pytest processes: every exit code, and an injected regression that nothing heals.

The joules are in closed form (tests/simulated/work_meter.py), with 1 % of noise, three repeats and another
draw in every process.
"""

import json
import shutil

import pytest

from energy.analysis.gates import baseline as baselines
from energy.records.storage.store import Store
from tests.simulated.work_meter import NAMES
from tests.simulated.work_suite import WorkSuite

GATE = "--energy-fail=total_kj:5%"
REGRESSED = {"factors": {"c": 1.10}}  # 10 % more work in one case of six


@pytest.fixture(scope="module")
def measured(tmp_path_factory, warm_python):
    """A project with one run, pinned as its baseline `main`."""
    suite = WorkSuite(tmp_path_factory.mktemp("measured"), warm_python)
    done = suite.run()
    assert done.code == 0, done.said
    (path,) = suite.files()
    baselines.pin_run(Store(suite.folder / "results"), "main", path)
    return suite


@pytest.fixture
def suite(measured, tmp_path):
    """A copy of that project for one test."""
    shutil.copytree(measured.folder, tmp_path, dirs_exist_ok=True)
    copy = WorkSuite(tmp_path, measured.python)
    copy.session = measured.session
    return copy


@pytest.fixture
def fresh(tmp_path, warm_python):
    """A project that was never run."""
    return WorkSuite(tmp_path, warm_python)


# A regression


def test_a_regression_is_caught_an_unchanged_run_is_not_and_a_saved_regression_heals_nothing(suite):
    unchanged = suite.run(GATE)
    first = suite.run(GATE, **REGRESSED)
    second = suite.run(GATE, **REGRESSED)
    (suite.folder / "results").glob("*/baselines/main.json").__next__().unlink()
    unpinned = suite.run(GATE, "--energy-compare", **REGRESSED)

    assert unchanged.code == 0, unchanged.said
    assert "energy: every limit is kept (exit code 0)" in unchanged.said
    for done in (first, second, unpinned):
        assert done.code == 10, done.said
        assert "10 regression: test_case[c] total_kj: worse by" in done.said
        assert done.said.count("10 regression:") == 1
        assert "6 passed" in done.said
    assert "no baseline 'main' is pinned for this hardware" in unpinned.said
    # 0002 is the newest that was not itself a regression
    assert "/0002, which moves with every run" in " ".join(unpinned.said.split())
    assert [suite.block(number)["gated"]["exit_code"] for number in (1, 2, 3, 4)] == [0, 10, 10, 10]
    assert suite.block(2)["gated"]["findings"][0]["about"] == "test_case[c] total_kj"
    refused = suite.energy("baseline", "set", "main", "0003")
    assert refused.code == 4
    assert "its own gates ended with 10, regression" in refused.said


def test_an_alarm_that_the_second_measurement_agrees_with_is_a_regression(suite):
    done = suite.run(GATE, "--energy-confirm", **REGRESSED)

    assert done.code == 10, done.said
    assert "measured again: worse by" in done.said
    (alarm,) = suite.block()["confirmation"]["alarms"]
    assert (alarm["about"], alarm["metric"], alarm["verdict"]) == ("test_case[c]", "total_kj", "regressed")
    again = {record["case"] for record in suite.block()["confirmation"]["records"]}
    assert "test_case[c]" in again
    assert len(again) == 5  # and four anchors
    assert suite.energy("check", "--fail", "total_kj:5%").code == 10


def test_an_alarm_that_the_second_measurement_does_not_show_is_cleared_and_logged(suite):
    done = suite.run(GATE, "--energy-confirm", **REGRESSED, again={"factors": {}})

    assert done.code == 0, done.said
    assert "test_case[c] total_kj: alarm cleared: worse by" in done.said
    (alarm,) = suite.block()["confirmation"]["alarms"]
    assert alarm["verdict"] == "unchanged"
    (path,) = suite.files()[-1:]
    stored = {
        entry["param"]: entry["extra_info"]["energy"]["metrics"]["total_kj"]["mean"]
        for entry in json.loads(path.read_text())["benchmarks"]
    }
    assert stored["test_case[c]"] == pytest.approx(1.10, rel=0.03)  # the first figure stays what it was
    assert len(stored) == len(NAMES)
    assert suite.energy("check", "--fail", "total_kj:5%").code == 0


def test_nothing_is_measured_again_without_an_alarm(suite):
    done = suite.run(GATE, "--energy-confirm")

    assert done.code == 0, done.said
    assert "measured once more" not in done.said
    assert "confirmation" not in suite.block()


# pytest's own exit codes outweigh the gates'


def test_a_test_that_fails_is_1_and_the_verdict_is_shown_all_the_same(suite):
    done = suite.run(GATE, **REGRESSED, fails=["a"])

    assert done.code == 1
    assert "10 regression: test_case[c]" in done.said
    assert "13 a case of the baseline is missing or failed: test_case[a]" in done.said
    assert "energy: pytest's own exit code 1 stands" in done.said
    assert suite.block()["gated"]["exit_code"] == 10


def test_an_interrupted_run_is_2_and_is_not_judged(suite):
    done = suite.run(GATE, **REGRESSED, interrupts=["e"])

    assert done.code == 2
    assert "10 regression" not in done.said
    assert "energy: the run did not come to its end, and is not judged" in done.said
    assert "gated" not in suite.block()


def test_a_run_without_any_test_is_5(suite):
    assert suite.run(GATE, "-k", "nobody", save=False).code == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--energy-fail=total_kk:5%"], "did you mean total_kj"),
        (["--energy-fail=total_kj@segnet:5%"], "'segnet' fits none of the 6 cases of this run (test_case"),
        (["--energy-compare=nobody"], "nobody"),
        (["--energy-compare", "."], "put a bare --energy-compare last"),
        (["--energy-confirm"], "no gate gives an alarm"),
    ],
)
def test_a_mistake_is_4_before_anything_is_measured(suite, options, told):
    done = suite.run(*options)

    assert done.code == 4, done.said
    assert told in done.said
    assert "Traceback" not in done.said
    assert len(suite.files()) == 1


# 11 to 14


def test_what_the_noise_hides_is_11_in_a_strict_run_and_said_in_any_other(suite):
    strict = suite.run(GATE, "--energy-strict", noise=0.2)
    lenient = suite.run(GATE, noise=0.2)

    assert strict.code == 11, strict.said
    assert "energy: inconclusive (exit code 11)" in strict.said
    assert lenient.code == 0
    assert "energy: inconclusive; that fails a strict run only (exit code 0)" in lenient.said


def test_without_a_baseline_a_strict_run_ends_with_12_before_it_measures_and_any_other_says_so(fresh):
    strict = fresh.run(GATE, "--energy-strict")
    lenient = fresh.run(GATE)

    assert strict.code == 12, strict.said
    assert "no baseline 'main' for this hardware" in strict.said
    assert "test_it.py ." not in strict.said
    assert lenient.code == 0
    assert lenient.said.index("no baseline 'main' for this hardware") < lenient.said.index("energy: gates ==")
    assert "12 no comparable baseline: this run: there is nothing to compare with" in lenient.said
    assert len(fresh.files()) == 1  # the strict run measured nothing


def test_a_baseline_of_other_hardware_is_named_and_gates_nothing(suite):
    (path,) = suite.files()
    elsewhere = json.loads(path.read_text().replace(path.parent.name, "h200-700w-3f2a"))
    results = Store(suite.folder / "results")
    baselines.pin_run(results, "gpu", results.write(elsewhere))

    by_name = suite.run(GATE, "--energy-compare=gpu", "--energy-strict")
    by_file = suite.run(GATE, "--energy-compare=h200-700w-3f2a/0001", **REGRESSED)

    assert by_name.code == 12, by_name.said
    assert "gpu is pinned for h200-700w-3f2a" in by_name.said
    assert by_file.code == 0, by_file.said
    assert "other hardware or meters" in by_file.said
    assert "regressed" not in by_file.said


def test_a_case_of_the_baseline_that_is_skipped_or_gone_is_13_and_one_that_nobody_asked_for_is_not(suite):
    skipped = suite.run(GATE, skips=["a"])
    selected = suite.run(GATE, "-k", "not [a]")
    named = suite.run(GATE, "test_it.py::test_case[b]", "test_it.py::test_case[c]")
    (suite.folder / "test_it.py").write_text(
        (suite.folder / "test_it.py").read_text().replace("NAMES)", "NAMES[1:])")
    )
    gone = suite.run(GATE)

    for done in (skipped, gone):
        assert done.code == 13, done.said
        assert "13 a case of the baseline is missing or failed: test_case[a]" in done.said
    assert selected.code == 0, selected.said
    assert "1 cases of the base were not asked for here: test_case[a]" in selected.said
    assert named.code == 0, named.said
    assert "4 cases of the base were not asked for here" in named.said


def test_gates_that_looked_at_no_case_do_not_pass(suite):
    by_test = suite.run(GATE, skips=list(NAMES))
    (suite.folder / "conftest.py").write_text(
        "import pytest\ndef pytest_collection_modifyitems(items):\n"
        "    [item.add_marker(pytest.mark.skip) for item in items]\n"
    )
    by_marker = suite.run(GATE)

    assert by_test.code == 13, by_test.said
    assert by_marker.code == 13, by_marker.said
    assert "energy: no case was measured, so no gate is kept (exit code 13)" in by_marker.said


def test_an_invalid_measurement_is_14(suite):
    done = suite.run(GATE, flags={"b": ["throttled"]})

    assert done.code == 14, done.said
    assert "14 a measurement is invalid: test_case[b]: invalid in the head: throttled" in done.said


def test_a_flag_that_the_band_holds_is_told_and_blocks_nothing(suite):
    done = suite.run(GATE, flags={"b": ["undersampled"]})

    assert done.code == 0, done.said
    assert "noted in the head: test_case[b] undersampled" in done.said


# Where gates come from


def test_a_ceiling_needs_no_baseline(fresh):
    assert fresh.run("--energy-fail=total_kj<=1.2", "--energy-strict").code == 0

    done = fresh.run("--energy-fail=total_kj<=1.05", **REGRESSED)

    assert done.code == 10
    assert "10 regression: test_case[c] total_kj: 1.1" in done.said


MARKED = """
import pytest
from tests.simulated.work_meter import NAMES, measure

@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.energy_fail("total_kj:30%")] if name == "c" else [])
    for name in NAMES
])
def test_case(energy, name):
    measure(energy, name)
"""


def test_the_project_sets_gates_strictness_and_baseline_and_a_marker_outweighs_them(suite):
    (suite.folder / "pyproject.toml").write_text(
        '[tool.joulebench]\nfail = ["total_kj:5%", "dice@nobody:0.01"]\nstrict = true\nbaseline = "main"\n'
    )
    (suite.folder / "test_it.py").write_text(MARKED)

    done = suite.run(factors={"c": 1.10})
    worse = suite.run(factors={"b": 1.10})

    assert done.code == 0, done.said
    assert "energy: gates, strict: 11 and 12 fail the run" in done.said
    rows = [" ".join(line.split()) for line in done.said.splitlines()]
    assert "total_kj:30% marker of test_case[c] test_case[c]" in rows
    assert "dice@nobody:0.01 pyproject.toml none of this run" in rows
    assert rows.index("total_kj:30% marker of test_case[c] test_case[c]") < rows.index(
        next(row for row in rows if row.startswith("test_it.py"))
    )
    assert worse.code == 10, worse.said


def test_a_comparison_without_a_gate_shows_a_regression_and_fails_nothing(suite):
    done = suite.run("--energy-compare", **REGRESSED)

    assert done.code == 0, done.said
    assert "1 regression" in done.said
    assert "energy: compared only; no gate, so nothing of it fails the run" in done.said


def test_a_run_that_nobody_limits_says_nothing_of_gates_and_keeps_what_it_was_asked_for(suite):
    done = suite.run("--deselect", "test_it.py::test_case[a]")

    assert done.code == 0
    assert "energy: gates" not in done.said
    assert "compared" not in done.said
    assert suite.block()["selection"] == {"paths": ["."], "ignored": [], "deselected": ["test_case[a]"]}
    assert "gated" not in suite.block()


# What a run may spend


def test_a_run_begins_no_case_once_it_has_spent_what_it_may_and_can_be_resumed(fresh):
    done = fresh.run(
        "--energy-max-kj=8", "--energy-fail=total_kj<=0.1", "-rs", "--energy-order=given"
    )  # 3 kJ a case

    assert done.code == 2, done.said
    assert "3 passed, 3 skipped" in done.said
    assert "--energy-max-kj 8: 8.99 kJ spent" in done.said
    assert fresh.block()["finished"] is None
    assert "gated" not in fresh.block()
    rest = fresh.run("--energy-resume")
    assert rest.code == 0, rest.said
    assert len(json.loads(fresh.files()[-1].read_text())["benchmarks"]) == len(NAMES)


def test_a_run_that_may_spend_enough_ends_as_any_other(fresh):
    assert fresh.run("--energy-max-kj=19").code == 0


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "much"])
def test_a_limit_that_is_no_energy_is_a_mistake(pytester, limit):
    pytester.makepyfile("def test_case(energy):\n    energy(dict)\n")

    result = pytester.runpytest_inprocess(f"--energy-max-kj={limit}", "--energy-autosave")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "results").exists()
