"""Recordings of sensors: what is written, that it is nobody's, and that meters find the joules in it again.

Recordings that owners of hardware have sent stand in tests/samples/recordings, and are replayed here, too.
"""

import gzip
import json
import socket
from functools import partial
from getpass import getuser
from pathlib import Path

import pytest

from energy.__main__ import main
from energy.meters import hwmon, nvml, rapl
from energy.meters._recording import Answers, Raw, ask, files, write
from energy.meters._recording import nvml as nvml_raws
from tests.simulated.hwmon import SERVER, Chip, Tree
from tests.simulated.machine import Machine, Step, measure
from tests.simulated.nvml import NOT_SUPPORTED, Gpu, Library
from tests.simulated.powercap import Powercap, Zone
from tests.simulated.recording import Recording, Replay

SENT = sorted((Path(__file__).parents[1] / "samples" / "recordings").glob("*.jsonl.gz"))
WATTS = {"gpu": 400.0, "cpu": 120.0, "ram": 20.0, "machine": 900.0}


class Stage:
    """A simulated machine with a GPU, RAPL and an ACPI power meter, whose power steps up after 4 s."""

    def __init__(self, root):
        for name in ("powercap", "hwmon"):
            (root / name).mkdir()
        self.machine = Machine()
        self.shapes = {name: Step(watts, 1.5 * watts, at=4.0) for name, watts in WATTS.items()}
        self.library = Library(self.machine, [Gpu(shape=self.shapes["gpu"])])
        zones = [
            Zone("intel-rapl:0", "package-0", self.shapes["cpu"]),
            Zone("intel-rapl:0:0", "dram", self.shapes["ram"]),
        ]
        self.tree = Powercap(root / "powercap", self.machine, zones)
        self.machine.shape = self.shapes["machine"]
        self.chips = Tree(root / "hwmon", self.machine, [SERVER, Chip("coretemp", {})])
        (root / "hwmon" / "hwmon1" / "temp1_input").write_text("41000\n")
        self.root, self.written_at = root, self.machine.now()

    def sleep(self, seconds):
        """Let time pass; files change every 50 ms, since writing one can take milliseconds."""
        self.machine.advance(seconds)
        if self.machine.now() - self.written_at >= 0.05:
            self.written_at = self.machine.now()
            self.tree.update()
            self.chips.now()

    def raws(self):
        return [
            nvml_raws.open_raws(self.library),
            files.open_powercap(self.root / "powercap"),
            files.open_hwmon(self.root / "hwmon"),
        ]

    def record(self, path, seconds=9.0):
        raws, answers = self.raws(), Answers()
        sensors = [sensor for one in raws for sensor in one.sensors]
        ask(sensors, seconds, self.machine.now, self.sleep, answers)
        header = {
            "sources": {one.source: one.facts for one in raws},
            "sensors": [{"name": sensor.name, "unit": sensor.unit} for sensor in sensors],
        }
        write(path, header, answers)
        return path


def text_of(path):
    return gzip.decompress(path.read_bytes()).decode()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    root = tmp_path_factory.mktemp("stage")
    return Stage(root).record(root / "simulated.jsonl.gz")


def test_the_meters_find_in_a_recording_what_the_machine_drew(recorded, tmp_path):
    replay = Replay(Recording(recorded), tmp_path)
    clocks = {"clock": replay.now, "sleep": replay.advance}
    meters = [
        nvml.open(library=replay, **clocks),
        rapl.open(root=replay.powercap, **clocks),
        hwmon.open(root=replay.hwmon, clock=replay.now),
    ]
    stage = Machine()

    for meter in meters:
        replay.seconds = 1000.0
        energy, _ = measure(replay_machine(replay), meter, 5.0, settle_seconds=2.0)
        for part in energy.domains:
            shape = Step(WATTS[part.domain], 1.5 * WATTS[part.domain], at=4.0)
            truth = stage.energy(replay.seconds - energy.seconds, replay.seconds, shape)
            assert part.band[0] <= truth <= part.band[1], part
            # The machine's sensor is read once a second, and its edges are as old.
            assert part.joules == pytest.approx(truth, rel=0.15 if part.domain == "machine" else 0.03), part


def replay_machine(replay):
    """Let `measure` move the recorded machine; its truth is asked for elsewhere."""
    replay.energy = lambda start, end: 0.0
    return replay


