"""The figures of a record against a training whose power is known by hand."""

from dataclasses import replace

import pytest

from energy.measuring import machine, record
from energy.measuring.case import Case, Repeat
from energy.measuring.figures import measured
from energy.measuring.machine import State
from energy.measuring.window import Mark, Window
from energy.reading import Count, Fault, Reading
from energy.records import provenance
from energy.records.fingerprint import name_hardware

SETUP_SECONDS, EPOCH_SECONDS = 10.0, 20.0
CPU_WATTS, RAM_WATTS, SETUP_CPU_WATTS = 30.0, 5.0, 50.0


def reading(seconds: float, cpu: float | None, ram: float = 0.0, gpu: float | None = None) -> Reading:
    """Return what meters would say at an instant, in joules since 0 s."""
    reason = "the file is closed" if cpu is None else None
    counts = [
        Count("cpu", "package-0", "rapl", "measured", cpu, seconds, reason=reason),
        Count("ram", "machine", "codecarbon_ram_model", "modelled", ram, seconds, 0.25, 2.0),
    ]
    if gpu is not None:
        counts.append(Count("gpu", "GPU-0", "nvml_counter", "measured", gpu, seconds))
    return Reading(seconds, tuple(counts))


def state(seconds: float, **changes: float | None) -> State:
    values = {
        "monotonic_seconds": seconds,
        "boot_seconds": seconds,
        "wall_seconds": 1e9 + seconds,
        "busy_cpu_seconds": 0.0,
        "own_cpu_seconds": 0.0,
        "temperature_c": None,
        "load_average": None,
    }
    return State(**(values | changes))


def training(epochs: int = 3, cpu_known: bool = True) -> Repeat:
    """A set-up of 10 s at 50 W, then epochs of 20 s at 30 W; the memory draws 5 W throughout."""

    def at(seconds: float) -> Reading:
        joules = SETUP_CPU_WATTS * min(seconds, SETUP_SECONDS) + CPU_WATTS * max(0.0, seconds - SETUP_SECONDS)
        return reading(seconds, joules if cpu_known else None, RAM_WATTS * seconds)

    window = Window(())
    window.first = at(0.0)
    window.marks = [Mark("setup", at(SETUP_SECONDS), {})]
    for number in range(1, epochs + 1):
        facts = {"epoch": number, "loss": 1.0 / number, "val_dice": 0.3 * number, "slices": 96}
        window.marks.append(Mark("epoch", at(SETUP_SECONDS + number * EPOCH_SECONDS), facts))
    end = SETUP_SECONDS + epochs * EPOCH_SECONDS
    window.last = at(end)
    window.state_before, window.state_after = state(0.0), state(end)
    window.peak_rss_mib = None
    return Repeat(window, seed=0, observed={"dice": 0.9}, facts={"target_dice": 0.6})


def test_total_parts_and_epochs_are_what_a_hand_calculation_gives():
    row = measured(training(epochs=3), idle_watts=8.0, grid_g_per_kwh=500.0)

    assert row["setup_kj"][0] == pytest.approx(10 * 55 / 1000)
    assert row["kj_per_epoch"][0] == pytest.approx(20 * 35 / 1000)
    assert row["s_per_epoch"][0] == pytest.approx(20)
    assert row["slices_per_s"][0] == pytest.approx(96 / 20)
    assert row["cpu_kj"][0] == pytest.approx((10 * 50 + 60 * 30) / 1000)
    assert row["ram_kj"][0] == pytest.approx(70 * 5 / 1000)
    assert row["total_kj"][0] == pytest.approx(row["setup_kj"][0] + 3 * row["kj_per_epoch"][0])
    assert row["idle_kj"][0] == pytest.approx(70 * 8 / 1000)
    assert row["mean_watts"][0] == pytest.approx(2650 / 70)
    assert row["dice_per_kj"][0] == pytest.approx(0.9 / 2.65)
    assert row["co2_g"][0] == pytest.approx(2650 / 3.6e6 * 500)
    assert row["kj_to_dice"][0] == pytest.approx((550 + 2 * 700) / 1000)


