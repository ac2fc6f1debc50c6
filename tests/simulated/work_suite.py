"""A project of six cases whose joules are in closed form, run by real pytest processes of WarmPython.

suite = WorkSuite(folder, warm_python)
done = suite.run("--energy-fail=total_kj:5%", factors={"c": 1.1})
assert done.code == 10
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

from tests.simulated.work_meter import SUITE

ROOT = Path(__file__).parents[2]
CONFTEST = "from tests.simulated.work_meter import install\ninstall()\n"
OPTIONS = ("-p", "energy.plugin", "-p", "no:cacheprovider", "--energy-idle=0", "--energy-storage=results")


class Done(NamedTuple):
    """What a process said and how it ended."""

    code: int
    said: str


class WorkSuite:
    """The project in `folder`; each run is another session of the same world unless told otherwise."""

    def __init__(self, folder, python, tests=SUITE, conftest=""):
        self.folder, self.python = folder, python
        self.session = 0
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST + conftest)
        (folder / "test_it.py").write_text(tests)

    def run(self, *options, save=True, **world):
        """Run pytest in this world, which is quiet and even unless told otherwise."""
        self.session += 1
        (self.folder / "world.json").write_text(json.dumps({"session": self.session} | world))
        saving = ("--energy-autosave",) if save else ()
        return self.process("-m", "pytest", *OPTIONS, *saving, *options)

    def energy(self, *arguments):
        """Run a command of joulebench."""
        return self.process("-m", "energy", *arguments)

    def process(self, *arguments):
        """Run Python, without the plugins that happen to be installed."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        done = self.python.run(*arguments, cwd=self.folder, env=environment, merged=True)
        return Done(done.returncode, done.stdout)

    def files(self):
        """Return the run files, oldest first."""
        return sorted((self.folder / "results").glob("*/*_*.json"))

    def block(self, number=-1):
        """Return the file-level block of a run file."""
        return json.loads(self.files()[number].read_text())["energy"]