@pytest.mark.parametrize("path", [None, *SENT], ids=["simulated", *(path.name for path in SENT)])
def test_a_recording_is_read_by_the_meters_without_contradiction(path, recorded, tmp_path):
    """Of the simulated machine, and of every real one whose owner has sent a recording."""
    replay = Replay(Recording(path or recorded), tmp_path)
    clocks = {"clock": replay.now, "sleep": replay.advance}
    openers = {
        "nvml": lambda: nvml.open(library=replay, **clocks),
        "powercap": lambda: rapl.open(root=replay.powercap, **clocks),
    }
    for source in openers.keys() & replay.sources.keys():
        replay.seconds = 1000.0
        seconds = replay.recording.seconds - 4.0
        energy, _ = measure(replay_machine(replay), openers[source](), seconds, settle_seconds=3.0)

        assert all(part.joules and part.joules > 0 for part in energy.headline())
        assert not {"reset", "lost_device", "gap"} & set(energy.flags())


def test_every_answer_stands_with_when_it_was_asked_and_how_long_it_took(tmp_path):
    machine, shown = Machine(), iter(range(1000))

    def slow():
        machine.advance(0.002)
        return next(shown)

    def broken():
        raise OSError(5, "Input/output error", "/home/ada/secret")

    sensors = [Raw("a", "mW", slow), Raw("b", "mW", broken), Raw("c", "C", lambda: 40, state=True)]
    answers = Answers()
    ask(sensors, 0.2, machine.now, machine.advance, answers)
    write(
        tmp_path / "r.jsonl.gz",
        {"sensors": [{"name": raw.name, "unit": raw.unit} for raw in sensors]},
        answers,
    )
    rows = [json.loads(line) for line in text_of(tmp_path / "r.jsonl.gz").splitlines()]

    assert (rows[0]["format"], rows[0]["version"], rows[-1]) == (
        "joulebench recording",
        1,
        {"answers": len(rows) - 2},
    )
    assert rows[1:4] == [[0, 0, 2000, 0], [1, 2000, 0, None, "OSError Input/output error"], [2, 2000, 0, 40]]
    assert [row[1] for row in rows[1:-1] if row[0] == 0][:40] == [5000 * n for n in range(40)]
    assert sum(row[0] == 2 for row in rows[1:-1]) in (2, 3)  # every 100 ms


def test_a_machine_that_answers_late_is_asked_as_often_as_it_answers(tmp_path):
    machine, answers = Machine(), Answers()

    ask([Raw("a", "mW", lambda: machine.advance(0.02) or 1)], 1.0, machine.now, machine.advance, answers)

    assert len(answers) == pytest.approx(50, abs=1)


def test_only_what_a_board_answers_is_recorded():
    library = Library(Machine(), [Gpu(counter_error=NOT_SUPPORTED, instant=False)])

    raws = nvml_raws.open_raws(library)
    raws.close()

    assert [raw.name for raw in raws.sensors if not raw.state] == ["gpu-0/nvmlDeviceGetPowerUsage"]
    assert library.users == 0


def test_a_file_that_is_there_is_not_written_over_and_half_a_file_not_left(tmp_path):
    (tmp_path / "old").write_text("somebody's")
    with pytest.raises(FileExistsError):
        write(tmp_path / "old", {}, Answers())
    with pytest.raises(TypeError):
        write(tmp_path / "new", {"facts": object()}, Answers())

    assert (tmp_path / "old").read_text() == "somebody's"
    assert not (tmp_path / "new").exists()


