"""`python -m energy doctor` names what works, and a remedy for what does not."""

import os
import time
from dataclasses import replace

import pytest

from energy.__main__ import main
from energy.commands import doctor
from energy.measuring import machine
from energy.meters import Meters, MeterUnavailable
from energy.meters._meter import Diagnosis
from energy.meters._watch import clocks
from energy.meters._watch.claims import Claims
from energy.reading import Count

RAPL = Diagnosis(
    "rapl", False, "/sys/class/powercap: Permission denied", "sudo chmod -R a+r /sys/class/powercap"
)
CODECARBON = Diagnosis("codecarbon", True, "cpu, ram (modelled)")
AMD = Diagnosis("amd", False, "The package amdsmi is not installed.", "`pip install amdsmi`", untested=True)


def test_each_meter_says_what_it_reads_or_what_helps(tmp_path):
    text = "\n".join(doctor.report([RAPL, CODECARBON], tmp_path))

    assert "  codecarbon  cpu, ram (modelled)\n" in text
    assert "  rapl        /sys/class/powercap: Permission denied\n" in text
    assert "remedy: sudo chmod -R a+r /sys/class/powercap" in text


def test_the_meters_that_work_come_first_and_are_counted(tmp_path):
    lines = doctor.report([AMD, CODECARBON, RAPL], tmp_path)

    assert lines[:4] == [
        "meters that work here: 1 of 3",
        "  codecarbon  cpu, ram (modelled)",
        "",
        "meters that do not",
    ]
    assert [line.split()[0] for line in lines[4:8]] == ["amd", "remedy:", "rapl", "remedy:"]


def test_nothing_is_said_to_be_missing_where_all_meters_work(tmp_path):
    lines = doctor.report([CODECARBON], tmp_path)

    assert lines[0] == "meters that work here: 1 of 1"
    assert "meters that do not" not in lines


@pytest.mark.parametrize("works", [True, False])
def test_a_meter_that_never_saw_hardware_says_so(tmp_path, works):
    text = "\n".join(doctor.report([replace(AMD, works=works), RAPL], tmp_path))

    assert "  amd   The package amdsmi is not installed. (untested on hardware)\n" in text
    assert text.count("(untested on hardware)") == 1


def test_nine_meters_take_one_line_each_and_remedies_stand_below_them(tmp_path):
    found = [
        replace(AMD, name=f"meter{number}", what="A library says\n  this over lines.") for number in range(9)
    ]

    lines = doctor.report(found, tmp_path)
    meters = lines[lines.index("meters that do not") + 1 : lines.index("machine") - 1]

    assert [line.split()[0] for line in meters] == [
        word for number in range(9) for word in (f"meter{number}", "remedy:")
    ]
    assert "A library says this over lines." in meters[0]


def test_the_commands_of_a_remedy_keep_their_lines(tmp_path):
    lines = doctor.report([replace(RAPL, remedy="As root:\nmodprobe intel_rapl_msr")], tmp_path)

    assert [line.strip() for line in lines].count("modprobe intel_rapl_msr") == 1


def test_a_machine_without_any_meter_is_told_so(tmp_path):
    assert any("nothing can be measured" in line for line in doctor.report([RAPL], tmp_path))


def test_a_system_without_a_boot_time_clock_says_what_it_cannot_see(tmp_path, monkeypatch):
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)

    assert f"  suspend: {clocks.NO_BOOT_CLOCK}" in doctor.report([], tmp_path)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has a boot-time clock")
def test_a_system_with_a_boot_time_clock_sees_a_suspend(tmp_path):
    assert "  suspend: seen, by the boot-time clock" in doctor.report([], tmp_path)


@pytest.fixture
def claims_folder(tmp_path, monkeypatch):
    """Where this test's claims are, instead of the machine's."""
    folder = tmp_path / "claims"
    monkeypatch.setattr("energy.meters._watch.claims.FOLDER", folder)
    return folder


def test_where_nobody_else_meters_doctor_says_so_and_claims_nothing(tmp_path, claims_folder):
    assert "  other programs that meter: none" in doctor.report([], tmp_path)
    assert not claims_folder.exists()


def test_a_program_that_meters_is_named_with_what_it_bills_until_it_ends(tmp_path, claims_folder):
    claims = Claims(["cpu:package-0", "gpu:GPU-1"], claims_folder)

    during = "\n".join(doctor.report([], tmp_path))
    claims.close()
    after = doctor.report([], tmp_path)

    assert f"  process {os.getpid()} (" in during
    assert ") bills package-0, GPU-1: wait for its end" in during
    assert "  other programs that meter: none" in after


def test_a_claims_folder_that_cannot_be_read_makes_others_unknown_and_not_none(tmp_path, claims_folder):
    claims_folder.write_text("")

    text = "\n".join(doctor.report([], tmp_path))

    assert f"  other programs that meter: unknown: {claims_folder}: Not a directory" in text


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
    assert "meters that do not\n  rapl  " in capsys.readouterr().out


@pytest.mark.parametrize("argument", ["-h", "--help"])
def test_help_says_what_the_command_is_for(argument, capsys):
    with pytest.raises(SystemExit) as left:
        main(["doctor", argument])

    assert left.value.code == 0
    assert "Say which meters work" in capsys.readouterr().out


class Fixed:
    """A meter of a CPU and of memory, measured or modelled."""

    name, slow, closed, period_seconds = "fixed", False, False, None

    def __init__(self, kind):
        self.pid, self.kind = os.getpid(), kind

    def counts(self):
        boundaries = ("machine",) if self.kind == "measured" else ("process", "machine")
        return tuple(
            Count(domain, "machine", "x", self.kind, 1.0, 0.0, boundary=boundary)
            for domain in ("cpu", "ram")
            for boundary in boundaries
        )

    def faults(self):
        return ()

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("modelled", "a total here is of the process: what this process tree caused"),
        ("measured", "a total here is of the machine: what the box drew"),
    ],
)
def test_what_a_total_would_be_of_is_one_sentence(monkeypatch, kind, sentence):
    monkeypatch.setattr("energy.meters.open_meters", lambda: Meters([Fixed(kind)]))

    (line,) = doctor._boundary()

    assert line.startswith(sentence)


def test_where_no_meter_works_there_is_no_total_to_speak_of(monkeypatch):
    def none():
        raise MeterUnavailable("No meter works here.", "")

    monkeypatch.setattr("energy.meters.open_meters", none)

    assert list(doctor._boundary()) == []
