"""The charts: what they show is what the records say, and they say what they do not show."""

import numpy as np
import pytest

from energy.history.series import ChangePoint, Cut, Level, Series
from energy.history.series import Point as Past
from energy.report import charts
from energy.report.charts import (
    _frames,
    _look,
    _marks,
    dice_lost_vs_unet,
    dice_vs_cumulative_kj,
    dice_vs_kj_per_epoch,
    dice_vs_total_kj,
    heatmap,
    history,
    int8,
    ladder,
    overlays,
    parts,
    power_over_time,
    radar,
    seconds_vs_watts,
    slope,
)  # fmt: skip
from energy.report.model import Figure, Model, Part, Point
from tests.simulated.records import domain, record
from tests.simulated.reports import (
    MEASURED,
    MODELLED,
    cases,
    flagged,
    found,
    model_of,
    panel,
    point,
    three_machines,
    trained,
)  # fmt: skip

SCATTERS = {
    "dice_vs_total_kj": (dice_vs_total_kj, "total_kj", "dice"),
    "dice_vs_kj_per_epoch": (dice_vs_kj_per_epoch, "kj_per_epoch", "dice"),
    "dice_lost_vs_unet": (dice_lost_vs_unet, "total_kj", "dice_loss_vs_unet_pct"),
}


@pytest.fixture(scope="module")
def one():
    return model_of(found(cases()))


@pytest.fixture(scope="module")
def three():
    return three_machines()


def rows(chart, name):
    return chart.spec["datasets"][name]


def means(metric):
    """What the records of the machine that measures say of a metric, by case."""
    usual = [case for case in cases() if case["task"] == "training" and case["status"] == "ok"]
    return {case["case"]: case["metrics"][metric]["mean"] for case in usual}


# --- the study's figures ---


@pytest.mark.parametrize("name", SCATTERS)
def test_marks_stand_where_the_records_say(one, name):
    module, across, up = SCATTERS[name]
    (chart,) = module.draw(one)

    places = sorted((row["x"], row["y"]) for row in rows(chart, "points0"))

    assert places == sorted(zip(means(across).values(), means(up).values(), strict=True))
    assert chart.part == "study"


@pytest.mark.parametrize("name", SCATTERS)
def test_the_table_behind_a_chart_has_the_records_figures(one, name):
    module, across, up = SCATTERS[name]
    (chart,) = module.draw(one)

    told = {row[2]: (float(row[3]), float(row[5])) for row in chart.rows}

    assert told.keys() == means(across).keys()
    for case, (y, x) in told.items():
        assert x == pytest.approx(means(across)[case], rel=6e-4)
        assert y == pytest.approx(means(up)[case], rel=6e-4, abs=1e-3)


def test_the_front_leaves_out_what_is_dominated_and_what_is_flagged(one):
    (chart,) = dice_vs_total_kj.draw(one)

    on_front = [row[2] for row in chart.rows if row[-1] == "yes"]

    assert on_front == ["enet-baseline", "enet-bf16", "unet-baseline"]
    corners = rows(chart, "front0")[:-1]
    assert [row["x"] for row in corners] == [means("total_kj")[case] for case in on_front]
    assert [row["y"] for row in corners] == [means("dice")[case] for case in on_front]


def test_less_dice_lost_is_better(one):
    (chart,) = dice_lost_vs_unet.draw(one)

    assert [row[2] for row in chart.rows if row[-1] == "yes"] == [
        "enet-baseline",
        "enet-bf16",
        "unet-baseline",
    ]


def test_a_flagged_case_is_hollow_with_its_reason_and_no_other_is(one):
    (chart,) = dice_vs_total_kj.draw(one)

    hollow = [row for row in rows(chart, "points0") if row["record"] == _marks.FLAGGED]

    assert [row["told"].partition(":")[0] for row in hollow] == ["sqnet-baseline"]
    assert "throttled, shared_gpu" in hollow[0]["told"]
    assert {row[2]: row[-2] for row in chart.rows}["sqnet-baseline"] == "throttled, shared_gpu"


def test_a_failed_case_is_not_drawn(one):
    for module, _, _ in SCATTERS.values():
        (chart,) = module.draw(one)
        assert "cgnet" not in str(chart)


