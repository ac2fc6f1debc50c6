"""Run pytest in processes of their own, in a project that is not ours, and read what they have left.

run = Foreign(folder).start("--energy-meters=cpu_model", env={"HOME": "/nowhere"})
run.wait_for("ready")        # a file that the project's test makes
code, said = run.end()
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from energy.records.validity import list_flags

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0  # to fail rather than to hang; nothing here takes a tenth of it
# These projects see no claims of other tests on this machine.
CONFTEST = """
from pathlib import Path

import energy.meters._watch.claims

energy.meters._watch.claims.FOLDER = Path({folder!r}) / "claims"
"""
# As if a counter of the machine's processors were open, which all its users share.
WITH_A_COUNTER = """
import energy.meters

energy.meters.billed = lambda counts: {f"cpu:{count.device}" for count in counts if count.domain == "cpu"}
"""


class Run:
    """One pytest process."""

    def __init__(self, folder, process):
        self.folder, self.process = folder, process

    @property
    def pid(self):
        return self.process.pid

    def wait_for(self, name):
        """Wait until the project's test has made this file."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.folder / name).exists():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline, f"{name} never came"
            time.sleep(0.02)

    def end(self):
        """Wait until the process and all that inherited its output have ended; return its code and output."""
        said, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, said


class Foreign:
    """A project of one test file in `folder`."""

    def __init__(self, folder, tests, conftest=""):
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST.format(folder=str(folder)) + conftest)
        (folder / "test_it.py").write_text(tests)

    def start(self, *options, meters="cpu_model", storage="out", env=None):
        """Start pytest; it finds the plugin as it does when joulebench is installed, or in this checkout."""
        plugin = () if _is_installed() else ("-p", "energy.plugin")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *options]
        asked = (f"--energy-meters={meters}", f"--energy-storage={storage}", "--energy-idle=0")
        asked += ("--energy-order=given",)
        return Run(
            self.folder,
            subprocess.Popen(
                [*command, *asked, "--energy-autosave"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(env or {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ),
        )

    def run(self, *options, **how):
        """Run pytest to its end; it must pass."""
        code, said = self.start(*options, **how).end()
        assert code == 0, said
        return said

    def records(self, storage="out"):
        """Return the records of the only run file, by case."""
        (path,) = (self.folder / storage).glob("*/*.json")
        benchmarks = json.loads(path.read_text())["benchmarks"]
        return {case["extra_info"]["energy"]["case"]: case["extra_info"]["energy"] for case in benchmarks}

    def journal(self, storage="out"):
        """Return the journal's events and cases, in order."""
        (path,) = (self.folder / storage).glob("*/journal.jsonl")
        events = [json.loads(line) for line in path.read_text().splitlines()]
        return [event["record"]["case"] if event["event"] == "case" else event["event"] for event in events]


def flags(record):
    """Return what speaks against a record."""
    return set(list_flags(record))


def _is_installed():
    from importlib.metadata import entry_points

    return bool(entry_points(group="pytest11", name="energy.plugin"))
