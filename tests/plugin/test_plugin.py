"""The plugin in somebody else's project: a plain function, and every way in which a case can end."""

import json
import os

import pytest

from tests.simulated.worker import World

QUICK = (
    "-p",
    "energy.plugin",
    "--energy-meters=cpu_model",
    "--energy-idle=0",
    "--energy-storage=out",
    "--energy-order=given",
    "-p",
    "no:cacheprovider",
)
CODECARBON = "--energy-meters=codecarbon"  # takes seconds to import
MODELS = "--energy-meters=cpu_model,ram_model"  # know CPU and memory on every machine
SORTS = """
def test_sorting(energy):
    assert energy(sorted, [3, 1, 2]) == [1, 2, 3]
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A project of its own, outside this checkout, without the plugins that happen to be installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\n")
    return pytester


@pytest.fixture
def simulated(project, monkeypatch):
    """Run the project's tests in this process, on a machine whose only meter counts work."""
    world = World().patch(monkeypatch)
    return lambda *options: project.runpytest_inprocess(
        *QUICK, *options, no_reraise_ctrlc=True, plugins=[world]
    )


def run(project, *options):
    """Run pytest in this process, up to where a meter is opened."""
    return project.runpytest_inprocess(*QUICK, *options)


@pytest.fixture
def run_alone(project, warm_python):
    """Run pytest in a process of its own, which may be interrupted or killed."""

    def run(*options):
        done = warm_python.run("-m", "pytest", *QUICK, *options, cwd=project.path, env=os.environ)
        return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0.0)

    return run


def records(project):
    """Return the records of the only run file."""
    (path,) = (project.path / "out").glob("*/*.json")
    return [case["extra_info"]["energy"] for case in json.loads(path.read_text())["benchmarks"]]


def journalled(project):
    """Return the records that the journal holds."""
    (path,) = (project.path / "out").glob("*/journal.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [event["record"] for event in events if event["event"] == "case"]


def test_a_function_that_sorts_a_list_is_measured(project, run_alone):
    project.makepyfile(SORTS)

    result = run_alone(MODELS, "--energy-autosave")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_sorting*modelled*", "written: *out*"])
    (record,) = records(project)
    assert record["case"] == "test_sorting"
    assert record["status"] == "ok"
    assert record["metrics"]["total_kj"]["mean"] > 0
    assert {domain["kind"] for domain in record["domains"]} == {"modelled"}


def test_a_test_that_changes_its_folder_changes_nothing_about_the_files(project, simulated):
    project.makepyfile("""
        import os

        def test_elsewhere(energy, tmp_path):
            os.chdir(tmp_path)
            energy(sorted, [3, 1, 2])
        """)

    result = simulated("--energy-autosave", "--energy-json=run.json")

    result.assert_outcomes(passed=1)
    assert [record["case"] for record in records(project)] == ["test_elsewhere"]
    assert (project.path / "run.json").exists()


def test_a_case_is_named_by_its_test_so_that_two_with_equal_parameters_stay_two(project, simulated):
    project.makepyfile("""
        import pytest

        @pytest.mark.parametrize("text", ["", "abc"])
        def test_sorting(energy, text):
            energy(sorted, text)
        """)

    simulated("--energy-autosave").assert_outcomes(passed=2)

    assert [record["case"] for record in records(project)] == ["test_sorting[]", "test_sorting[abc]"]


def test_a_json_file_can_be_asked_for_alone_and_nothing_else_is_written(project, simulated):
    project.makepyfile(SORTS)

    simulated("--energy-json=here/run.json").assert_outcomes(passed=1)

    assert len(json.loads((project.path / "here/run.json").read_text())["benchmarks"]) == 1
    assert not (project.path / "out").exists()


def test_warnings_as_errors_do_no_harm(project):
    project.makepyfile(SORTS)

    project.runpytest_subprocess(*QUICK, CODECARBON, "-W", "error").assert_outcomes(passed=1)

    assert not (project.path / "out").exists()  # where nothing is to be saved, nothing is


def test_the_record_names_no_folder_of_the_user(project, tmp_path, run_alone):
    project.makepyfile(SORTS)

    run_alone("--energy-autosave", f"--basetemp={tmp_path / 'mine'}").assert_outcomes(passed=1)

    (path,) = (project.path / "out").glob("*/*.json")
    command = json.loads(path.read_text())["energy"]["command"]
    assert "--basetemp=mine" in command
    assert str(tmp_path) not in path.read_text()


def test_junit_gets_the_figures(project, simulated):
    project.makepyfile(SORTS)

    simulated("--junitxml=junit.xml").assert_outcomes(passed=1)

    assert 'property name="total_kj"' in (project.path / "junit.xml").read_text()


def test_a_case_that_fails_leaves_a_record_that_says_how(project, simulated):
    ends = {
        "ValueError('no')": "error",
        "AssertionError('no')": "error",
        "MemoryError()": "oom",
        "RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')": "oom",
        "FloatingPointError('loss is nan')": "diverged",
    }
    tests = [f"def test_{n}(energy):\n    energy(sorted, [1])\n    raise {end}" for n, end in enumerate(ends)]
    project.makepyfile("\n\n".join(tests))

    simulated("--energy-autosave").assert_outcomes(failed=len(ends))

    found = records(project)
    assert [record["status"] for record in found] == list(ends.values())
    for record, end in zip(found, ends, strict=True):
        assert record["metrics"] == {}
        assert record["error"]["type"] in end


def test_a_skipped_case_leaves_no_record(project, simulated):
    project.makepyfile("import pytest\ndef test_not_here(energy):\n    pytest.skip('no such hardware')\n")

    result = simulated("--energy-autosave", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no such hardware*"])
    assert not list((project.path / "out").glob("*/*.json"))


TWO_CASES = """
import os, signal, time

def test_first(energy):
    energy(sorted, [1])

def test_second(energy):
    energy(end)

def end():
    {end}

def test_third(energy):
    energy(sorted, [1])
"""


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
        "os.kill(os.getpid(), 15); time.sleep(9)",
        "try: os.kill(os.getpid(), 15); time.sleep(9)\n    finally: raise RuntimeError('a worker died')",
        "class Deaf:\n        def __del__(self): os.kill(os.getpid(), 15)\n"
        "    Deaf(); [time.sleep(0.1) for _ in range(600)]",
    ],
    ids=["SIGINT", "SIGTERM", "SIGTERM that workers got, too", "SIGTERM that a destructor swallowed"],
)
@pytest.mark.usefixtures("interruptible")
def test_an_interruption_loses_the_case_in_progress_only(project, end, run_alone):
    project.makepyfile(TWO_CASES.format(end=end))

    result = run_alone("--energy-autosave")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [(record["case"], record["status"]) for record in records(project)] == [
        ("test_first", "ok"),
        ("test_second", "interrupted"),
    ]