def test_repeats_are_small_marks_and_intervals_are_bars(one):
    (chart,) = dice_vs_total_kj.draw(one)

    repeats = {(row["x"], row["y"]) for row in rows(chart, "repeats0")}
    unet = next(row for row in rows(chart, "points0") if row["told"].startswith("unet"))

    assert (20.0, 0.90) in repeats
    assert (21.0, 0.91) in repeats
    # Student's t for two values a and b: mean ± 12.706 |a - b| / 2; wider than the frame, hence cut there.
    assert unet["y1"] == pytest.approx(0.905 - 12.706 * 0.005, abs=1e-4)
    assert unet["y2"] == pytest.approx(0.905 + 12.706 * 0.005, abs=1e-4)


def test_one_repeat_has_neither_small_marks_nor_an_interval_and_says_so():
    (chart,) = dice_vs_total_kj.draw(model_of(found([trained("unet-baseline", [0.9], [20.0])])))

    assert rows(chart, "repeats0") == []
    assert "x1" not in rows(chart, "points0")[0]
    assert "One repeat each" in chart.description


def test_measured_modelled_and_mixed_stand_in_frames_and_marks_of_their_own(three):
    (chart,) = dice_vs_total_kj.draw(three)

    kinds = [
        {row["mark"].rpartition("; ")[2] for row in rows(chart, f"points{number}")} for number in range(3)
    ]

    assert kinds == [{"measured"}, {"mixed"}, {"modelled"}]
    assert [one["title"]["text"].rpartition(": ")[2] for one in chart.spec["concat"]] == [
        "measured", "mixed", "modelled",
    ]  # fmt: skip


def test_no_two_kinds_share_a_shape():
    shapes = [shape for shapes in _marks.SHAPES.values() for shape in shapes]

    assert len(set(shapes)) == len(shapes) == 9


def test_machines_share_their_axes_and_name_their_power_limits(three):
    (chart,) = dice_vs_total_kj.draw(three)

    domains = [
        layer["encoding"]["x"]["scale"]["domain"]
        for panel in chart.spec["concat"]
        for layer in panel["layer"]
        if "x" in layer["encoding"]
    ]

    assert all(domain == domains[0] for domain in domains)
    assert chart.spec["concat"][0]["title"]["text"] == "NVIDIA H200 at 700 W: measured"


def test_two_machines_of_one_name_are_told_apart_by_their_fingerprints():
    model = model_of(found(cases(), "h200-a"), found(cases(), "h200-b"))

    assert {panel.machine for panel in model.panels} == {
        "AMD EPYC, 2 cores (h200-a)",
        "AMD EPYC, 2 cores (h200-b)",
    }


def test_a_chart_of_hundreds_of_cases_keeps_the_front_and_the_unet_and_says_what_it_left_out():
    many = [point(f"net{n}-baseline", dice=0.3 + 0.0001 * n, total_kj=500.0 - 0.1 * n) for n in range(3000)]
    best = point("best-baseline", dice=0.99, total_kj=100.0)
    unet = point("unet-baseline", dice=0.2, total_kj=600.0)

    (chart,) = dice_vs_total_kj.draw(Model((panel([*many, best, unet]),)))

    drawn = {row[2] for row in chart.rows}
    assert {"best-baseline", "unet-baseline"} <= drawn
    assert len(drawn) <= _frames.MOST_POINTS
    assert f"{3002 - len(drawn)} more cases are left out" in chart.description


def test_a_front_of_hundreds_is_thinned_too_and_keeps_its_unet():
    many = [point(f"net{n}-baseline", dice=0.3 + 0.0001 * n, total_kj=1.0 + n) for n in range(3000)]
    unet = point("unet-baseline", dice=0.2, total_kj=600.0)

    (chart,) = dice_vs_total_kj.draw(Model((panel([*many, unet]),)))

    drawn = {row[2] for row in chart.rows}
    assert "unet-baseline" in drawn
    assert 100 < len(drawn) <= _frames.MOST_POINTS + 1