def test_the_teacher_s_energy_is_a_part_of_the_total_beside_the_set_up_s():
    repeat = training(epochs=3)
    plain = measured(repeat, None, None)
    repeat.window.marks.insert(0, Mark("teacher", reading(4.0, 4 * SETUP_CPU_WATTS, 4 * RAM_WATTS), {}))
    row = measured(repeat, None, None)

    assert row["teacher_kj"][0] == pytest.approx(4 * 55 / 1000)
    assert row["setup_kj"][0] == pytest.approx(6 * 55 / 1000)
    assert "teacher_kj" not in plain
    assert {name: row[name] for name in ("total_kj", "kj_per_epoch")} == {
        name: plain[name] for name in ("total_kj", "kj_per_epoch")
    }


def test_a_single_epoch_is_its_own_steady_state_without_the_set_up():
    row = measured(training(epochs=1), None, None)

    assert row["kj_per_epoch"][0] == pytest.approx(20 * 35 / 1000)


def test_an_unknown_part_makes_the_total_unknown_with_its_reason_and_never_0():
    row = measured(training(cpu_known=False), None, None)

    for name in ("total_kj", "cpu_kj", "kj_per_epoch", "setup_kj", "dice_per_kj", "mean_watts", "kj_to_dice"):
        value, reason = row[name]
        assert value is None
        assert "the file is closed" in reason
    assert row["ram_kj"][0] == pytest.approx(0.35)


def test_a_domain_that_no_meter_reads_makes_the_total_unknown():
    repeat = training()
    window = repeat.window
    window.first, window.last = (Reading(r.seconds, r.counts[:1]) for r in (window.first, window.last))

    row = measured(repeat, None, None)

    assert row["cpu_kj"][0] == pytest.approx(2.3)
    assert row["ram_kj"] == (None, "no meter read the ram in this run")
    assert row["total_kj"] == (None, "no meter read the ram in this run")


def test_a_gpu_counts_into_the_total():
    repeat = training()
    first, last = reading(0, 0, 0, 0), reading(70, 2300, 350, 7000)
    repeat.window.first, repeat.window.last = first, last

    assert measured(repeat, None, None)["total_kj"][0] == pytest.approx(2.3 + 0.35 + 7.0)


def test_a_sum_without_cpu_or_memory_is_not_shown_as_a_total():
    repeat = training()
    window = repeat.window
    window.first, window.last = (Reading(r.seconds, r.counts[:1]) for r in (window.first, window.last))
    window.marks = []
    case = Case("unet-baseline", ())
    case.repeats = [repeat]

    shown = provenance.find_provenance(record.build(case))

    assert (shown.joules, shown.band) == (None, None)


def test_without_a_set_up_mark_its_energy_is_unknown_and_not_0():
    repeat = training()
    repeat.window.marks = repeat.window.marks[1:]

    assert measured(repeat, None, None)["setup_kj"] == (None, "the case marked no end of its set-up")


def test_a_target_that_was_never_reached_has_no_price():
    repeat = training(epochs=1)

    value, reason = measured(repeat, None, None)["kj_to_dice"]

    assert value is None
    assert reason == "validation Dice never reached 0.6"


def test_the_record_lists_each_source_with_its_band_and_each_epoch_with_its_joules():
    case = Case("unet-baseline", ())
    case.repeats = [training(), training()]

    made = record.build(case)

    cpu, ram = made["domains"]
    assert (cpu["source"], cpu["kind"], cpu["joules"]) == ("rapl", "measured", [2300.0, 2300.0])
    assert (ram["source"], ram["kind"], ram["band"]) == ("codecarbon_ram_model", "modelled", [87.5, 700.0])
    assert [epoch["joules"] for epoch in made["epochs"][0]] == pytest.approx([700, 700, 700])
    assert made["metrics"]["total_kj"]["values"] == pytest.approx([2.65, 2.65])