@pytest.mark.usefixtures("interruptible")
def test_a_sigterm_that_the_test_swallowed_ends_the_run_once_its_case_is_over(project, run_alone):
    project.makepyfile(
        TWO_CASES.format(end="try: os.kill(os.getpid(), 15)\n    except KeyboardInterrupt: pass")
    )

    result = run_alone("--energy-autosave")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [(record["case"], record["status"]) for record in records(project)] == [
        ("test_first", "ok"),
        ("test_second", "ok"),
    ]


def test_kill_9_loses_the_case_in_progress_only_and_the_run_can_be_resumed(project, run_alone):
    project.makepyfile("""
    import os, signal, pytest

    KEYS = {"hardware": "h", "software": "s", "data": "d", "case": "c"}

    def measure(energy, energy_run, function):
        energy.describe(keys=KEYS)
        if energy_run.recorder.reuse(energy.name, KEYS):
            pytest.skip("finished before")
        energy(function)

    def test_first(energy, energy_run):
        measure(energy, energy_run, dict)

    def test_second(energy, energy_run):
        measure(energy, energy_run, killed)

    def killed():
        if not os.path.exists("once"):
            open("once", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    """)

    killed = run_alone("--energy-autosave")

    assert killed.ret == -9
    assert [record["case"] for record in journalled(project)] == ["test_first"]

    resumed = run_alone("--energy-autosave", "--energy-resume")

    resumed.assert_outcomes(passed=1, skipped=1)
    assert [(record["case"], record["status"]) for record in records(project)] == [
        ("test_first", "ok"),
        ("test_second", "ok"),
    ]
    assert [record["case"] for record in journalled(project)] == ["test_first", "test_second"]


@pytest.mark.parametrize(
    ("end", "options", "code"),
    [
        ("raise KeyboardInterrupt", (), pytest.ExitCode.INTERRUPTED),
        ("pytest.fail('broken')", ("-x",), pytest.ExitCode.TESTS_FAILED),
    ],
    ids=["Ctrl-C", "-x"],
)
def test_a_run_that_ended_before_its_end_can_be_resumed(project, simulated, end, options, code):
    project.makepyfile(f"""
    import os, pytest

    KEYS = {{"hardware": "h", "software": "s", "data": "d", "case": "c"}}

    @pytest.mark.parametrize("name", ["first", "second"])
    def test_case(name, energy, energy_run):
        energy.describe(keys=KEYS)
        if energy_run.recorder.reuse(energy.name, KEYS):
            pytest.skip("finished before")
        if name == "second" and not os.path.exists("once"):
            open("once", "w").close()
            {end}
        energy(dict)
    """)
    assert simulated("--energy-autosave", *options).ret == code

    resumed = simulated("--energy-autosave", "--energy-resume")

    resumed.assert_outcomes(passed=1, skipped=1)
    newest = max((project.path / "out").glob("*/*.json"))
    cases = [case["extra_info"]["energy"] for case in json.loads(newest.read_text())["benchmarks"]]
    assert {record["case"]: record["status"] for record in cases} == {
        "test_case[first]": "ok",
        "test_case[second]": "ok",
    }