def test_what_no_axis_can_hold_is_not_drawn():
    odd = [point("a-b", dice=0.5, total_kj=value) for value in (0.0, -3.0, 1e300)]
    odd.append(point("c-d", dice=1e200, total_kj=5.0))

    assert isinstance(dice_vs_total_kj.draw(Model((panel(odd),))), str)


# --- reasons ---


@pytest.mark.parametrize("name", charts.names())
def test_a_chart_without_figures_says_why_in_one_sentence(name):
    functions = record("test_sorting", task="function", arch=None, technique=None, epochs=[], domains=[])
    functions["metrics"] = {"seconds": functions["metrics"]["seconds"]}
    for model in (Model(()), model_of(found([functions]))):
        reason = charts._load(name).draw(model)

        assert isinstance(reason, str)
        assert 20 < len(reason) < 200
        assert "\n" not in reason


def test_every_chart_is_drawn_where_there_are_figures_for_it(three):
    drawn = charts.draw(three)

    assert {name for name, _ in drawn.reasons} == {"history", "overlays", "slope"}
    assert len({chart.name for chart in drawn.charts}) == len(drawn.charts)


def test_charts_have_places_of_their_own_and_the_studys_come_first(three):
    places = [charts._load(name).PLACE for name in charts.names()]

    assert len(set(places)) == len(places) == 14
    assert [chart.part for chart in charts.draw(three).charts][:4] == ["study"] * 3 + ["more"]


# --- heat map ---


def test_a_cell_is_the_multiple_of_the_unets_kj_and_the_difference_of_dice(one):
    (chart,) = heatmap.draw(one)

    cells = {(row["down"], row["across"]): row for row in rows(chart, "cells")}

    enet = cells["enet", "bf16"]
    assert enet["ratio"] == pytest.approx(3.15 / 20.5)
    assert enet["dice"] == "Dice −0.050"
    assert enet["text"] == "×0.154"
    assert cells["unet", "baseline"]["ratio"] == 1.0


def test_a_flagged_cell_says_so_and_has_no_colour(one):
    (chart,) = heatmap.draw(one)

    (cell,) = [row for row in rows(chart, "cells") if row["record"] == "flagged"]

    assert cell["down"] == "sqnet"
    assert cell["text"].endswith("flagged")


def test_without_a_good_unet_there_is_no_heat_map():
    points = [
        point("unet-baseline", good=False, dice=0.9, total_kj=20.0),
        point("a-b", dice=0.5, total_kj=1.0),
    ]

    assert "U-Net" in heatmap.draw(Model((panel(points),)))


# --- ladder ---


def test_the_ladder_shows_what_was_kept_what_was_dropped_and_what_could_not_be_tried(one):
    (chart,) = ladder.draw(one)

    told = {row["rung"]: (row["verdict"], row["value"]) for row in rows(chart, "rungs")}

    assert told == {
        "baseline": ("start; measured", 0.05),
        "1. + bf16": ("kept; measured", 0.08),
        "2. + cache": ("dropped; measured", 0.07),
        "3. + fp8": ("skipped; measured", None),
    }
    assert [row["value"] for row in rows(chart, "held")] == [0.05, 0.08, 0.08, 0.08]


@pytest.mark.parametrize(
    "told", [None, 7, {}, {"rungs": 3}, {"rungs": [1]}, {"rungs": [{"dice_per_kj": "1"}]}]
)
def test_a_ladder_of_another_form_is_no_ladder(told):
    odd = record("enet-ladder", task="ladder", epochs=[], setup=[{"ladder": told}])

    assert isinstance(ladder.draw(model_of(found([odd]))), str)


def test_a_ladder_is_no_case_of_the_other_charts(one):
    drawn = [chart for chart in charts.draw(one).charts if not chart.name.startswith("ladder")]

    assert not any("ladder" in row[2] for chart in drawn for row in chart.rows)


# --- training, epoch by epoch ---


def epochs(*joules, seconds=2.0):
    return [
        {"epoch": number, "joules": value, "seconds": seconds, "val_dice": 0.1 * number}
        for number, value in enumerate(joules, start=1)
    ]


