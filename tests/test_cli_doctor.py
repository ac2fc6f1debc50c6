"""`python -m energy doctor` names what works, and a remedy for what does not."""

from dataclasses import dataclass

import pytest

from energy import machine
from energy.__main__ import main
from energy.commands import doctor


@dataclass(frozen=True)
class Found:
    """What a meter says of itself."""

    name: str
    works: bool
    what: str
    remedy: str | None = None


RAPL = Found("rapl", False, "/sys/class/powercap: Permission denied", "sudo chmod -R a+r /sys/class/powercap")
CODECARBON = Found("codecarbon", True, "cpu, ram (modelled)")


def test_each_meter_says_what_it_reads_or_what_helps(tmp_path):
    text = "\n".join(doctor.report([RAPL, CODECARBON], tmp_path))

    assert "works    codecarbon: cpu, ram (modelled)" in text
    assert "missing  rapl: /sys/class/powercap: Permission denied" in text
    assert "remedy: sudo chmod -R a+r /sys/class/powercap" in text


def test_a_machine_without_any_meter_is_told_so(tmp_path):
    assert any("no meter works here" in line for line in doctor.report([RAPL], tmp_path))


def test_the_threads_of_the_suite_are_the_physical_cores(tmp_path):
    text = "\n".join(doctor.report([], tmp_path))

    assert f"threads: {machine.physical_cores()}, one per physical core" in text


def test_a_machine_without_temperature_sensors_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.sensors_temperatures", dict, raising=False)

    assert any("temperature sensors: none shown" in line for line in doctor.report([], tmp_path))


def test_the_sensors_of_a_machine_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "psutil.sensors_temperatures", lambda: {"coretemp": [1, 2], "nvme": [3]}, raising=False
    )

    assert any("temperature sensors: coretemp 2, nvme 1" in line for line in doctor.report([], tmp_path))


def test_a_writable_results_folder_is_said_to_be_so_and_not_created(tmp_path):
    lines = doctor.report([], tmp_path / "new" / "results")

    assert lines[-1] == f"results folder {tmp_path / 'new' / 'results'}: writable, will be created"
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_is_a_file_is_said_to_be_unwritable(tmp_path):
    blocked = tmp_path / "results"
    blocked.write_text("")

    line = doctor.report([], blocked)[-1]

    assert "cannot be written" in line
    assert "--storage" in line


def test_a_missing_meter_is_no_failure_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("energy.meters.diagnose", lambda: (RAPL,))

    code = main(["doctor", "--storage", str(tmp_path)])

    assert code == 0
    assert "missing  rapl" in capsys.readouterr().out


@pytest.mark.parametrize("argument", ["-h", "--help"])
def test_help_says_what_the_command_is_for(argument, capsys):
    with pytest.raises(SystemExit) as left:
        main(["doctor", argument])

    assert left.value.code == 0
    assert "Say which meters work" in capsys.readouterr().out