# The command


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Let `record` find a simulated machine and no other, and time pass when it sleeps."""
    stage = Stage(tmp_path)
    monkeypatch.setattr(nvml_raws, "open_raws", partial(nvml_raws.open_raws, stage.library))
    monkeypatch.setattr(files, "open_powercap", partial(files.open_powercap, stage.root / "powercap"))
    monkeypatch.setattr(files, "open_hwmon", partial(files.open_hwmon, stage.root / "hwmon"))
    monkeypatch.setattr(files, "open_clock", partial(files.open_clock, tmp_path / "nowhere"))
    monkeypatch.setattr("energy.commands.record.monotonic", stage.machine.now)
    monkeypatch.setattr("energy.commands.record.sleep", stage.sleep)
    monkeypatch.chdir(tmp_path)
    return stage


def test_the_command_writes_a_file_with_nothing_personal_in_it(stage, capsys):
    code = main(["record", "--seconds", "0.5"])
    said = capsys.readouterr()
    (path,) = stage.root.glob("*.jsonl.gz")
    text = text_of(path)

    assert code == 0
    assert path.name == "nvidia-h200.jsonl.gz"
    assert "tests/samples/recordings/" in said.out
    assert "cpufreq is missing: The kernel does not tell" in said.err
    personal = [
        socket.gethostname(),
        getuser(),
        str(Path.home()),
        str(stage.root),
        str(Path.cwd()),
        stage.library.gpus[0].uuid,
    ]
    assert [word for word in personal if len(word) > 4 and word.lower() in text.lower()] == []
    assert path.name.encode() not in path.read_bytes()[:64]  # gzip keeps a name, if it is told one


def test_what_the_command_wrote_can_be_replayed(stage, tmp_path):
    main(["record", "--seconds", "0.5", "-o", "mine.jsonl.gz"])
    recording = Recording(stage.root / "mine.jsonl.gz")

    assert recording.header["machine"].keys() == {"cpu", "cores", "ram_gib", "system", "kernel"}
    assert set(recording.units.values()) == {"mJ", "mW", "C", "MHz", "bits", "uJ", "uW", "mC"}
    assert len(recording.answers["gpu-0/nvmlDeviceGetTotalEnergyConsumption"][0]) == pytest.approx(100, abs=2)
    assert recording.header["missing"].keys() == {"cpufreq"}


def test_ctrl_c_keeps_what_was_recorded_until_then(stage, monkeypatch):
    def interrupted(seconds):
        stage.sleep(seconds)
        if stage.machine.now() > 1000.3:
            raise KeyboardInterrupt

    monkeypatch.setattr("energy.commands.record.sleep", interrupted)

    assert main(["record", "-o", "mine.jsonl.gz"]) == 0
    assert 0.25 < Recording(stage.root / "mine.jsonl.gz").seconds < 0.35


def test_an_outside_meter_is_recorded_without_its_name(stage, monkeypatch):
    (stage.root / "ada's plug.csv").write_text("time,ada's watts\n2026-01-31T13:04:05Z,71.3\n")

    code = main(["record", "--seconds", "0.3", "-o", "mine.jsonl.gz", "--outside", "ada's plug.csv"])
    recording = Recording(stage.root / "mine.jsonl.gz")

    assert code == 0
    assert set(recording.answers["outside/watts"][1]) == {71_300}
    assert "ada" not in text_of(stage.root / "mine.jsonl.gz")


def test_a_machine_without_sensors_says_what_is_missing_and_fails(stage, monkeypatch, capsys):
    empty = stage.root / "empty"
    monkeypatch.setattr(
        nvml_raws, "open_raws", partial(nvml_raws.open_raws.func, Library(Machine(), init_error=12))
    )
    monkeypatch.setattr(files, "open_powercap", partial(files.open_powercap.func, empty))
    monkeypatch.setattr(files, "open_hwmon", partial(files.open_hwmon.func, empty))

    code = main(["record", "--seconds", "1"])
    said = capsys.readouterr()

    assert code == 4
    assert [line.split()[1] for line in said.err.splitlines()[:-1]] == [
        "nvml",
        "powercap",
        "hwmon",
        "cpufreq",
    ]
    assert "there is no sensor of power or energy to record" in said.err.splitlines()[-1]
    assert list(stage.root.glob("*.gz")) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--seconds", "0"], "--seconds 0: expected more than 0"),
        (["--seconds", "1e9"], "at most 3600"),
        (["--seconds", "1", "-o", "there.gz"], "there.gz is there already"),
        (["--seconds", "1", "-o", "no/such/folder.gz"], "no/such/folder.gz cannot be written: No such file"),
        (["--seconds", "1", "--outside", "nowhere.csv"], "nowhere.csv cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_so(stage, capsys, arguments, reason):
    (stage.root / "there.gz").write_text("")

    code = main(["record", *arguments])

    assert code == 4
    assert reason in capsys.readouterr().err.splitlines()[-1]
