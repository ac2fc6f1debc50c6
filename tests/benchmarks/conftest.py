"""A Python that has imported torch and MONAI: that takes ten seconds, and many tests here run the suite."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.simulated.warm_python import WarmPython

ROOT = Path(__file__).parents[2]
# Prints [[exit code, what was printed, whether torch was imported by then], ...] in its last line.
SEVERAL = """
import contextlib, io, json, sys, pytest
said = []
for run in json.loads(sys.argv[1]):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = int(pytest.main(run))
    said.append((code, text.getvalue(), "torch" in sys.modules))
print(json.dumps(said))
"""


@pytest.fixture(scope="session")
def torch_python():
    libraries = (
        "pytest",
        "scipy.stats",
        "pandas",
        "hypothesis",
        "codecarbon",
        "cpuinfo",
        "torch._dynamo",
        "torchvision",
    )
    with WarmPython(*libraries, "monai.transforms", "monai.networks.nets") as python:
        yield python


@pytest.fixture(scope="session", autouse=True)
def _import_beside_the_first_tests(torch_python):
    """Let the second core import torch while tests that need no process run."""


@pytest.fixture(scope="session")
def environment(tmp_path_factory, drawn_phantom):
    """A user's cache folder, with the phantom in it, and no plugin that happens to be installed."""
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(drawn_phantom, cache / "joulebench" / drawn_phantom.name)
    return os.environ | {"XDG_CACHE_HOME": str(cache), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture(scope="session")
def journalled():
    """Return the records that a journal holds, without a line that is being written."""

    def read(storage):
        lines = [
            line
            for path in storage.glob("*/journal.jsonl")
            for line in path.read_text().splitlines(keepends=True)
        ]
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event["record"] for event in events if event["event"] == "case"]

    return read


@pytest.fixture
def run_several(environment, tmp_path):
    """Run pytest once for each list of arguments, all in one process; return code, text, is torch there."""

    def run(python, *runs):
        runs = [[f"--energy-storage={tmp_path / 'results'}", *run] for run in runs]
        done = python.run("-c", SEVERAL, json.dumps(runs), cwd=ROOT, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
