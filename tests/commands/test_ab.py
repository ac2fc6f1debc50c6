"""Two revisions in turns: real git, real pytest processes, a meter that counts work."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from energy.__main__ import main
from energy.commands import _revisions as revisions
from energy.commands import _visits as visits
from energy.commands._revisions import GitError, Revision, check_out

ROOT = Path(__file__).parents[2]
CONFTEST = """
import pytest
from tests.simulated.worker import World

world = World().patch(pytest.MonkeyPatch())

def pytest_configure(config):
    config.pluginmanager.register(world)
"""
# The package under test lies in src/, as that of many projects.
SUITE = """
import random
import pytest
from product import STEPS

@pytest.mark.energy_repeats(2)
@pytest.mark.parametrize("name", STEPS)
def test_case(energy, work, name):
    energy(work, STEPS[name] * random.Random(f"{energy.number} {name}").gauss(1.0, 0.005))
"""


def git(folder, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A project of two commits; the second does 10 % more work in one of five cases."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in (("pytest.ini", "[pytest]\n"), ("conftest.py", CONFTEST), ("test_it.py", SUITE)):
        (folder / name).write_text(text)
    for message, steps in (("one", 2000.0), ("two", 2200.0)):
        (folder / "src/product.py").write_text(
            f"STEPS = {{'a': 1e3, 'b': {steps}, 'c': 3e3, 'd': 4e3, 'e': 5e3}}\n"
        )
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", message)
    return folder


def environment(**changes):
    """Return that of a process without the plugins that happen to be installed, which take a second each."""
    alone = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return os.environ | alone | changes


def ab(folder, *arguments):
    command = [
        sys.executable,
        "-m",
        "energy",
        "ab",
        *arguments,
        "--",
        "-q",
        "--energy-idle=0",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )


def test_a_revision_that_does_more_work_is_told_from_the_one_before(repository):
    """What is not committed is in neither, and would end both."""
    (repository / "conftest.py").write_text("raise RuntimeError('not committed')\n")

    done = ab(repository, "HEAD~1", "HEAD", "--fail=total_kj:5%", "--storage=out")

    assert done.returncode == 10, done.stdout + done.stderr
    assert "10 regression: test_case[b] total_kj: worse by 10 %" in done.stdout
    assert "1 regression, 4 unchanged" in done.stdout
    runs = [json.loads(path.read_text()) for path in sorted(repository.glob("out/*/*.json"))]
    commits = [git(repository, "rev-parse", name) for name in ("HEAD~1", "HEAD")]
    order = "".join("AB"[commits.index(run["commit_info"]["id"])] for run in runs)
    assert order in ("ABBA", "BAAB")
    assert f"order {order}" in done.stderr
    assert "uncommitted changes" in done.stderr
    kj = [
        entry["extra_info"]["energy"]["metrics"]["total_kj"]["mean"]
        for run in runs
        for entry in run["benchmarks"]
        if entry["param"] == "test_case[b]"
    ]
    assert [round(value, 1) for value in kj] == [{"A": 2.0, "B": 2.2}[letter] for letter in order]
    assert git(repository, "worktree", "list").count("\n") == 0
    assert git(repository, "status", "--porcelain").splitlines() == ["M conftest.py", "?? out/"]


@pytest.mark.slow
def test_a_revision_against_itself_is_unchanged(repository):
    done = ab(
        repository, "HEAD", "main", "--fail=total_kj:5%", "--fail=session:4%", "--storage=out", "--strict"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 unchanged" in done.stdout


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.slow
def test_an_interruption_leaves_no_checkout_behind(repository, tmp_path, end):
    (repository / "test_it.py").write_text(f"""
import time, pathlib

def test_case(energy):
    pathlib.Path({str(tmp_path / "begun")!r}).touch()
    time.sleep(60)
