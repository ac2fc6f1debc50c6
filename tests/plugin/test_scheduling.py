"""Repeats one by one in random order, as pytest and the run's file show them; no GPU, no torch."""

import json
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
import scipy.special  # noqa: F401 (pytester forgets what a run inside imports, and numpy can be imported once)

from energy.__main__ import main
from energy.plugin.hookspecs import Schedule
from tests.simulated.worker import World

SUITE = """
import pytest

@pytest.mark.energy_repeats(3)
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_case(energy, work, name):
    energy.describe(budget={"seeds": [5, 6, 7]})
    energy(work, 1000.0 * energy.number)
"""
NAMES = [f"test_case[{name}]" for name in "abcd"]


@pytest.fixture
def world(monkeypatch):
    return World().patch(monkeypatch)


@pytest.fixture
def project(pytester, world):
    """Run pytest in this process, in a project of its own."""
    pytester.makeini("[pytest]\n")

    def run(*options, plugins=()):
        quiet = ("-p", "energy.plugin", "--energy-idle=0", "--energy-storage=out")
        return pytester.runpytest_inprocess(
            *quiet, *options, no_reraise_ctrlc=True, plugins=[world, *plugins]
        )

    run.path = pytester.path
    run.write = pytester.makepyfile
    return run


def newest(project):
    """Return the newest run file."""
    return json.loads(max((project.path / "out").glob("*/*.json")).read_text())


def records(project):
    return {
        entry["extra_info"]["energy"]["case"]: entry["extra_info"]["energy"]
        for entry in newest(project)["benchmarks"]
    }


def journal(project):
    (path,) = (project.path / "out").glob("*/journal.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [(e["event"], e["record"]["case"], e.get("number")) for e in events if "record" in e]


def test_a_case_of_three_repeats_is_one_test_to_pytest_and_one_record(project, world):
    project.write(SUITE)

    result = project("--energy-autosave", "--junitxml=j.xml", "-v")

    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*repeat 3 of 3*")
    result.stdout.fnmatch_lines(["energy: 4 cases, 12 repeats one by one, --energy-order=random:*"])
    assert len(ET.parse(project.path / "j.xml").findall(".//testcase")) == 4
    made = records(project)
    assert list(made) == NAMES
    for record in made.values():
        assert record["metrics"]["total_kj"]["values"] == pytest.approx([1.0, 2.0, 3.0])
        assert record["metrics"]["total_kj"]["ci95"] is not None
        assert record["budget"]["seeds"] == [5, 6, 7]
        assert record["node"].endswith(f"::{record['case']}")
    assert Counter(world.did) == Counter((name, n) for name in NAMES for n in (1, 2, 3))


def test_repeats_are_interleaved_in_blocks_and_the_file_says_in_which_order(project, world):
    project.write(SUITE)

    project("--energy-autosave", "--energy-order=random:2")

    blocks = [world.did[start : start + 4] for start in (0, 4, 8)]
    assert [{number for _, number in block} for block in blocks] == [{1}, {2}, {3}]
    assert all({name for name, _ in block} == set(NAMES) for block in blocks)
    assert [name for name, _ in blocks[0]] != NAMES
    order = newest(project)["energy"]["order"]
    assert order == {"rule": "random:2", "measured": [list(place) for place in world.did]}


def test_without_a_word_the_order_is_random_and_can_be_had_again(project, world):
    project.write(SUITE)
    project("--energy-autosave")
    rule = newest(project)["energy"]["order"]["rule"]
    first, world.did = world.did, []

    project("--energy-autosave", f"--energy-order={rule}")

    assert rule.startswith("random:")
    assert world.did == first


def test_cases_of_one_repeat_are_shuffled_too_and_shown_as_collected(project, world):
    project.write(SUITE.replace("energy_repeats(3)", "energy_repeats(1)").replace("[5, 6, 7]", "[5]"))

    result = project("--energy-json=run.json", "--energy-order=random:1")

    assert [name for name, _ in world.did] != NAMES
    result.stdout.fnmatch_lines([f"{name.replace('[', '[[]')}*" for name in NAMES])
    entries = json.loads((project.path / "run.json").read_text())["benchmarks"]
    assert [entry["param"] for entry in entries] == NAMES


def test_the_order_given_is_that_of_collection_in_every_block(project, world):
    project.write(SUITE)

    project("--energy-order=given")

    assert world.did == [(name, number) for number in (1, 2, 3) for name in NAMES]


FAILS = """
import pytest

@pytest.mark.energy_repeats(3)
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_case(energy, work, name):
    energy.describe(budget={"seeds": [5, 6, 7]})
    energy(work)
    if name == "b" and energy.number == 2:
        raise FloatingPointError("loss is nan")
"""


def test_a_repeat_that_fails_ends_its_case_with_what_had_ended_before(project, world):
    project.write(FAILS)

    result = project("--energy-autosave", "--junitxml=j.xml")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*FloatingPointError: loss is nan", "FAILED *::test_case[[]b]*"])
    assert ("test_case[b]", 3) not in world.did
    assert len(world.did) == 11
    assert len(ET.parse(project.path / "j.xml").findall(".//testcase")) == 4
    failed = records(project)["test_case[b]"]
    assert (failed["status"], failed["metrics"]) == ("diverged", {})
    assert failed["error"]["message"] == "loss is nan"
    assert len(failed["epochs"]) == 2  # the window itself had ended in the second repeat, too
    assert all(records(project)[name]["status"] == "ok" for name in NAMES if name != "test_case[b]")


def test_last_failed_runs_the_failed_case_again_with_all_its_repeats(project, world):
    project.write(FAILS)
    project()
    world.did.clear()

    result = project("--lf")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["run-last-failure: rerun previous 1 failure*"])
    assert world.did == [("test_case[b]", 1), ("test_case[b]", 2)]


