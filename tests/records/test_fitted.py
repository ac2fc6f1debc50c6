"""Laws of CPUs that lie in a results folder."""

import json

import pytest

from energy.records.storage.fitted import find_laws

PROCESSOR = {"vendor": "AuthenticAMD", "family": 25, "model": 17, "stepping": 1}
LAW = {
    "source": "cpu_seconds_model",
    "origin": "fitted",
    "idle_watts_per_thread": [0.5, 0.7, 0.9],
    "joules_per": {"cpu_seconds": [1.0, 1.2, 1.5]},
}
BLOCK = {"processor": PROCESSOR, "threads": 8, "laws": [LAW], "unfitted": {}, "windows": []}


def put(root, machine, content):
    (root / machine).mkdir()
    text = content if isinstance(content, str) else json.dumps(content)
    (root / machine / "noise.json").write_text(text)


def test_the_laws_of_all_machines_are_found(tmp_path):
    put(tmp_path, "metal-8c-cpu-0001", {"schema": 1, "cpu_power": BLOCK})
    put(tmp_path, "other-2c-cpu-0002", {"schema": 1})

    laws, notes = find_laws(tmp_path)

    assert laws == [{"processor": PROCESSOR, "laws": [LAW]}]
    assert notes == []


def test_a_folder_that_is_not_there_has_none(tmp_path):
    assert find_laws(tmp_path / "nowhere") == ([], [])


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        {"cpu_power": {"laws": []}},
        {"cpu_power": BLOCK | {"laws": [LAW | {"joules_per": {"cpu_seconds": [1.0, 1.2]}}]}},
        {"cpu_power": BLOCK | {"laws": [LAW | {"idle_watts_per_thread": [0.9, 0.7, 0.5]}]}},
        {"cpu_power": BLOCK | {"laws": [LAW | {"idle_watts_per_thread": ["a", 1, 2]}]}},
        {"cpu_power": 3},
    ],
    ids=["no JSON", "no object", "no processor", "two ends", "ends the wrong way round", "words", "a number"],
)
def test_what_cannot_be_used_is_named_and_costs_no_other_law(tmp_path, content):
    put(tmp_path, "a", content)
    put(tmp_path, "b", {"cpu_power": BLOCK})

    laws, notes = find_laws(tmp_path)

    assert len(laws) == 1
    (note,) = notes
    assert note.startswith(f"{tmp_path / 'a' / 'noise.json'}: its law of the CPU cannot be used")
    assert note.endswith("run calibrate --fit again")