""")
    git(repository, "commit", "-q", "-a", "-m", "waits")
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, "-m", "energy", "ab", "HEAD", "HEAD", "--storage=out", "--", "--energy-idle=0"]
    running = subprocess.Popen(
        command,
        cwd=repository,
        env=environment(TMPDIR=str(tmp_path / "scratch")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)

    # Ctrl-C reaches every process of the terminal, SIGTERM the one that was named.
    os.killpg(running.pid, end) if end == signal.SIGINT else running.send_signal(end)

    _, complaint = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in complaint
    assert list((tmp_path / "scratch").glob("joulebench-ab-*")) == []
    assert git(repository, "worktree", "list").count("\n") == 0


def test_checkouts_are_of_their_revisions_and_gone_afterwards(repository):
    with check_out(repository, ["HEAD~1", "main"]) as (folder, (first, second)):
        texts = [(revision.folder / "src/product.py").read_text() for revision in (first, second)]
        assert ["2200" in text for text in texts] == [False, True]

    assert not folder.exists()
    assert git(repository, "worktree", "list").count("\n") == 0


def test_checkouts_are_gone_after_an_error_too_and_those_of_others_stay(repository, tmp_path):
    git(repository, "worktree", "add", "--detach", str(tmp_path / "mine"), "HEAD")
    (tmp_path / "mine").rename(tmp_path / "elsewhere")  # as on a disk that is not there now

    with pytest.raises(KeyError), check_out(repository, ["HEAD~1", "HEAD"]) as (folder, _):
        raise KeyError

    assert not folder.exists()
    assert "mine" in git(repository, "worktree", "list")
    assert git(repository, "worktree", "list").count("\n") == 1


@pytest.mark.parametrize("name", ["no-such-branch", "--help", "HEAD:src"])
def test_what_is_no_revision_is_refused_by_name(repository, name):
    with pytest.raises(GitError, match=name):
        revisions.find_commit(repository, name)


def test_the_first_side_is_drawn_and_rounds_alternate():
    drawn = Counter(visits.draw_visits(3) for _ in range(200))

    assert set(drawn) == {"ABBABAABABBA", "BAABABBABAAB"}
    assert min(drawn.values()) > 50  # 200 fair draws: 100, standard deviation 7


def test_the_instrument_stands_before_the_checkout_and_that_before_what_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "given")
    revision = Revision("main", "0" * 40, tmp_path / "a")
    plan = visits.VisitPlan(Path(), (), tmp_path, tmp_path / "instrument", tmp_path)

    path = visits._environment(revision, plan)["PYTHONPATH"].split(os.pathsep)

    assert path == [*map(str, (tmp_path / "instrument", tmp_path / "a/src", tmp_path / "a")), "given"]


def test_the_instrument_is_this_package_alone(tmp_path):
    folder = revisions.copy_instrument(tmp_path)

    code = (
        "import energy; from energy.records import schema\n"
        "print(energy.__file__); schema.check_version({'schema': 1}, '')"
    )
    said = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment(PYTHONPATH=str(folder)),
        capture_output=True,
        text=True,
    )
    assert said.stdout.strip() == str(folder / "energy/__init__.py"), said.stderr
    assert [path.name for path in folder.iterdir()] == ["energy"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["HEAD", "no-such-branch"], "no-such-branch: no such revision"),
        (["HEAD"], "HEAD"),
        (["HEAD", "HEAD", "--rounds=0"], "--rounds 0"),
        (["HEAD", "HEAD", "--fail=total_kj:fast"], "total_kj:fast"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_4(repository, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(repository)

    assert main(["ab", *arguments]) == 4

    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_outside_a_repository_there_are_no_revisions(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert main(["ab", "HEAD", "HEAD"]) == 4

    assert "not a git repository" in capsys.readouterr().err


def test_a_visit_that_measures_nothing_is_named_with_its_exit_code(repository):
    (repository / "test_it.py").write_text("def broken(\n")
    git(repository, "commit", "-q", "-a", "-m", "broken")

    done = ab(repository, "HEAD", "HEAD", "--storage=out")

    assert done.returncode == 4
    assert "visit 1, HEAD (" in done.stderr
    assert "exit code 2" in done.stderr
    assert git(repository, "worktree", "list").count("\n") == 0
