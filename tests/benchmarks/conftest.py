"""A Python that has imported torch and MONAI: that takes ten seconds, and many tests here run the suite."""

import json
import os

import pytest

from tests.simulated.warm_python import WarmPython


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


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """A user's cache folder, where the phantom is drawn once, and no plugin that happens to be installed."""
    cache = tmp_path_factory.mktemp("cache")
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
