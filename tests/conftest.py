"""What every test stands on: meters that claim simulated devices disturb nobody who measures real ones."""

import gc
import os
import signal

import hypothesis
import pytest

from energy.__main__ import main
from energy.meters._watch import claims

# Threads that wait must sleep: beside other work, tests that train on two threads took seven times as long
# while these spun. libgomp reads this when torch is imported, in processes that tests start, too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No test asserts how long something takes: a first call may import scipy, for a second on a busy machine.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_finish():
    """Look no more at what was imported: each pytest that a test runs in here collects garbage ten times."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_claims(tmp_path_factory):
    # Not by `monkeypatch`, which would then be undone after every other fixture of the test.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "FOLDER", tmp_path_factory.getbasetemp() / "claims")
        yield


@pytest.fixture
def interruptible():
    """Let Ctrl-C end this process and its children, also where pytest was started in the background.

    A shell starts `pytest ... &` with SIGINT ignored, and children inherit that.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture
def joulebench(capsys):
    """The command line in this process: arguments go in; exit code, stdout and stderr come out."""

    def call(*arguments):
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def warm_python():
    """A Python with all that a run without torch imports, for tests that start many."""
    from tests.simulated.warm_python import WarmPython

    libraries = (
        "pytest",
        "pytest_benchmark.stats",
        "numpy",
        "scipy.stats",
        "psutil",
        "jsonschema_rs",
        "tomllib",
    )
    of_pytest = ("helpconfig", "junitxml", "pastebin", "setupplan", "skipping", "unittest", "warnings")
    libraries += tuple(f"_pytest.{name}" for name in (*of_pytest, "threadexception", "unraisableexception"))
    own = (
        "measuring.case", "measuring.run", "analysis.calibration", "analysis.compare.compare",
        "analysis.gates.confirm", "analysis.gates.judge", "records.storage.index",
        "report.terminal.comparison", "report.terminal.gates", "report.terminal.table",
    )  # fmt: skip
    with WarmPython(*libraries, *(f"energy.{name}" for name in own)) as python:
        yield python


@pytest.fixture(scope="session")
def drawn_phantom(tmp_path_factory):
    """The phantom in a cache folder, drawn once: that takes seconds."""
    from fixtures import phantom

    return phantom.ensure(tmp_path_factory.mktemp("phantom"))


@pytest.fixture
def no_charts(monkeypatch):
    """Charts take seconds, and tests of other things do without."""
    from energy.report import charts

    monkeypatch.setattr(charts, "draw", lambda *_: charts.Drawn((), ()))


@pytest.fixture
def data(tmp_path):
    """Slices of discs, 16 px wide, in train, val and test."""
    from tests.simulated.tiny_slices import slices  # here and below: most tests need neither torch nor these

    return slices(tmp_path)


@pytest.fixture
def small_network(monkeypatch):
    """Train a network of 85 weights under the name of a big one."""
    from tests.simulated.tiny_slices import network

    monkeypatch.setattr("zoo.model.build.create_network", network)


@pytest.fixture
def native_bf16(monkeypatch):
    """A CPU that has bf16 instructions, for tests of what bf16 computes; torch can emulate them."""
    from tests.simulated.cpu import replace_instructions

    replace_instructions(monkeypatch, has_bf16=True)


@pytest.fixture(scope="session")
def one():
    """What charts are drawn from: the machine that measures, alone."""
    from tests.simulated.reports import one_machine

    return one_machine()


@pytest.fixture(scope="session")
def three():
    """What charts are drawn from: machines that measure, mix and model."""
    from tests.simulated.reports import three_machines

    return three_machines()