def test_after_the_first_failure_the_other_cases_are_cut_short(project, world):
    project.write(FAILS)

    result = project("-x", "--energy-autosave", "--energy-order=given")

    result.assert_outcomes(failed=1)
    made = records(project)
    assert {name: record["status"] for name, record in made.items()} == {
        "test_case[a]": "interrupted",
        "test_case[b]": "diverged",
        "test_case[c]": "interrupted",
        "test_case[d]": "interrupted",
    }
    assert made["test_case[a]"]["error"]["message"] == "the run ended after 2 of 3 repeats"
    assert made["test_case[d]"]["error"]["message"] == "the run ended after 1 of 3 repeats"


def test_a_case_that_cannot_run_here_is_skipped_once(project, world):
    project.write("""
    import pytest

    @pytest.mark.energy_repeats(3)
    def test_skipped(energy):
        pytest.skip("no such hardware")

    @pytest.mark.skip(reason="by its marker")
    @pytest.mark.energy_repeats(3)
    def test_marked(energy, work):
        energy(work)
    """)

    result = project("--energy-autosave", "-rs")

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*no such hardware*"])
    assert world.did == []
    assert not list(project.path.glob("out/*/*.json"))


def test_fixtures_of_a_case_that_was_given_up_are_torn_down_before_another_module(project, world):
    """The next repeat of a failed case is what its fixtures are kept for; it never comes."""
    suite = """
    import pytest

    @pytest.fixture(scope="module")
    def own(request, work_log):
        work_log.append("up " + __name__)
        yield
        work_log.append("down " + __name__)

    @pytest.mark.energy_repeats({repeats})
    def test_case(energy, own):
        energy(dict)
        assert {passes}
    """
    project.write(
        test_one=suite.format(repeats=3, passes="energy.number < 2"),
        test_two=suite.format(repeats=1, passes=True),
    )
    log = []

    class Log:
        @pytest.fixture(scope="session")
        def work_log(self):
            return log

    result = project("--energy-order=given", plugins=[Log()])

    result.assert_outcomes(failed=1, passed=1)
    # Block 1: one, two. Block 2: one again, which fails. Block 3 is left out.
    assert log == [
        "up test_one",
        "down test_one",
        "up test_two",
        "down test_two",
        "up test_one",
        "down test_one",
    ]