def test_energy_so_far_is_set_up_and_all_epochs_before():
    case = Point(
        "a-b",
        "a",
        "b",
        figures={"setup_kj": Figure(0.5, None, (0.5,))},
        told_epochs=(epochs(1000.0, 2000.0, 500.0),),
    )

    (places,) = dice_vs_cumulative_kj.spent(case)

    assert places == [(1.5, 0.1), (3.5, 0.2), (4.0, pytest.approx(0.3))]


def test_after_an_epoch_of_unknown_energy_nothing_is_known_of_the_sum():
    case = Point("a-b", "a", "b", told_epochs=(epochs(1000.0, None, 500.0),))

    assert dice_vs_cumulative_kj.spent(case) == [[(1.0, 0.1)]]


def test_every_repeat_has_a_curve_and_of_many_machines_the_first_only(one, three):
    (alone,) = dice_vs_cumulative_kj.draw(one)
    (together,) = dice_vs_cumulative_kj.draw(three)

    assert len({row["curve"] for row in rows(alone, "curves0")}) == 8
    assert len({row["curve"] for row in rows(together, "curves0")}) == 4
    assert "first repeat" in together.description
    assert "first repeat" not in alone.description


def test_of_many_machines_a_case_shows_its_first_repeat_that_has_any():
    case = Point("a-b", "a", "b", told_epochs=(epochs(None, 100.0), epochs(1000.0, 500.0)))
    panels = tuple(panel([case], machine=f"machine {number}") for number in range(3))

    (chart,) = dice_vs_cumulative_kj.draw(Model(panels))

    assert [row[3:] for row in chart.rows] == [("1", "0.1"), ("1.5", "0.2")] * 3
    assert "left out" not in chart.description


@pytest.mark.parametrize("reference", [(), (("unet", "baseline"),)], ids=["alone", "beside U-Net"])
def test_the_curves_of_a_machine_have_colours_of_their_own_and_a_case_has_one_on_all(reference):
    first = [*reference, *((f"net{number}", "t") for number in range(6 - len(reference)))]
    second = [("new", "t"), *first[3:]]
    panels = [
        panel(
            [Point("-".join(name), *name, told_epochs=(epochs(100.0, 50.0),)) for name in names],
            machine=machine,
        )
        for machine, names in (("one", first), ("two", second))
    ]

    (chart,) = dice_vs_cumulative_kj.draw(Model(tuple(panels)))

    colours = [{row["case"]: row["colour"] for row in rows(chart, f"curves{number}")} for number in range(2)]
    assert [len(set(of.values())) for of in colours] == [6, 4]
    assert all(colours[0][case] == colours[1][case] for case in colours[0].keys() & colours[1].keys())
    assert all(colours[0]["-".join(name)] == _look.INK for name in reference)


def test_power_goes_on_after_a_gap_on_any_number_of_machines():
    case = Point("a-b", "a", "b", told_epochs=(epochs(100.0, None, 50.0),))
    panels = tuple(panel([case], machine=f"machine {number}") for number in range(5))

    (chart,) = power_over_time.draw(Model(panels))

    assert [row[3:] for row in chart.rows[:2]] == [("2", "50"), ("6", "25")]


def test_power_is_joules_by_seconds_and_a_gap_is_a_gap():
    case = Point("a-b", "a", "b", told_epochs=(epochs(100.0, 200.0, None, 50.0),))

    assert power_over_time.powers(case) == [
        [(0.0, 50.0), (2.0, 50.0), (4.0, 100.0)],
        [(6.0, 25.0), (8.0, 25.0)],
    ]


def test_power_is_not_joined_across_an_epoch_that_took_no_time():
    told = epochs(100.0, 10.0, 50.0)
    told[1]["seconds"] = 0.0
    case = Point("a-b", "a", "b", told_epochs=(told,))

    assert power_over_time.powers(case) == [[(0.0, 50.0), (2.0, 50.0)], [(2.0, 25.0), (4.0, 25.0)]]


def test_curves_of_modelled_joules_are_broken_and_of_measured_ones_are_not(three):
    for module in (dice_vs_cumulative_kj, power_over_time):
        (chart,) = module.draw(three)
        lines = [
            layer["mark"]["strokeDash"]
            for panel in chart.spec["concat"]
            for layer in panel["layer"]
            if layer["mark"]["type"] == "line"
        ]

        assert lines[0] == [1, 0]
        assert len({tuple(line) for line in lines}) == 3


