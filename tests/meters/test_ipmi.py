"""The BMC's power reading, through a program that answers as ipmitool does."""

import os
import time

import pytest

from energy.meters import ipmi
from energy.meters._meter import MeterUnavailable
from tests.simulated.outside import between

ANSWER = """
    Instantaneous power reading:                   {watts} Watts
    Minimum during sampling period:                 18 Watts
    Maximum during sampling period:                438 Watts
    Average power reading over sample period:      219 Watts
    IPMI timestamp:                           Thu Jan  1 00:00:00 1970
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated
"""


@pytest.fixture
def program(tmp_path):
    """Return what writes an `ipmitool` of this script."""

    def write(script):
        path = tmp_path / "ipmitool"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


def answering(watts=220):
    return f"[ \"$*\" = 'dcmi power reading' ] || exit 9\ncat <<'END'{ANSWER.format(watts=watts)}END"


def wait_for(meter, seconds):
    deadline = time.monotonic() + 20.0
    while meter.counts_at(seconds) is None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_the_power_of_the_machine_is_a_witness(program):
    meter = ipmi.open(program=program(answering()), period_seconds=0.02)
    start = time.monotonic()
    wait_for(meter, start + 0.2)

    part = between(meter, start, start + 0.2)
    meter.close()

    assert part.joules == pytest.approx(220.0 * 0.2)
    assert (part.domain, part.device, part.source) == ("machine", "bmc", "ipmi_dcmi")
    assert (part.kind, part.witness, meter.name) == ("measured", True, "ipmi")


def test_a_busy_bmc_is_asked_again_and_one_that_is_gone_ends_the_asking(program, tmp_path):
    fails_once = "[ -e failed ] || [ ! -e go ] || { touch failed; exit 1; }"
    once = f"{answering()}\ncd {tmp_path}\n{fails_once}"
    meter = ipmi.open(program=program(once), period_seconds=0.02)
    (tmp_path / "go").touch()
    start = time.monotonic()
    wait_for(meter, start + 0.2)
    went_on = meter.counts_at(start + 0.2)[0].joules is not None
    program("echo 'Get Device ID command failed' >&2; exit 1")
    deadline = time.monotonic() + 20.0
    while not meter.faults() and time.monotonic() < deadline:
        meter.poll()
        time.sleep(0.01)
    (fault,) = meter.faults()

    assert went_on
    assert (tmp_path / "failed").exists()
    assert (fault.kind, fault.source) == ("lost", "ipmi")
    assert fault.concerns("ipmi_dcmi", "bmc")
    assert "Get Device ID command failed" in fault.reason


def test_closing_ends_the_process_that_asks(program):
    meter = ipmi.open(program=program(answering()), period_seconds=30.0)
    pid = meter._log.source._process.pid

    meter.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'Could not open device at /dev/ipmi0' >&2; exit 1",
            "cannot ask the BMC: Could not open device",
        ),
        ("echo 'DCMI request failed because: Invalid command'", "has no power reading"),
        ("sleep 60", "has not answered within 0.2 s"),
    ],
)
def test_a_bmc_that_cannot_be_asked_is_unavailable(program, monkeypatch, script, reason):
    monkeypatch.setattr(ipmi, "ATTEMPT_SECONDS", 0.2)

    with pytest.raises(MeterUnavailable, match=reason) as problem:
        ipmi.open(program=program(script))

    assert problem.value.remedy


def test_without_ipmitool_the_diagnosis_says_how_to_get_it(tmp_path):
    diagnosis = ipmi.diagnose(program=str(tmp_path / "ipmitool"))

    assert (diagnosis.works, diagnosis.untested) == (False, True)
    assert diagnosis.what == "ipmitool is not installed."
    assert "modprobe ipmi_devintf" in diagnosis.remedy
