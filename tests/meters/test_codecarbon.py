"""CodeCarbon as it is installed: what it touches, what it says, and the formula behind its figures."""

import functools
import inspect
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from energy.meters import codecarbon
from energy.meters._meter import MeterUnavailable
from energy.meters.codecarbon import tracker as _tracker
from energy.reading import Reading
from tests.simulated.machine import Constant, Machine
from tests.simulated.powercap import Powercap, Zone

ROOT = Path(__file__).parents[2]
EXACT = 1e-3  # a dozen looks at a clock of microseconds
HOSTILE = {
    "CODECARBON_FORCE_RAM_POWER": "200",
    "CODECARBON_FORCE_CPU_POWER": "999",
    "CODECARBON_FORCE_MODE_CPU_LOAD": "true",
    "CODECARBON_PUE": "3",
    "CODECARBON_SAVE_TO_FILE": "true",
    "CODECARBON_OUTPUT_METHODS": "csv,api",
    "CODECARBON_OUTPUT_DIR": "/nowhere",
    "CODECARBON_EMISSIONS_ENDPOINT": "http://127.0.0.1:9/emissions",
    "CODECARBON_API_CALL_INTERVAL": "1",
    "CODECARBON_TRACKING_MODE": "process",
    "CODECARBON_LOG_LEVEL": "debug",
    "CODECARBON_ALLOW_MULTIPLE_RUNS": "false",
    "CODECARBON_MEASURE_POWER_SECS": "0.01",
    "CODECARBON_COUNTRY_ISO_CODE": "XXX",
    "CODECARBON_GPU_IDS": "7",
}


class Clock:
    """Stands in for the module `time`: a look at it takes a microsecond, and only `sleep` takes longer."""

    seconds = 1000.0

    def monotonic(self):
        self.seconds += 1e-6
        return self.seconds

    perf_counter = monotonic

    def sleep(self, seconds):
        self.seconds += seconds

    def __getattr__(self, name):
        return getattr(time, name)


@pytest.fixture(scope="module")
def meter():
    opened = codecarbon.open(())
    yield opened
    opened.close()


@pytest.fixture
def clock(monkeypatch):
    """The clock of CodeCarbon and of our meter, for all that are opened after it."""
    stopped = Clock()
    for module in ("codecarbon.emissions_tracker", "codecarbon.external.hardware", codecarbon.__name__):
        monkeypatch.setattr(f"{module}.time", stopped)
    return stopped


@pytest.fixture
def timed(clock):
    """A meter that lives by that clock."""
    opened = codecarbon.open(())
    yield opened
    opened.close()


def take(meter, clock=time):
    counts = meter.counts()
    return Reading(clock.monotonic(), counts, meter.faults())


def busy(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def load_since(before):
    """The share of time that all cores together were busy, from the kernel's own figures."""
    now = psutil.cpu_times()
    guests = ("guest", "guest_nice")  # counted in user and nice already
    spent = {name: getattr(now, name) - getattr(before, name) for name in now._fields if name not in guests}
    return 1 - (spent["idle"] + spent.get("iowait", 0.0)) / sum(spent.values())


def watts_of_memory(meter):
    return next(part for part in meter._tracker._hardware if type(part).__name__ == "RAM").total_power().W


def part(energy, domain):
    return next(part for part in energy.domains if part.domain == domain)


def run_apart(code, tmp_path, **environ):
    """Run code with warnings as errors, a read-only home, and an audit of files and of the network."""
    guard = """
        import os, sys
        written, asked = [], []
        def audit(event, args):
            if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
                written.append(args[0])
            if event in ("os.mkdir", "os.rename"):
                written.append((event, args[0]))
            if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
                asked.append((event, args))  # also where the error is swallowed
                raise AssertionError("the network was asked")
        sys.addaudithook(audit)
    """
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(guard) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=50,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            **environ,
        },
    )


def test_it_is_silent_fileless_offline_and_deaf_to_its_environment(tmp_path, meter):
    (tmp_path / ".codecarbon.config").write_text("[codecarbon]\nforce_ram_power=500\nsave_to_file=true\n")
    before = sorted(tmp_path.rglob("*"))
    code = """
        import time
        from energy.meters import codecarbon
        meter = codecarbon.open(())
        first = {count.domain: count for count in meter.counts()}
        time.sleep(1.2)
        meter.poll()  # what its own monitor would have done by now
        last = {count.domain: count for count in meter.counts()}
        meter.close()
        seconds = last["ram"].covered_seconds - first["ram"].covered_seconds
        print((last["ram"].joules - first["ram"].joules) / seconds, last["cpu"].source)
        print([path for path in written if path != os.devnull], asked)
    """

    result = run_apart(code, tmp_path, **HOSTILE)

    assert result.stderr == ""
    figures, written = result.stdout.splitlines()
    assert float(figures.split()[0]) == pytest.approx(watts_of_memory(meter), rel=0.05)
    assert written == "[] []"
    assert sorted(tmp_path.rglob("*")) == [*before, tmp_path / "home"]