def test_a_case_has_one_colour_in_all_frames(three):
    (chart,) = dice_vs_cumulative_kj.draw(three)

    colours = {(row["case"], row["colour"]) for number in range(3) for row in rows(chart, f"curves{number}")}

    assert len(colours) == len({case for case, _ in colours}) == 4


def test_idle_power_is_a_line_where_it_was_measured(one):
    (chart,) = power_over_time.draw(one)

    assert rows(chart, "idle0") == [{"y": 11.0, "text": "idle"}]
    assert "idle, before the first case, 11 W" in chart.description


# --- parts ---


def test_parts_stand_one_after_the_other_and_end_at_the_total(one):
    (chart,) = parts.draw(one)

    pieces = [row for row in rows(chart, "parts0") if row["case"] == "enet-baseline"]

    assert [row["begin"] for row in pieces] == pytest.approx([0, 1.435])
    assert [row["end"] for row in pieces] == pytest.approx([1.435, 2.05])
    (total,) = [row for row in rows(chart, "totals0") if row["case"] == "enet-baseline"]
    assert total["total"] == pytest.approx(2.05)
    assert total["idle"] == pytest.approx(2.05 / 4)
    assert total["text"] == "2.05 kJ, 25 % idle"


def test_a_modelled_part_of_a_mixed_total_is_named_and_pale(three):
    (chart,) = parts.draw(three)

    bars = chart.spec["concat"][1]["layer"][0]["encoding"]
    colours = dict(zip(*(bars["fill"]["scale"][key] for key in ("domain", "range")), strict=True))
    dashes = dict(zip(*(bars["strokeDash"]["scale"][key] for key in ("domain", "range")), strict=True))

    assert {row["part"] for row in rows(chart, "parts1")} == {"GPU, measured", "CPU, modelled"}
    assert len(set(colours.values())) == len(colours) == 3
    assert dashes["CPU, modelled"] != dashes["CPU, measured"] == dashes["GPU, measured"]


def test_a_witness_is_no_part():
    case = trained("unet-baseline", [0.9], [20.0])
    case["domains"].append(domain([9000.0], domain="cpu", source="codecarbon", witness=True))

    (chart,) = parts.draw(model_of(found([case])))

    assert [(row[2], row[4]) for row in chart.rows] == [("gpu", "14"), ("cpu", "6")]


def test_the_known_parts_of_an_unknown_whole_are_not_drawn():
    case = trained("unet-baseline", [0.9], [20.0])
    case["domains"].append(domain([None], domain="ram", source="rapl", reason="no sensor"))

    assert isinstance(parts.draw(model_of(found([case]))), str)


def test_what_a_failed_case_had_measured_is_not_drawn():
    case = trained("unet-baseline", [0.9], [20.0])
    error = {"type": "FloatingPointError", "message": "loss is nan", "seconds": 3.0}
    model = model_of(found([case | {"status": "diverged", "error": error}]))

    assert charts.draw(model).charts == ()


def test_a_part_that_is_unknown_leaves_no_bar():
    known = Point("a-b", "a", "b", figures={"total_kj": Figure(1.0, None, (1.0,))})
    whole = Point("c-d", "c", "d", figures=known.figures, parts=(Part("cpu", "measured", 1000.0),))

    (chart,) = parts.draw(Model((panel([known, whole]),)))

    assert {row[1] for row in chart.rows} == {"c-d"}


# --- two machines ---


def test_a_slope_joins_the_same_case_on_two_machines():
    model = model_of(found(cases(), "h200-a"), found(cases(factor=2.0), "h200-b"))

    (first, *_) = slope.draw(model)

    enet = sorted(row["y"] for row in rows(first, "slopes0") if row["case"] == "enet-baseline")
    assert enet == pytest.approx([2.05, 4.1])
    assert "more cases" not in first.description
    told = {row["told"].rpartition(", ")[2] for row in rows(first, "slopes0")}
    assert told == {"× 2.00"}
    ratios = [float(row[3]) for row in first.rows]
    assert ratios == pytest.approx([2.0] * len(ratios))
    assert not any("sqnet" in row[0] for row in first.rows)