def test_an_energy_comes_with_the_band_of_its_meters():
    case = Case("unet-baseline", ())
    case.repeats = [training(epochs=3)]

    metrics = record.build(case)["metrics"]

    # RAPL is exact here; the memory's truth lies between a quarter and twice its figure.
    assert metrics["total_kj"]["band"] == pytest.approx([2.3 + 0.35 / 4, 2.3 + 0.35 * 2])
    assert metrics["kj_per_epoch"]["band"] == pytest.approx([0.6 + 0.1 / 4, 0.6 + 0.1 * 2])
    assert metrics["gpu_kj"].get("band") is None


def test_the_ledger_tells_what_went_wrong_when_and_how_much_is_at_stake():
    repeat = training(epochs=3)
    lost = Fault("gap", "rapl", "package-0", 40.0, 2.0, 300.0, "nobody looked")
    repeat.window.last = replace(repeat.window.last, faults=(lost,))
    case = Case("unet-baseline", ())
    case.repeats = [repeat]

    made = record.build(case)

    assert made["faults"] == [
        [
            {
                "kind": "gap",
                "source": "rapl",
                "device": "package-0",
                "at_seconds": 40.0,
                "seconds": 2.0,
                "joules_at_stake": 300.0,
                "reason": "nobody looked",
            }
        ]
    ]
    assert made["metrics"]["total_kj"]["band"][1] == pytest.approx(2.3 + 0.7 + 0.3)
    assert made["validity"]["invalid"] == ["gap"]


def test_a_second_opinion_says_how_far_it_is_from_the_headline():
    repeat = training(epochs=3)
    for name, joules in (("first", 0.0), ("last", 2070.0)):
        before = getattr(repeat.window, name)
        witness = Count("cpu", "package-0", "rapl_perf", "measured", joules, before.seconds, witness=True)
        setattr(repeat.window, name, replace(before, counts=(*before.counts, witness)))
    case = Case("unet-baseline", ())
    case.repeats = [repeat]

    made = record.build(case)

    found = {domain["source"]: domain["disagreement"] for domain in made["domains"]}
    assert found["rapl"] is None
    assert found["rapl_perf"] == pytest.approx([-0.1])
    assert made["validity"] == {"ok": True, "invalid": [], "notes": ["meters_disagree"]}


def test_an_outside_meter_is_a_figure_of_its_own_and_no_part_of_the_total():
    repeat = training(epochs=3)
    for name, joules in (("first", 0.0), ("last", 4200.0)):
        before = getattr(repeat.window, name)
        plug = Count("machine", "plug.csv", "outside_power", "measured", joules, before.seconds, witness=True)
        setattr(repeat.window, name, replace(before, counts=(*before.counts, plug)))

    row = measured(repeat, None, None)

    assert row["outside_kj"] == (pytest.approx(4.2), None)
    assert row["total_kj"][0] == pytest.approx(2.65)


@pytest.mark.parametrize(("step_joules", "expected"), [(3.6, 4.4), (3600.0, 4.2)])
def test_of_an_outside_meter_s_watts_and_its_counter_the_surer_is_the_figure(step_joules, expected):
    """A counter of thousandths of a Wh is surer than samples of power; one of whole Wh is not."""
    repeat = training(epochs=3)
    for name, share in (("first", 0.0), ("last", 1.0)):
        before = getattr(repeat.window, name)
        made = {"kind": "measured", "covered_seconds": before.seconds, "witness": True}
        power = Count("machine", "plug.csv", "outside_power", joules=4200 * share, edge_joules=30.0, **made)
        counter = Count(
            "machine", "plug.csv", "outside_counter", joules=4400 * share, edge_joules=step_joules / 2, **made
        )
        setattr(repeat.window, name, replace(before, counts=(*before.counts, power, counter)))

    assert measured(repeat, None, None)["outside_kj"] == (pytest.approx(expected), None)