def test_no_setting_is_left_to_the_environment(monkeypatch):
    """Whatever a newer CodeCarbon adds to its configuration must be given too."""
    import codecarbon as package
    from codecarbon.emissions_tracker import BaseEmissionsTracker, OfflineEmissionsTracker

    given = {}
    monkeypatch.setattr(package, "OfflineEmissionsTracker", lambda **settings: given.update(settings))
    with pytest.raises(MeterUnavailable, match="was not built"):
        _tracker.build([])

    settings = {
        *inspect.signature(BaseEmissionsTracker.__init__).parameters,
        *inspect.signature(OfflineEmissionsTracker.__init__).parameters,
    }
    deprecated = {name for name in settings if name.startswith("save_to_")} | {"co2_signal_api_token"}
    assert settings - set(given) == deprecated | {"self", "args", "kwargs"}


def test_a_broken_configuration_file_is_said_and_no_half_built_tracker_is_used(tmp_path):
    (tmp_path / ".codecarbon.config").write_text("this is no configuration\n")
    code = """
        from energy.meters import codecarbon
        diagnosis = codecarbon.diagnose(())
        print(diagnosis.works, diagnosis.what, diagnosis.remedy)
    """

    result = run_apart(code, tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("False CodeCarbon's tracker was not built. Look for a broken")


def test_a_tracker_that_does_not_start_is_unavailable(monkeypatch):
    from codecarbon import OfflineEmissionsTracker

    monkeypatch.setattr(OfflineEmissionsTracker, "_initialize_hardware_tracking", lambda self: 1 / 0)

    with pytest.raises(MeterUnavailable, match="did not start"):
        codecarbon.open(())


def test_without_codecarbon_it_is_unavailable(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)

    with pytest.raises(MeterUnavailable, match="pip install codecarbon"):
        codecarbon.open(())


def test_every_source_is_codecarbon_s_and_says_its_mode(meter):
    sources = {count.domain: (count.source, count.kind) for count in meter.counts()}

    assert sources["ram"] == ("codecarbon_ram_model", "modelled")
    assert sources["cpu"] in {
        ("codecarbon_cpu_load_model", "modelled"),
        ("codecarbon_constant_model", "modelled"),
        ("codecarbon_rapl", "measured"),
    }
    assert set(sources) == {"ram", "cpu"}


def test_a_busy_loop_costs_what_the_formula_says(meter):
    """TDP x (0.1 + 0.9 load^3), by hand from the kernel's figures."""
    tracked = next(part for part in meter._tracker._hardware if type(part).__name__ == "CPU")
    if tracked._mode != "cpu_load":
        pytest.skip(f"CodeCarbon measures the CPU here ({tracked._mode}) and models nothing")
    before, times = take(meter), psutil.cpu_times()
    busy(0.9)
    spent, load = take(meter) - before, load_since(times)

    expected = tracked._tdp * (0.1 + 0.9 * load**3) * spent.seconds

    assert part(spent, "cpu").joules == pytest.approx(expected, rel=0.25)


def test_memory_is_a_constant_times_the_seconds(timed, clock):
    before = take(timed, clock)
    clock.sleep(0.5)
    spent = take(timed, clock) - before

    assert part(spent, "ram").joules == pytest.approx(watts_of_memory(timed) * 0.5, rel=EXACT)


def test_readings_in_quick_succession_are_right_and_not_repeated(timed, clock):
    """flush() repeats its last figures within 50 ms; each window must still hold its own."""
    readings = [take(timed, clock) for _ in range(6)]

    for before, after in itertools.pairwise(readings):
        spent = after - before
        assert spent.seconds == pytest.approx(codecarbon.STALE_SECONDS, rel=EXACT)
        assert part(spent, "ram").joules == pytest.approx(watts_of_memory(timed) * spent.seconds, rel=EXACT)


def test_a_machine_that_stalls_between_the_measurement_and_the_time_stamp_widens_the_band(timed, clock):
    """Nothing but the time that flush() takes tells how old its figures may be."""
    watts, flush = watts_of_memory(timed), timed._tracker.flush

    def late():
        flush()
        clock.sleep(0.4)

    before = take(timed, clock)
    clock.sleep(1.0)
    timed._tracker.flush = late
    spent = part(take(timed, clock) - before, "ram")

    assert spent.joules == pytest.approx(watts * 1.0, rel=EXACT)
    assert spent.edge_joules == pytest.approx(spent.joules / 1.4 * 0.4, rel=EXACT)
    assert spent.band[1] == pytest.approx(codecarbon.RAM[1] * (spent.joules + spent.edge_joules), rel=0.01)


def test_the_bands_are_those_of_the_model(meter):
    cpu, ram = (
        next(count for count in meter.counts() if count.domain == domain) for domain in ("cpu", "ram")
    )

    assert (ram.low_factor, ram.high_factor) == codecarbon.RAM
    if cpu.source == "codecarbon_cpu_load_model":
        assert (cpu.low_factor, cpu.high_factor) in (codecarbon.CPU_LOAD, codecarbon.UNKNOWN_CPU)


@pytest.mark.parametrize(
    ("tdp", "generic", "band"),
    [
        (280, False, codecarbon.CPU_LOAD),
        (85, True, codecarbon.UNKNOWN_CPU),
        (4 * 64, False, codecarbon.UNKNOWN_CPU),
    ],
)
def test_an_unknown_cpu_has_a_wider_band(tdp, generic, band):
    class CPU:
        _mode, _tdp, _is_generic_tdp = "cpu_load", tdp, generic

    count = codecarbon._component(CPU(), "", {"cpu_count": 64, "cpu_physical_count": 1})

    assert (count.low_factor, count.high_factor) == band


@pytest.mark.parametrize(
    ("mode", "source", "kind"),
    [
        ("intel_rapl", "codecarbon_rapl", "measured"),
        ("windows_emi", "codecarbon_windows_emi", "measured"),
        ("constant", "codecarbon_constant_model", "modelled"),
    ],
)
def test_each_mode_has_its_source_and_kind(mode, source, kind):
    class CPU:
        _mode = mode

    count = codecarbon._component(CPU(), "", {})

    assert (count.source, count.kind, count.device) == (source, kind, "machine")


def test_a_gpu_named_by_uuid_is_billed_alone_by_every_tracker(tmp_path):
    """On its own CodeCarbon 3.3.2 bills nothing the first time and all boards from then on."""
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    code = """
        import time
        from tests.audit.virtual_time import VirtualTime
        from tests.simulated.machine import Constant, Machine
        from tests.simulated.nvml import Gpu, Library
        machine = Machine()
        VirtualTime(machine).install()
        ours = Gpu(uuid="GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071", shape=Constant(250.0), step_seconds=0.01)
        sys.modules["pynvml"] = Library(machine, [Gpu(shape=Constant(450.0), step_seconds=0.01), ours])
        from energy.meters import codecarbon
        for _ in range(2):
            meter = codecarbon.open(None)
            first = {count.domain: count for count in meter.counts()}["gpu"]
            time.sleep(0.5)
            last = {count.domain: count for count in meter.counts()}["gpu"]
            meter.close()
            print((last.joules - first.joules) / (last.covered_seconds - first.covered_seconds))
        print(last.source, last.kind, last.device == ours.uuid)
    """
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": "GPU-91d0c3aa"}

    result = run_apart(code, tmp_path, **environ)

    assert result.stderr == ""
    first_watts, second_watts, provenance = result.stdout.splitlines()
    assert float(first_watts) == pytest.approx(250.0, rel=0.05)  # its counter moves every 10 of 500 ms
    assert float(second_watts) == pytest.approx(250.0, rel=0.05)
    assert provenance == "codecarbon_gpu measured True"


@pytest.mark.parametrize(
    ("meters", "headline"), [("auto", "missing None"), ("codecarbon", "codecarbon_gpu None")]
)
@pytest.mark.slow
def test_a_gpu_that_tells_nothing_is_unknown_and_not_zero(tmp_path, meters, headline):
    """What CodeCarbon 3.3.2 cannot read, it counts as 0 J."""
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    code = f"""
        import time
        from pathlib import Path
        from tests.simulated.machine import Constant, Machine
        from tests.simulated.nvml import NOT_SUPPORTED, Gpu, Library
        machine = Machine(Constant(300.0))
        machine.now = time.monotonic
        mute = Gpu(counter_error=NOT_SUPPORTED, power_error=NOT_SUPPORTED, instant=False)
        sys.modules["pynvml"] = Library(machine, [mute])
        import energy
        from energy.meters._watch import claims
        claims.FOLDER = Path({str(tmp_path / "claims")!r})
        with energy.open_meters({meters!r}) as opened:
            first = energy.read(opened)
            time.sleep(0.7)
            spent = energy.read(opened) - first
        (part,) = [part for part in spent.headline() if part.domain == "gpu"]
        print(part.source, part.joules)
    """

    result = run_apart(code, tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert result.stdout.strip() == headline


def test_a_tracker_that_stops_delivering_makes_the_window_unknown():
    meter = codecarbon.open(())
    before = take(meter)
    meter._tracker.flush = lambda: None  # what flush() does when anything fails inside it
    after = take(meter)
    meter.close()

    assert (after - before).joules() is None
    assert "delivered no figures" in part(after - before, "cpu").reason
    assert after.faults[-1].kind == "unreadable"


def test_two_meters_do_not_disturb_each_other(timed, clock):
    second = codecarbon.open(())
    before = take(timed, clock), take(second, clock)
    clock.sleep(0.5)
    after = take(timed, clock), take(second, clock)
    second.close()

    for early, late in zip(before, after, strict=True):
        assert part(late - early, "ram").joules == pytest.approx(
            watts_of_memory(timed) * (late - early).seconds, rel=EXACT
        )


def test_no_thread_of_its_own_runs_beside_ours(meter):
    """Its timers would measure while we do, re-arm themselves, and make every fork of a workload warn."""
    before = threading.enumerate()
    opened = codecarbon.open(())
    time.sleep(1.2)  # its monitor would fire after 1 s
    during = threading.enumerate()
    timers = (opened._tracker._scheduler, opened._tracker._scheduler_monitor_power)
    opened.close()

    assert during == before
    assert all(timer._timer is None for timer in timers)


def test_a_closed_meter_says_so_and_closing_twice_does_nothing():
    opened = codecarbon.open(())

    opened.close()
    opened.close()
    opened.poll()

    assert {count.reason for count in opened.counts()} == {"the meter is closed"}


def test_polling_samples_the_load_as_its_own_monitor_did(timed, clock):
    """Its formula is cubic: half the time at full load is not all the time at half load."""
    cpu = next(part for part in timed._tracker._hardware if type(part).__name__ == "CPU")
    if cpu._mode != "cpu_load":
        pytest.skip(f"CodeCarbon measures the CPU here ({cpu._mode}) and models nothing")
    spans = {0.2: 100.0, 0.3: 0.0, 0.25: 100.0, 0.15: 0.0}
    loads = iter(spans.values())
    before = take(timed, clock)
    cpu._cpu_load_meter.percent = lambda: next(loads)
    *polled, last = spans
    for seconds in polled:
        clock.sleep(seconds)
        timed.poll()
    clock.sleep(last)
    spent = take(timed, clock) - before

    expected = sum(cpu._tdp * (0.1 + 0.9 * (load / 100) ** 3) * seconds for seconds, load in spans.items())
    assert part(spent, "cpu").joules == pytest.approx(expected, rel=EXACT)


def test_polling_beside_a_reading_waits_for_nothing(meter):
    """A reading may wait 55 ms for CodeCarbon's next figure; the other meters' samples must not."""
    looks = []
    with meter._lock:
        poller = threading.Thread(target=lambda: looks.append(meter.poll()))
        poller.start()
        poller.join(timeout=10)

    assert looks == [None]


def test_its_rapl_counters_are_read_before_they_can_wrap_twice(monkeypatch, tmp_path):
    """CodeCarbon reads them only when it measures; between two windows nobody asks it to."""
    machine = Machine(Constant(1000.0))
    tree = Powercap(tmp_path, machine, [Zone("intel-rapl:0", "package-0", range_uj=65_532_610_987)])
    (tmp_path / "intel-rapl" / "intel-rapl:0").symlink_to(tmp_path / "intel-rapl:0")
    through_rapl(monkeypatch, tmp_path)
    opened = codecarbon.open(())
    before = {count.domain: count.joules for count in opened.counts()}
    for _ in range(200):  # twice its range of 65 kJ and more, as it goes at 1 kW
        machine.advance(1.0)
        tree.update()
        opened._measured_seconds -= 1.0  # it was one more second ago, for us and for CodeCarbon
        opened._tracker._last_measured_time -= 1.0
        opened.poll()
    after = {count.domain: (count.joules, count.source) for count in opened.counts()}
    opened.close()

    joules, source = after["cpu"]
    assert source == "codecarbon_rapl"
    assert joules - before["cpu"] == pytest.approx(200_000.0, rel=1e-3)


def through_rapl(monkeypatch, root):
    """Let CodeCarbon find the powercap tree at `root`, where there may be none in /sys."""
    from codecarbon.core import cpu, hardware_cache
    from codecarbon.external import hardware

    found = functools.partial(cpu.is_rapl_available, str(root / "intel-rapl"))
    real = hardware.IntelRAPL
    monkeypatch.setattr(hardware_cache, "_plans", {})  # it keeps what it found first in a process
    monkeypatch.setattr(cpu, "is_rapl_available", lambda rapl_dir=None: found())
    monkeypatch.setattr(
        hardware, "IntelRAPL", lambda **given: real(**given | {"rapl_dir": str(root / "intel-rapl")})
    )