def test_left_out_repeats_in_a_row_leave_no_fixture_behind(project, world):
    project.write(
        test_one="""
        import pytest

        @pytest.fixture(scope="module")
        def own():
            yield
            raise RuntimeError("torn down")

        @pytest.mark.energy_repeats(4)
        def test_fails(energy, own):
            assert energy.number < 2

        def test_plain():
            pass
        """,
        test_two="""
        def test_other():
            pass
        """,
    )

    result = project("--energy-order=given")

    # Once after the first block and once after the repeat that failed, whose successors never come.
    result.assert_outcomes(failed=1, passed=2, errors=2)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_plain*", "*ERROR at teardown of test_fails*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_collecting_and_planning_show_every_case_once(project, world):
    project.write(SUITE)

    listed = project("--collect-only", "-q")
    planned = project("--energy-dry-run")

    assert [line.rpartition("::")[2] for line in listed.outlines if "::" in line] == NAMES
    planned.stdout.fnmatch_lines(["*4 cases*"])
    assert sum("test_case[" in line for line in planned.outlines) == 4
    assert world.did == []


def test_a_selected_case_has_all_its_repeats(project, world):
    project.write(SUITE)

    project("-k", "c]").assert_outcomes(passed=1, deselected=3)

    assert world.did == [("test_case[c]", number) for number in (1, 2, 3)]


def test_the_time_of_a_case_is_that_of_all_its_repeats(project, pytester, world):
    project.write("""
    import time, pytest

    @pytest.mark.energy_repeats(3)
    def test_case(energy):
        energy(time.sleep, 0.03)
    """)

    project("--junitxml=j.xml", "--energy-json=run.json")

    spent = json.loads((project.path / "run.json").read_text())["benchmarks"][0]["stats"]["total"]
    assert spent >= 0.09
    assert float(ET.parse(project.path / "j.xml").find(".//testcase").get("time")) >= spent


def test_tests_without_the_fixture_stay_where_they_were(project, world):
    project.write("""
    import pytest

    ORDER = []

    def test_first():
        ORDER.append("first")

    @pytest.mark.energy_repeats(2)
    def test_case(energy, work):
        ORDER.append(energy.number)
        energy(work)

    def test_second():
        ORDER.append("second")
        assert ORDER == ["first", 1, "second"]
    """)

    project().assert_outcomes(passed=3)


def test_calls_in_one_test_are_repeats_in_a_row_as_ever(project, world):
    project.write("""
    def test_case(energy, work):
        energy(work)
        energy(work)
    """)

    project("--energy-autosave").assert_outcomes(passed=1)

    assert records(project)["test_case"]["metrics"]["total_kj"]["values"] == pytest.approx([1.0, 1.0])
    assert newest(project)["energy"]["order"]["measured"] == [["test_case", 1], ["test_case", 2]]


def test_a_suite_can_say_what_comes_first_and_last(project, world):
    project.write(SUITE)

    class Places:
        def pytest_energy_schedule(self, item):
            place = {"test_case[c]": "first", "test_case[a]": "last"}.get(item.name, "anywhere")
            return Schedule(2, place)

    project("--energy-order=given", plugins=[Places()])

    block = ["test_case[c]", "test_case[b]", "test_case[d]"]
    assert world.did == [
        *((name, 1) for name in block),
        *((name, 2) for name in block),
        ("test_case[a]", 1),
        ("test_case[a]", 2),
    ]


@pytest.mark.parametrize("given", ["0", "-1", "'3'", "2, 3", "n=2", ""])
def test_a_marker_that_makes_no_sense_costs_a_second(project, world, given):
    project.write(f"""
    import pytest

    @pytest.mark.energy_repeats({given})
    def test_case(energy, work):
        energy(work)
    """)

    result = project()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "expected one whole number, 1 or more" in result.stdout.str() + result.stderr.str()
    assert world.did == []


@pytest.mark.parametrize(
    "option",
    [
        "--energy-order=up",
        "--energy-shard=0/3",
        "--energy-shard=4/3",
        "--energy-cool-to=500",
        "--energy-cool-max=-1",
    ],
)
def test_a_wrong_option_ends_the_run_at_once(project, world, option):
    project.write(SUITE)

    result = project(option)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert option.replace("=", " ") in result.stdout.str() + result.stderr.str()


