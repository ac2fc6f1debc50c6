"""What doctor says where RAPL cannot be read: the cause on this machine, and the command that opens it."""

import os

import pytest

from energy.meters import rapl
from energy.meters._surroundings import surroundings
from tests.simulated.machine import Machine
from tests.simulated.powercap import Powercap, Zone


def system(root, virtual=False, files=(), cgroup=""):
    """Make the files by which a machine tells what it is."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/cpuinfo").write_text(f"processor: 0\nflags\t\t: fpu vme{' hypervisor' * virtual} sse2\n")
    (root / "proc/self/cgroup").write_text(f"0::{cgroup or '/'}\n")
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


def diagnosis(root, place, monkeypatch, machine="x86_64"):
    monkeypatch.setattr("platform.machine", lambda: machine)
    found = rapl.diagnose(root=root, system=place)
    assert not found.works
    return found


def test_a_virtual_machine_gets_no_command(tmp_path, monkeypatch):
    found = diagnosis(tmp_path / "powercap", system(tmp_path / "s", virtual=True), monkeypatch)

    assert "this is a virtual machine" in found.what
    assert "No command on this machine opens them" in found.remedy
    assert "sudo" not in found.remedy


def test_a_container_in_a_virtual_machine_is_told_of_the_machine(tmp_path, monkeypatch):
    place = system(tmp_path / "s", virtual=True, files=[".dockerenv"])

    found = diagnosis(tmp_path / "powercap", place, monkeypatch)

    assert "this is a docker container in a virtual machine" in found.what
    assert "security-opt" not in found.remedy


def test_bare_metal_is_told_the_module(tmp_path, monkeypatch):
    found = diagnosis(tmp_path / "powercap", system(tmp_path / "s"), monkeypatch)

    assert "the driver is not loaded" in found.what
    assert "`sudo modprobe intel_rapl_msr`" in found.remedy


def test_a_container_is_told_what_to_do_on_the_host(tmp_path, monkeypatch):
    found = diagnosis(tmp_path / "powercap", system(tmp_path / "s", files=[".dockerenv"]), monkeypatch)

    assert found.remedy.startswith("On the host: `sudo modprobe intel_rapl_msr`")
    assert "`--security-opt systempaths=unconfined`" in found.remedy


def test_a_container_that_masks_the_counters_is_told_how_to_unmask_them(tmp_path, monkeypatch):
    """The engine lays an empty folder over the links' targets."""
    root = tmp_path / "powercap"
    root.mkdir()
    (root / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl/intel-rapl:0")

    found = diagnosis(root, system(tmp_path / "s", files=["run/.containerenv"]), monkeypatch)

    assert f"{root}/intel-rapl:0 leads nowhere, as this is a podman container" in found.what
    assert "`--security-opt unmask=ALL` (Podman)" in found.remedy
    assert "modprobe" not in found.remedy


def test_a_processor_without_rapl_is_told_so(tmp_path, monkeypatch):
    found = diagnosis(tmp_path / "powercap", system(tmp_path / "s"), monkeypatch, machine="aarch64")

    assert "only x86 processors have RAPL" in found.what
    assert "sudo" not in found.remedy


@pytest.mark.parametrize(
    ("files", "cgroup", "kind"),
    [
        ((), "", ""),
        ([".dockerenv"], "", "docker"),
        (["run/.containerenv"], "", "podman"),
        ((), "/kubepods/besteffort/pod1", "kubepods"),
        ((), "/system.slice/docker-0123.scope", "docker"),
        ((), "/user.slice/session-2.scope", ""),
    ],
)
def test_containers_are_told_by_their_marks(tmp_path, files, cgroup, kind):
    assert surroundings(system(tmp_path, files=files, cgroup=cgroup)).container == kind


def test_systemd_names_the_container(tmp_path):
    place = system(tmp_path, files=["run/systemd/container", ".dockerenv"])
    (place / "run/systemd/container").write_text("systemd-nspawn\n")

    assert str(surroundings(place)) == "a systemd-nspawn container in a machine"


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A tree whose counters are refused by os.open, since tests may run as root, whom modes do not stop."""
    root = tmp_path / "powercap"
    root.mkdir()
    Powercap(root, Machine(), [Zone("intel-rapl:0", "package-0"), Zone("intel-rapl:0:1", "dram")])

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    return root


def test_closed_counters_come_with_the_command_that_opens_just_these(closed, tmp_path, monkeypatch):
    found = diagnosis(closed, system(tmp_path / "s"), monkeypatch)

    assert found.what == f"The RAPL counters are closed to this user ({closed}/intel-rapl:0/energy_uj)."
    files = f"{closed}/intel-rapl:0/energy_uj {closed}/intel-rapl:0:1/energy_uj"
    assert found.remedy.startswith(f"`sudo chmod a+r {files}`")
    assert "sudo tee /etc/udev/rules.d/70-rapl.rules`" in found.remedy
    assert "perf_event_paranoid" not in found.remedy


def test_counters_closed_in_a_container_are_opened_on_the_host(closed, tmp_path, monkeypatch):
    found = diagnosis(closed, system(tmp_path / "s", files=[".dockerenv"]), monkeypatch)

    assert found.remedy.startswith("On the host: `sudo chmod a+r ")


def test_unreadable_counters_in_a_container_are_masked(tmp_path, monkeypatch):
    root = tmp_path / "powercap"
    root.mkdir()
    Powercap(root, Machine()).make_unreadable()

    found = diagnosis(root, system(tmp_path / "s", files=[".dockerenv"]), monkeypatch)

    assert "cannot be read" in found.what
    assert "systempaths=unconfined" in found.remedy
