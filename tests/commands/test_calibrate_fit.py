"""`calibrate --fit`: known work inside a counter that follows a law; programs that say what they did."""

import json
import sys

import pytest

from energy.commands import UsageError, _cpu_fit
from energy.commands._known_work import KINDS, Load, do_work, list_loads
from energy.meters.cpu_model.law import read_law
from energy.meters.cpu_model.power import choose_law
from energy.meters.cpu_model.processor import read_processor
from energy.reading import Count, Reading
from energy.records.storage.fitted import find_laws
from energy.report.terminal.noise import format_laws

THREADS = 4
IDLE, PER_CPU_SECOND = 0.8, 1.5
PER = {"macs_fp32": 3e-11, "bytes_moved": 5e-11}
RATES = {"rest": {}, "hash": {}, "matmul": {"macs_fp32": 6e10}, "copy": {"bytes_moved": 2e10}}
CPUINFO = "processor\t: {0}\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nstepping\t: 1\n\n"


class World:
    """Four hardware threads that draw power by a law, and the files in which the kernel shows them."""

    name, slow, closed, period_seconds, pid = "world", False, False, None, 0

    def __init__(self, folder):
        self.folder, self.joules, self.seconds, self.busy = folder, 0.0, 0.0, 0.0
        (folder / "cpuinfo").write_text("".join(CPUINFO.format(cpu) for cpu in range(THREADS)))
        self._write()

    def work(self, load):
        """Do what a load does in 10 s; its joules follow the law, and so does the kernel's CPU time."""
        kind, _, count = load.name.partition(" x ")
        busy = 0.0 if kind == "rest" else 10.0 * int(count)
        done = {name: rate * busy for name, rate in RATES[kind].items()}
        self.joules += IDLE * THREADS * 10.0 + PER_CPU_SECOND * busy
        self.joules += sum(PER[name] * amount for name, amount in done.items())
        self.seconds, self.busy = self.seconds + 10.0, self.busy + busy
        self._write()
        return done

    def _write(self):
        (self.folder / "stat").write_text(f"cpu  {round(100 * self.busy)} 0 0 0 0 0 0 0 0 0\n")

    def reading(self):
        cpu = Count("cpu", "package-0", "rapl", "measured", self.joules, self.seconds)
        return Reading(self.seconds, (cpu,))


class Window:
    """A window of the world's own time."""

    world = None

    def __init__(self, meters):
        pass

    def __enter__(self):
        self.first = self.world.reading()
        return self

    def __exit__(self, *_):
        self.energy = self.world.reading() - self.first


@pytest.fixture
def block(tmp_path, monkeypatch):
    """What `calibrate --fit` finds in the world."""
    world = World(tmp_path)
    monkeypatch.setattr(Window, "world", world)
    monkeypatch.setattr(_cpu_fit, "Window", Window)
    monkeypatch.setattr(_cpu_fit, "do_work", world.work)
    monkeypatch.setattr(_cpu_fit, "_open_pmu", lambda say: None)
    return _cpu_fit.fit_cpu([], 10.0, [], lambda text: None, proc=tmp_path)


def test_the_law_of_the_world_is_found_and_taken_where_the_same_processor_has_no_counter(block, tmp_path):
    (tmp_path / "results" / "metal").mkdir(parents=True)
    (tmp_path / "results" / "metal" / "noise.json").write_text(json.dumps({"schema": 1, "cpu_power": block}))
    laws, notes = find_laws(tmp_path / "results")

    law = choose_law(read_processor(tmp_path / "cpuinfo"), fitted=laws, signals=list(PER))

    assert notes == []
    assert law.source == "cpu_work_model"
    assert law.idle_watts[1] == pytest.approx(IDLE)
    found = {name: each[1] for name, each in law.joules_per.items()}
    assert found == pytest.approx({"cpu_seconds": PER_CPU_SECOND, **PER})


def test_each_law_says_what_it_was_fitted_to_and_why_another_could_not_be(block):
    by_source = {law["source"]: read_law(law) for law in block["laws"]}

    assert set(by_source) == {"cpu_seconds_model", "cpu_work_model"}
    assert block["unfitted"] == {"cpu_pmu_model": "no such signal is seen here"}
    assert (
        by_source["cpu_seconds_model"].origin == "calibrate --fit: 20 windows of 10 loads against a counter"
    )
    assert len(block["windows"]) == 20


def test_the_laws_are_shown(block):
    told = "\n".join(format_laws({"cpu_power": block}))

    assert "cpu_work_model: 0.8 W idle per thread, 1.5 J per cpu_seconds, 3e-11 J per macs_fp32" in told
    assert "cpu_pmu_model: not fitted: no such signal is seen here" in told


def test_without_a_fit_nothing_is_shown():
    assert list(format_laws({})) == []


def test_where_the_cpu_is_modelled_there_is_nothing_to_fit_to(joulebench, tmp_path):
    storage = tmp_path / "results"
    code, _, err = joulebench(
        "calibrate", "--fit", "--meters", "cpu_model,ram_model", "--storage", str(storage)
    )

    assert code == 4
    assert "--fit needs a counter of the CPU, and here the CPU is modelled" in err
    assert not storage.exists()


def test_known_work_without_a_fit_is_a_mistake(joulebench):
    code, _, err = joulebench("calibrate", "--known-work", "true")

    assert code == 4
    assert "give --fit, too" in err


def test_every_load_is_done_by_one_thread_by_half_and_by_all_and_rest_by_none():
    names = [load.name for load in list_loads(1.0, 8, ["python mine.py"])]

    assert names == [
        "rest x 1",
        *(f"{kind} x {count}" for kind in ("hash", "matmul", "copy") for count in (1, 4, 8)),
        "python mine.py",
    ]


def test_what_programs_side_by_side_have_done_adds_up():
    line = [sys.executable, "-c", "print('warming up'); print('{\"macs_fp32\": 2.5, \"bytes_moved\": 1}')"]

    assert do_work(Load("two", (line, line))) == {"macs_fp32": 5.0, "bytes_moved": 2.0}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exit 3", "ended with exit code 3"),
        ("true", "printed 'nothing' at its end"),
        ("echo done", "printed 'done' at its end"),
        ("echo '[1]'", "expected what it has done"),
    ],
)
def test_a_program_that_does_not_say_what_it_has_done_is_a_mistake(line, said):
    with pytest.raises(UsageError, match=said):
        do_work(Load(line, (line,)))


@pytest.mark.parametrize(("kind", "signals"), [("rest", set()), ("hash", set()), ("matmul", {"macs_fp32"}),
                                               ("copy", {"bytes_moved"})])  # fmt: skip
def test_each_kind_of_work_says_how_much_it_was(kind, signals):
    done = KINDS[kind](0.01)

    assert set(done) == signals
    assert all(amount > 0 for amount in done.values())