RESUMED = """
import os, pytest

KEYS = {"hardware": "h", "software": "s", "data": "d", "case": "c"}
SEEDS = [1, 2, 3]

@pytest.mark.energy_repeats(3)
@pytest.mark.parametrize("name", ["a", "b"])
def test_case(energy, energy_run, work, name):
    energy.describe(keys=KEYS, budget={"seeds": SEEDS})
    earlier = energy_run.recorder
    if earlier.reuse(energy.name, KEYS, seeds=SEEDS) or earlier.reuse_repeat(energy, KEYS, seeds=SEEDS):
        pytest.skip("finished before")
    if energy.number == 2 and name == "b" and not os.path.exists("once"):
        open("once", "w").close()
        END
    energy(work)
"""


# Ends the run once every other case is at its end.
ENDS = """
@pytest.mark.energy_repeats(4)
def test_end(energy):
    if energy.number == 4:
        raise KeyboardInterrupt
"""


@pytest.mark.parametrize("order", ["given", "random:3"])
def test_a_run_that_ctrl_c_ended_goes_on_at_the_repeat(project, world, order):
    project.write(RESUMED.replace("END", "raise KeyboardInterrupt"))
    assert project("--energy-autosave", "--energy-order=given").ret == pytest.ExitCode.INTERRUPTED
    assert world.did == [("test_case[a]", 1), ("test_case[b]", 1), ("test_case[a]", 2)]
    assert {record["status"] for record in records(project).values()} == {"interrupted"}
    world.did.clear()

    resumed = project("--energy-autosave", "--energy-resume", f"--energy-order={order}")

    resumed.assert_outcomes(passed=2)
    assert sorted(world.did) == [("test_case[a]", 3), ("test_case[b]", 2), ("test_case[b]", 3)]
    made = records(project)
    assert list(made) == ["test_case[a]", "test_case[b]"]
    for record in made.values():
        assert record["status"] == "ok"
        assert record["metrics"]["total_kj"]["values"] == pytest.approx([1.0, 1.0, 1.0])
    measured = [tuple(place) for place in newest(project)["energy"]["order"]["measured"]]
    assert measured[:4] == [
        ("test_case[a]", 1),
        ("test_case[b]", 1),
        ("test_case[a]", 2),
        ("test_case[b]", 2),
    ]
    assert measured[4:] == world.did


