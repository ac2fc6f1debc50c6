"""Curves over the epochs of a training: energy so far, and power over time."""

import math

import pytest

from energy.report.charts import (
    _labels,
    _look,
    dice_vs_cumulative_kj,
    power_over_time,
)  # fmt: skip
from energy.report.model import Figure, Model, Point
from tests.simulated.reports import panel, rows


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


def test_each_case_has_a_frame_of_power_as_long_as_its_own_training(one):
    """U-Net takes ten times as long: on its scale nobody would see the other's epochs."""
    (chart,) = power_over_time.draw(one)

    ends = {}
    for number, frame in enumerate(chart.spec["concat"]):
        last = max(row["x"] for row in rows(chart, f"curves{number}"))
        (line,) = [one for one in frame["layer"] if one["mark"]["type"] == "line"]
        ends[frame["title"]["text"]] = (last, line["encoding"]["x"]["scale"])

    assert ends["unet-baseline"][0] == pytest.approx(10 * ends["enet-baseline"][0])
    for last, scale in ends.values():
        assert scale["type"] == "linear"
        assert last <= scale["domain"][1] <= 2 * last


def test_a_name_stands_on_no_curve(one):
    (chart,) = dice_vs_cumulative_kj.draw(one)
    drawn = [row["text"] for row in rows(chart, "labels0")]
    across, up = (
        next(layer for layer in chart.spec["layer"] if "x" in layer["encoding"])["encoding"][side]["scale"]
        for side in "xy"
    )

    def pixel(row):
        x = math.log(row["x"] / across["domain"][0]) / math.log(across["domain"][1] / across["domain"][0])
        y = (row["y"] - up["domain"][0]) / (up["domain"][1] - up["domain"][0])
        return x * chart.spec["width"], (1 - y) * chart.spec["height"]

    for label in rows(chart, "labels0"):
        left, middle = pixel(label)
        right = left + _labels.CHARACTER * len(label["text"])
        for mark in map(pixel, rows(chart, "curves0")):
            assert not (left < mark[0] < right and abs(mark[1] - middle) < _labels.LINE / 2), label
    assert len(drawn) == len(set(drawn)) > 1