@pytest.mark.parametrize("flagged_here", [True, False])
def test_a_case_that_is_flagged_on_one_of_two_machines_has_no_slope(flagged_here):
    good = [trained("unet-baseline", [0.9], [20.0]), trained("enet-baseline", [0.8], [2.0])]
    other = [good[0], flagged("enet-baseline", [0.8], [4.0])]
    pair = (other, good) if flagged_here else (good, other)

    (chart,) = slope.draw(model_of(found(pair[0], "h200-a"), found(pair[1], "h200-b")))

    assert [row[0] for row in chart.rows] == ["unet-baseline"]
    assert "more cases" not in chart.description


def test_measured_and_modelled_kilojoules_are_not_joined():
    model = model_of(found(cases("measured"), MEASURED), found(cases("modelled"), MODELLED))

    assert "measured and modelled kilojoules are not compared" in slope.draw(model)


def test_one_machine_has_no_slope(one):
    assert slope.draw(one) == "these results are of one machine"


# --- seconds against watts ---


def test_each_line_of_equal_energy_says_its_kilojoules(one):
    (chart, *_) = seconds_vs_watts.draw(one)

    lines = rows(chart, "iso0")

    assert lines
    for line in lines:
        kilojoules = float(line["text"].removesuffix(" kJ"))
        assert line["x1"] * line["y1"] == pytest.approx(1000 * kilojoules)
        assert line["x2"] * line["y2"] == pytest.approx(1000 * kilojoules)


def test_marks_of_seconds_and_watts_stand_where_the_records_say(one):
    (chart, *_) = seconds_vs_watts.draw(one)

    places = sorted((row["x"], row["y"]) for row in rows(chart, "points0"))

    assert places == sorted(zip(means("seconds").values(), means("mean_watts").values(), strict=True))


# --- radar ---


def test_the_unet_is_the_ring_at_1_and_a_cheaper_case_lies_outside_of_it(one):
    (chart,) = radar.draw(one)

    table = {row[2]: [float(cell) for cell in row[3:7]] for row in chart.rows}

    assert table["unet-baseline"] == [1.0] * 4
    dice, speed, energy, memory = table["enet-baseline"]
    assert dice == pytest.approx(0.81 / 0.905, rel=1e-3)
    assert speed == energy == pytest.approx(20.5 / 2.05, rel=1e-3)
    assert memory == pytest.approx(0.905 / 0.81, rel=1e-3)


def test_a_radar_has_five_polygons_at_most_and_closes_them():
    figures = {"seconds": 1.0, "peak_gpu_mib": 9.0}
    points = [point(f"n{n}-baseline", dice=0.1 * n, total_kj=n, **figures) for n in range(1, 9)]
    points.append(point("unet-baseline", dice=0.9, total_kj=9.0, **figures))

    (chart,) = radar.draw(Model((panel(points),)))

    corners = rows(chart, "polygons")
    assert len(chart.rows) == len({row["case"] for row in corners}) == 5
    for case in {row["case"] for row in corners}:
        own = [(row["x"], row["y"]) for row in corners if row["case"] == case]
        assert len(own) == 5
        assert own[0] == own[-1]


# --- FP32 and INT8 ---


def test_fp32_and_int8_of_one_network_stand_in_one_row(one):
    (chart,) = int8.draw(one)

    (row,) = chart.rows
    assert row[2] == "unet"
    told = dict(zip(chart.titles, row, strict=True))
    assert told["mean power / W, FP32"] == "200"
    assert told["mean power / W, INT8"] == "120"
    assert told["rise of temperature / °C, INT8"] == "12"
    assert told["energy per slice / J, INT8"] == "–"


# --- history ---


def series(case="enet-baseline", **changes):
    points = tuple(
        Past(f"h200/{n:04}_a", f"2026-01-{n + 1:02}T00:00:00", "abc", 3, 10.0 + (n >= 3), (9.0, 12.0))
        for n in range(6)
    )
    whole = {
        "fingerprint": MEASURED, "case": case, "task": "training", "metric": "total_kj", "relative": True,
        "points": points, "cuts": (Cut(5, ("software",)),), "levels": (Level(0, 3, 10.0), Level(3, 6, 11.0)),
        "changes": (ChangePoint(3, 0.1, 3, 3, worse=True),), "excluded": (), "noise": 0.01,
    }  # fmt: skip
    return Series(**(whole | changes))