def test_a_resumed_run_keeps_what_its_selection_leaves_out(project, simulated):
    project.makepyfile("""
    def test_first(energy):
        energy(dict)

    def test_second(energy):
        raise KeyboardInterrupt

    def test_third(energy):
        energy(dict)
    """)
    simulated("--energy-autosave")

    simulated("--energy-autosave", "--energy-resume", "-k", "third").assert_outcomes(passed=1)

    newest = max((project.path / "out").glob("*/*.json"))
    cases = [case["extra_info"]["energy"] for case in json.loads(newest.read_text())["benchmarks"]]
    assert {record["case"]: record["status"] for record in cases} == {"test_first": "ok", "test_third": "ok"}


def test_a_misspelt_metric_fails_the_case_and_names_the_nearest(project, simulated):
    project.makepyfile("""
    def test_case(energy):
        with energy.window() as repeat:
            pass
        repeat.observe(dcie=0.9)
    """)

    result = simulated()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*dcie*dice*"])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--energy-meters=nvmll", "did you mean nvml"),
        ("--energy-idle=-1", "--energy-idle -1: expected seconds"),
        ("--energy-idle=inf", "--energy-idle inf: expected seconds"),
        ("--energy-idle=nan", "--energy-idle nan: expected seconds"),
        ("--energy-save=" + "a" * 300, "300 letters, expected 200 or less"),
        ("--energy-shard=1/1000000000", "N at most 10000"),
        ("--energy-columns=dise", "dice"),
        ("--energy-sort=total_kjs", "total_kj"),
        ("--energy-save=my/run", "my/run"),
    ],
)
def test_a_wrong_option_ends_the_run_at_once_with_exit_code_4(project, option, said):
    project.makepyfile(test_sorts=SORTS)

    result = run(project, *option.split())

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    "option",
    [
        "--energy-json=test_sorts.py/run.json",
        "--energy-autosave --energy-storage=test_sorts.py",
        "--energy-json=../" + "test_sorts.py" * 30,
        "--energy-json=test_sorts.py.d",
    ],
)
def test_an_output_that_cannot_be_written_ends_the_run_before_anything_is_measured(
    project, simulated, option
):
    project.makepyfile(test_sorts=SORTS)
    project.mkdir("test_sorts.py.d")

    result = simulated(*option.split())

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_sorts.py" in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("factor", ["green", "nan", "inf", "-5"])
def test_a_wrong_grid_factor_is_named(project, factor):
    project.makeini(f"[pytest]\nenergy_grid_g_per_kwh = {factor}\n")
    project.makepyfile(SORTS)

    result = run(project)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*energy_grid_g_per_kwh = {factor}: expected grams of CO2 per kWh*"])


def test_co2_is_the_energy_times_the_grid_factor(project, simulated):
    project.makeini("[pytest]\nenergy_grid_g_per_kwh = 500\n")
    project.makepyfile("def test_working(energy, work):\n    energy(work, 7200.0)\n")

    simulated("--energy-autosave").assert_outcomes(passed=1)

    assert records(project)[0]["metrics"]["co2_g"]["mean"] == pytest.approx(7.2 / 3600 * 500)


def test_cases_side_by_side_fail_instead_of_sharing_joules(project):
    project.makepyfile(SORTS)

    result = project.runpytest_subprocess(*QUICK, "-p", "xdist", "-n", "1")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*share their joules: leave out pytest-xdist's -n*"])


def test_a_dry_run_lists_the_cases_and_runs_none(project):
    project.makepyfile(
        "def test_dear(energy):\n    raise AssertionError('ran')\n\ndef test_other():\n    pass\n"
    )

    result = run(project, "--energy-dry-run", "--energy-autosave")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*test_dear*no prediction*"])
    result.stdout.no_fnmatch_line("*test_other*")
    assert not (project.path / "out").exists()


def test_progress_without_a_terminal_is_at_most_one_line_per_tenth(project, simulated):
    project.makepyfile("""
    def test_long(energy, energy_live):
        for step in range(1, 1001):
            energy_live.progress(f"step {step} of 1000", step / 1000)
        energy(dict)
    """)

    result = simulated()

    lines = [line for line in result.outlines if line.startswith("step ")]
    assert 10 <= len(lines) <= 11
    assert "\x1b[2K" not in result.stdout.str()


def test_idle_power_is_measured_before_the_first_case(project, run_alone):
    project.makepyfile("import time\ndef test_waiting(energy):\n    energy(time.sleep, 0.5)\n")

    run_alone(MODELS, "--energy-autosave", "--energy-idle=0.5").assert_outcomes(passed=1)

    (path,) = (project.path / "out").glob("*/*.json")
    idle = json.loads(path.read_text())["energy"]["idle"]
    metrics = records(project)[0]["metrics"]
    assert idle["watts"]["total"] == pytest.approx(idle["watts"]["cpu"] + idle["watts"]["ram"])
    assert metrics["idle_kj"]["mean"] == pytest.approx(
        idle["watts"]["total"] * metrics["seconds"]["mean"] / 1000
    )
