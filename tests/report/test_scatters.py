"""Charts of points, the study's figures first: marks, fronts and intervals are what the records say."""

import pytest

from energy.report.charts import (
    _frames,
    _marks,
    dice_lost_vs_unet,
    dice_vs_kj_per_epoch,
    dice_vs_total_kj,
    seconds_vs_watts,
)  # fmt: skip
from energy.report.model import Model
from tests.simulated.reports import (
    cases,
    found,
    model_of,
    panel,
    point,
    rows,
    trained,
)  # fmt: skip

SCATTERS = {
    "dice_vs_total_kj": (dice_vs_total_kj, "total_kj", "dice"),
    "dice_vs_kj_per_epoch": (dice_vs_kj_per_epoch, "kj_per_epoch", "dice"),
    "dice_lost_vs_unet": (dice_lost_vs_unet, "total_kj", "dice_loss_vs_unet_pct"),
}


def means(metric):
    """What the records of the machine that measures say of a metric, by case."""
    usual = [case for case in cases() if case["task"] == "training" and case["status"] == "ok"]
    return {case["case"]: case["metrics"][metric]["mean"] for case in usual}


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

    hollow = [row for row in rows(chart, "points0") if row["record"] == _marks.INVALID]

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


def test_repeats_are_filled_and_those_of_a_flagged_case_are_hollow(one):
    """Hollow says that something speaks against a record, of small marks too."""
    (chart,) = dice_vs_total_kj.draw(one)

    told = {row["x"]: row["record"] for row in rows(chart, "repeats0")}
    (layer,) = [one for one in chart.spec["layer"] if one["data"]["name"] == "repeats0"]

    assert (told[20.0], told[0.5]) == (_marks.GOOD, _marks.INVALID)
    assert layer["encoding"]["fillOpacity"]["scale"] == {
        "domain": [_marks.GOOD, _marks.INVALID],
        "range": [1, 0],
    }


@pytest.mark.parametrize(("seeds", "differ"), [([0, 1], False), ([0, 2], True)])
def test_cases_of_different_seeds_are_said_to_differ_by_them(seeds, differ):
    other = trained("enet-baseline", [0.8, 0.8], [2.0, 2.0])
    other["budget"] = other["budget"] | {"seeds": seeds}

    (chart,) = dice_vs_total_kj.draw(model_of(found([trained("unet-baseline", [0.9, 0.9], [9, 9]), other])))

    assert ("different seeds" in chart.description) == differ


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
        "measured, machine", "mixed, machine", "modelled, machine",
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
    assert chart.spec["concat"][0]["title"]["text"] == "NVIDIA H200 at 700 W: measured, machine"


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