def test_a_history_shows_runs_levels_changes_and_cuts(one):
    (chart,) = history.draw(Model(one.panels, (series(),)))

    assert [(row["x"], row["y"]) for row in rows(chart, "points0")] == [
        (1, 10.0), (2, 10.0), (3, 10.0), (4, 11.0), (5, 11.0), (6, 11.0),
    ]  # fmt: skip
    assert rows(chart, "changes0") == [{"x": 3.5, "change": "worse", "text": "+10 %"}]
    assert [row["x"] for row in rows(chart, "cuts0")] == [5.5]
    assert [row["y"] for row in rows(chart, "levels0")] == [10.0, 11.0]
    assert "NVIDIA H200 at 700 W" in chart.title
    assert "+10 % at h200/0003_a (worse)" in chart.description


def test_of_many_histories_those_that_changed_most_are_drawn():
    calm = [series(f"calm{n}-baseline", changes=()) for n in range(20)]
    loud = series("loud-baseline", changes=(ChangePoint(3, -0.5, 3, 3, worse=False),))

    (chart,) = history.draw(Model((), (*calm, series(), loud)))

    cases = list(dict.fromkeys(row[0] for row in chart.rows))
    assert cases[:2] == ["loud-baseline", "enet-baseline"]
    assert "14 more cases" in chart.description


# --- overlays ---


def saved(folder, name="unet-baseline", **changes):
    """Three slices with brain of Dice 1, 0.5 and 0, and one without."""
    truth = np.zeros((4, 6, 8), dtype=bool)
    truth[:3, 1:3, 1:3] = True
    prediction = truth.copy()
    prediction[1] = np.roll(truth[1], 1, axis=1)
    prediction[2] = np.roll(truth[2], 3, axis=1)
    prediction[3] = True
    subject = np.array(["sub-a", "sub-b", "sub-c", "sub-d"])
    arrays = {"image": np.random.default_rng(0).random((4, 6, 8)), "truth": truth, "prediction": prediction}
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{name}.npz", **(arrays | {"subject": subject} | changes))
    return folder


def test_the_worst_the_median_and_the_best_slice_with_brain_are_shown(tmp_path):
    (chart,) = overlays.draw(Model((), overlays=saved(tmp_path / "p")))

    assert [(row[0], row[1], row[3]) for row in chart.rows] == [
        ("worst", "sub-c", "0"), ("median", "sub-b", "0.5"), ("best", "sub-a", "1"),
    ]  # fmt: skip
    assert "sub-d" not in str(chart.rows)


def test_no_image_is_shown_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(saved(tmp_path / "p"))

    assert overlays.draw(Model(())) == overlays.NOT_ASKED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"truth": np.zeros((4, 6, 7), dtype=bool)}, "shapes"),
        ({"image": np.full((4, 6, 8), np.nan)}, "finite"),
        ({"truth": np.zeros((4, 6, 8), dtype=bool)}, "brain"),
        ({"subject": np.array([{"a": 1}] * 4, dtype=object)}, "pickle"),
        ({"subject": np.array(["a"])}, "subjects"),
    ],
)
def test_predictions_that_cannot_be_shown_say_why(tmp_path, changes, told):
    reason = overlays.draw(Model((), overlays=saved(tmp_path / "p", **changes)))

    assert reason.startswith("unet-baseline.npz: ")
    assert told in reason


def test_a_damaged_file_of_predictions_costs_no_other_one(tmp_path):
    folder = saved(tmp_path / "p")
    (folder / "broken.npz").write_bytes(b"PK nothing")

    (chart,) = overlays.draw(Model((), overlays=folder))

    assert chart.title == "Masks on slices: unet-baseline"


def test_an_empty_folder_of_predictions_says_so(tmp_path):
    assert "no .npz file" in overlays.draw(Model((), overlays=tmp_path))
