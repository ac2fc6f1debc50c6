"""The charts: what they show is what the records say, and they say what they do not show."""

import pytest

from energy.history.series import ChangePoint, Cut, Level, Series
from energy.history.series import Point as Past
from energy.report import charts
from energy.report.charts import (
    heatmap,
    history,
    int8,
    ladder,
    parts,
    radar,
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
    one_machine,
    panel,
    point,
    rows,
    three_machines,
    trained,
)  # fmt: skip


@pytest.fixture(scope="module")
def one():
    return one_machine()


@pytest.fixture(scope="module")
def three():
    return three_machines()


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