def test_kill_9_loses_the_repeat_in_progress_only(project, pytester, world, monkeypatch):
    """In a process of its own: the journal has the repeats, and the resumed run takes them over."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    project.write(
        RESUMED.replace("END", "os.kill(os.getpid(), 9)")
        .replace("work", "tmp_path")
        .replace("energy(tmp_path)", "energy(dict)")
    )
    options = ("-p", "energy.plugin", "--energy-idle=0", "--energy-storage=out", "--energy-meters=cpu_model")
    options += ("--energy-autosave", "--energy-order=given", "-p", "no:cacheprovider")

    assert pytester.runpytest_subprocess(*options).ret == -9

    begun = [("repeat", "test_case[a]", 1), ("repeat", "test_case[b]", 1), ("repeat", "test_case[a]", 2)]
    assert journal(project) == begun

    pytester.runpytest_subprocess(*options, "--energy-resume").assert_outcomes(passed=2)

    assert journal(project) == [
        *begun,
        ("repeat", "test_case[b]", 2),
        ("repeat", "test_case[a]", 3),
        ("case", "test_case[a]", None),
        ("repeat", "test_case[b]", 3),
        ("case", "test_case[b]", None),
    ]
    assert {name: len(record["epochs"]) for name, record in records(project).items()} == {
        "test_case[a]": 3,
        "test_case[b]": 3,
    }


def test_a_resumed_case_that_is_whole_is_skipped_once(project, world):
    project.write(RESUMED.replace("END", "pass") + ENDS)
    project("--energy-autosave")
    world.did.clear()

    resumed = project("--energy-autosave", "--energy-resume", "-k", "test_case", "-rs")

    resumed.assert_outcomes(skipped=2)
    assert world.did == []


def test_repeats_under_other_keys_are_measured_again(project, world):
    project.write(RESUMED.replace("END", "raise KeyboardInterrupt"))
    project("--energy-autosave", "--energy-order=given")
    project.write(RESUMED.replace("END", "pass").replace('"c"}', '"other"}'))
    world.did.clear()

    project("--energy-autosave", "--energy-resume").assert_outcomes(passed=2)

    assert len(world.did) == 6


def test_the_repeats_of_an_alarmed_case_are_all_measured_again(project, world):
    project.write(SUITE.replace("* energy.number", "+ energy.number"))
    project("--energy-save=base")
    world.factors["test_case[b]"] = 1.2
    world.did.clear()

    result = project("--energy-compare=base", "--energy-fail=total_kj:5%", "--energy-confirm", "-v")

    assert result.ret == 10, result.stdout.str()
    again = world.did[12:]
    assert {("test_case[b]", number) for number in (1, 2, 3)} <= set(again)
    assert len(again) % 3 == 0


def test_an_alarmed_case_that_an_earlier_part_of_the_run_had_measured_is_measured_again(project, world):
    suite = RESUMED.replace('name == "b"', "False").replace(
        "energy(work)", "energy(work, 1000.0 + energy.number)"
    )
    project.write(suite)
    project("--energy-save=base")
    world.factors["test_case[b]"] = 1.2
    project.write(suite + ENDS)
    project("--energy-autosave")
    world.did.clear()
    gates = ("--energy-compare=base", "--energy-fail=total_kj:5%", "--energy-confirm")

    resumed = project("--energy-autosave", "--energy-resume", "-k", "test_case", *gates)

    resumed.assert_outcomes(passed=2, skipped=2)
    assert set(world.did) >= {("test_case[b]", number) for number in (1, 2, 3)}


def test_a_mark_that_a_conftest_adds_is_on_every_repeat(project, world):
    project.write("""
    def test_case(request, energy, work):
        assert request.node.get_closest_marker("added") is not None
        energy(work)
    """)

    class Adds:
        def pytest_collection_modifyitems(self, items):
            for item in items:
                item.add_marker(pytest.mark.added)

        def pytest_energy_schedule(self):
            return Schedule(3)

    project("-o", "markers=added: by a conftest", plugins=[Adds()]).assert_outcomes(passed=1)
    assert len(world.did) == 3


def test_shards_are_parts_of_the_whole_and_merge_to_it(project, world, monkeypatch, capsys):
    project.write(SUITE)
    for number in (1, 2, 3):
        project(f"--energy-shard={number}/3", f"--energy-save=part{number}")
    parts = [{name for name, _ in world.did if name in NAMES}]

    runs = [json.loads(path.read_text()) for path in sorted((project.path / "out").glob("*/*part*.json"))]
    shown = [[entry["param"] for entry in run["benchmarks"]] for run in runs]
    assert sorted(name for names in shown for name in names) == NAMES
    assert [len(names) for names in shown] == [2, 1, 1]
    assert parts == [set(NAMES)]
    assert runs[1]["energy"]["shard"] == {"number": 2, "count": 3, "cases": NAMES}
    assert set(runs[0]["energy"]["selection"]["deselected"]) == set(NAMES) - set(shown[0])

    monkeypatch.chdir(project.path)
    assert main(["merge", "part1", "part2", "part3", "--storage=out", "--save=whole"]) == 0

    assert "3 runs, 4 cases" in capsys.readouterr().out
    whole = newest(project)
    assert [entry["param"] for entry in whole["benchmarks"]] == NAMES
    assert whole["energy"]["selection"]["deselected"] == []


def test_where_a_chip_stays_hot_the_record_is_flagged_and_says_how_hot(project, world, monkeypatch):
    project.write("""
    def test_case(energy, work):
        energy(work)
    """)
    answers = iter([30.0])
    monkeypatch.setattr("energy.measuring.cooling.temperatures", lambda _: {"GPU-0": next(answers, 80.0)})
    monkeypatch.setattr("energy.measuring.cooling.POLL_SECONDS", 0.01)

    result = project("--energy-autosave", "--energy-cool-max=0.5")

    result.stdout.fnmatch_lines(["*GPU-0 has 80 °C; waiting for 40 °C*"])
    record = records(project)["test_case"]
    assert record["validity"] == {"ok": False, "invalid": ["warm_start"], "notes": []}
    (state,) = record["machine"]["states"]
    assert (state["cooling"]["after_c"], state["cooling"]["limit_c"]) == (80.0, 40.0)
    assert record["metrics"]["seconds"]["mean"] < state["cooling"]["waited_seconds"]
