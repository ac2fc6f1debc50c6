"""What the kernel says of a processor, and how many of its CPUs this process may use."""

import math

import pytest

from energy.meters.cpu_model.cpus import quota_cpus, visible_cpus
from energy.meters.cpu_model.processor import Processor, read_processor
from energy.records.fingerprint import find_level

X86 = """processor\t: {cpu}
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
stepping\t: 1
physical id\t: {socket}
siblings\t: 24
cpu cores\t: 12
flags\t\t: fpu vme avx avx2 avx512f avx512_bf16{virtual}

"""
ARM = """processor\t: {cpu}
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes asimddp sve bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""


@pytest.mark.parametrize(("flag", "virtual"), [("", False), (" hypervisor", True)])
def test_maker_model_instructions_sockets_threads_and_hypervisor_are_read(tmp_path, flag, virtual):
    text = "".join(X86.format(cpu=cpu, socket=cpu // 24, virtual=flag) for cpu in range(48))
    (tmp_path / "cpuinfo").write_text(text)

    assert read_processor(tmp_path / "cpuinfo") == Processor(
        "AMD EPYC", 2, 48, virtual, "AuthenticAMD", 25, 17, 1, ("avx", "avx2", "avx512f", "avx512_bf16"), 2
    )


def test_an_arm_kernel_gives_no_name_and_numbers_of_its_own(tmp_path):
    (tmp_path / "cpuinfo").write_text(ARM.format(cpu=0) + ARM.format(cpu=1))

    assert read_processor(tmp_path / "cpuinfo") == Processor(
        "", 1, 2, False, "0x41", 8, 0xD0C, 1, ("asimd", "asimddp", "bf16", "sve"), None
    )


def test_what_the_kernel_does_not_say_is_unknown(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nCPU architecture: AArch64\n")

    assert read_processor(tmp_path / "cpuinfo") == Processor("", 1, 1, virtual=False)


@pytest.mark.parametrize(
    ("instructions", "word"),
    [
        (("avx", "avx2"), "avx2"),
        (("avx", "avx2", "avx512f"), "avx512"),
        (("avx2", "avx512f", "avx512_bf16"), "avx512bf16"),
        (("avx512f", "avx512_bf16", "amx_int8", "amx_bf16"), "amx"),
        (("asimd", "bf16"), "neonbf16"),
        (("asimd", "sve", "bf16"), "sve"),
        ((), ""),
    ],
)
def test_the_widest_vector_instructions_are_a_word(instructions, word):
    assert find_level(instructions) == word


@pytest.fixture
def place(tmp_path, monkeypatch):
    """16 CPUs; place(/proc/self/cgroup, {file below /sys/fs/cgroup: text}) returns how many are ours."""
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))

    def put(lines, files):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(lines)
        for name, text in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return visible_cpus(tmp_path / "proc", tmp_path / "groups")

    return put


V1 = "12:cpuset:/other\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


@pytest.mark.parametrize(
    ("lines", "files", "cpus"),
    [
        ("0::/jobs/mine\n", {"jobs/mine/cpu.max": "max 100000\n", "jobs/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/not/mounted/here\n", {"cpu.max": "300000 100000\n"}, 3.0),
        ("0::/\n", {}, 16.0),
        (V1, {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "250000\n",
              "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n"}, 2.5),
        (V1, {"cpu/docker/cpu.cfs_quota_us": "100000\n", "cpu/docker/cpu.cfs_period_us": "50000\n"}, 2.0),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 4.0),
        (V1, {"cpuacct,cpu/docker/abc/cpu.cfs_quota_us": "-1\n",
              "cpuacct,cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 16.0),
        (V1, {"cpuset/other/cpu.cfs_quota_us": "100\n", "cpuset/other/cpu.cfs_period_us": "100000\n"}, 16.0),
        (V1 + "0::/docker/abc\n", {"unified/docker/abc/cpu.max": "700000 100000\n"}, 7.0),
    ],
    ids=["enclosing v2", "container v2", "host path v2", "none", "v1", "enclosing v1", "container v1",
         "unlimited v1", "another controller", "hybrid"],
)  # fmt: skip
def test_the_tightest_quota_of_any_enclosing_group_of_either_version_counts(place, lines, files, cpus):
    assert place(lines, files) == cpus


def test_without_a_quota_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 5, 7})

    assert visible_cpus(tmp_path, tmp_path) == 3.0
    assert quota_cpus(tmp_path, tmp_path) == math.inf