def test_parts_that_draw_more_than_the_whole_machine_disagree_with_it():
    repeat = training(epochs=3)
    for name, joules in (("first", 0.0), ("last", 2000.0)):
        before = getattr(repeat.window, name)
        plug = Count("machine", "plug.csv", "outside_power", "measured", joules, before.seconds, witness=True)
        setattr(repeat.window, name, replace(before, counts=(*before.counts, plug)))

    assert repeat.window.energy.flags() == ("meters_disagree",)


def test_the_temperature_rise_is_that_of_the_gpu_that_warmed_most():
    repeat = training()
    repeat.window.first, repeat.window.last = reading(0, 0, 0, 0), reading(70, 2300, 350, 7000)
    repeat.window.context_before = {"GPU-0": {"temperature_c": 40.0}, "GPU-1": {"temperature_c": 41.0}}
    repeat.window.context_after = {"GPU-0": {"temperature_c": 71.0}, "GPU-1": {"temperature_c": 66.0}}

    assert measured(repeat, None, None)["temp_rise_c"] == (31.0, None)


def test_a_gpu_without_a_temperature_has_no_rise_and_the_cpus_is_not_shown_for_it():
    repeat = training()
    repeat.window.first, repeat.window.last = reading(0, 0, 0, 0), reading(70, 2300, 350, 7000)
    repeat.window.state_before, repeat.window.state_after = (
        state(0, temperature_c=40),
        state(70, temperature_c=60),
    )

    value, reason = measured(repeat, None, None)["temp_rise_c"]

    assert value is None
    assert "GPU tells no temperature" in reason


def test_load_of_other_programs_is_flagged_and_our_own_is_not():
    cores = len(machine.allowed_cpus())
    ours = state(60, busy_cpu_seconds=50.0 * cores, own_cpu_seconds=50.0 * cores)
    theirs = state(60, busy_cpu_seconds=50.0 * cores, own_cpu_seconds=25.0 * cores)

    assert machine.flags(state(0), ours) == ()
    assert machine.flags(state(0), theirs) == ("oversubscribed",)


def test_hyper_threads_of_one_core_count_once(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "allowed_cpus", lambda: (0, 1, 2, 3))
    monkeypatch.setattr(machine, "quota_cpus", lambda: 64)
    for cpu, core in enumerate([0, 1, 0, 1]):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text("0\n")
        (folder / "core_id").write_text(f"{core}\n")

    assert machine.physical_cores(tmp_path) == 2


@pytest.mark.parametrize(("quota", "cores"), [(1.5, 1), (0.2, 1), (2.9, 2), (float("inf"), 4)])
def test_a_quota_limits_the_cores(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(machine, "allowed_cpus", lambda: (0, 1, 2, 3))
    monkeypatch.setattr(machine, "quota_cpus", lambda: quota)

    assert machine.physical_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("hardware", "starts"),
    [
        (
            {"gpus": [], "cpu": "AMD EPYC 7763 64-Core Processor", "cores": 2, "meters": []},
            "epyc-7763-2c-cpu-",
        ),
        (
            {"gpus": [], "cpu": "Intel(R) Xeon(R) Processor @ 2.60GHz", "cores": 2, "meters": []},
            "xeon-2c-cpu-",
        ),
        (
            {
                "gpus": [{"name": "NVIDIA H200", "power_limit_watts": 700.0, "mig": False}],
                "cpu": "",
                "cores": 16,
                "meters": ["nvml_counter"],
            },
            "h200-700w-",
        ),
    ],
)
def test_a_fingerprint_is_readable(hardware, starts):
    assert name_hardware(hardware).startswith(starts)


def test_another_power_limit_or_meter_is_another_fingerprint():
    board = {"name": "NVIDIA H200", "power_limit_watts": 700.0, "mig": False}
    hardware = {"gpus": [board], "cpu": "", "cores": 16, "meters": ["nvml_counter"]}

    names = {
        name_hardware(hardware),
        name_hardware(hardware | {"gpus": [board | {"power_limit_watts": 500.0}]}),
        name_hardware(hardware | {"meters": ["nvml_power"]}),
    }

    assert len(names) == 3
