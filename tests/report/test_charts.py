"""The charts: what they show is what the records say, and they say what they do not show."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from energy._registry import load_entry
from energy.records.metrics import summarise_metric
from energy.report import charts
from energy.report.charts import (
    _frames,
    _render,
    dice_vs_total_kj,
    heatmap,
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
    found,
    invalid,
    model_of,
    panel,
    point,
    rows,
    trained,
)  # fmt: skip

# --- reasons ---


@pytest.mark.parametrize("name", charts.names())
def test_a_chart_without_figures_says_why_in_one_sentence(name):
    functions = record("test_sorting", task="function", arch=None, technique=None, epochs=[], domains=[])
    functions["metrics"] = {"seconds": functions["metrics"]["seconds"]}
    for model in (Model(()), model_of(found([functions]))):
        reason = load_entry("energy.report.charts", "chart", name).draw(model)

        assert isinstance(reason, str)
        assert 20 < len(reason) < 200
        assert "\n" not in reason


def test_every_chart_is_drawn_where_there_are_figures_for_it(three):
    drawn = charts.draw(three)

    assert {name for name, _ in drawn.reasons} == {"history", "overlays", "slope"}
    assert len({chart.name for chart in drawn.charts}) == len(drawn.charts)


def test_charts_have_places_of_their_own_and_the_studys_come_first(three):
    places = [load_entry("energy.report.charts", "chart", name).PLACE for name in charts.names()]

    assert len(set(places)) == len(places) == 14
    assert [chart.part for chart in charts.draw(three).charts][:4] == ["study"] * 3 + ["more"]


# --- how many ---


def of_settings(count, task="training"):
    """Groups of one machine, each of its own budget and with U-Net and another case."""
    points = (
        point("unet-baseline", dice=0.9, total_kj=20.0, seconds=9.0, peak_rss_mib=9.0),
        point("enet-baseline", dice=0.8, total_kj=2.0, seconds=2.0, peak_rss_mib=5.0),
    )
    return [panel(points, task=task, setting=f"{number + 1} epochs") for number in range(count)]


@pytest.mark.parametrize("chart", [dice_vs_total_kj, heatmap, radar])
def test_settings_for_which_there_is_no_room_are_named(chart):
    most = _frames.MOST_CHARTS

    drawn = chart.draw(Model(tuple(of_settings(most + 2))))

    assert len(drawn) == most
    for left in (most + 1, most + 2):
        assert f"training, {left} epochs" in drawn[-1].description
    assert "no room" not in "".join(one.description for one in chart.draw(Model(tuple(of_settings(most)))))


def test_settings_that_a_chart_cannot_show_take_up_none_of_its_room():
    """Groups without a U-Net have no heat map; those behind them have theirs."""
    alone = [replace(one, points=one.points[1:]) for one in of_settings(_frames.MOST_CHARTS)]
    last = replace(of_settings(1)[0], setting="99 epochs")

    (chart,) = heatmap.draw(Model((*alone, last)))

    assert "99 epochs" in chart.title


def test_charts_of_one_setting_have_one_number_in_their_names():
    first, second = of_settings(2)
    told = Model((replace(first, points=first.points[1:]), second))

    assert [chart.name for chart in dice_vs_total_kj.draw(told)] == ["dice_vs_total_kj", "dice_vs_total_kj-2"]
    assert [chart.name for chart in heatmap.draw(told)] == ["heatmap-2"]


def test_inference_has_its_chart_however_many_trainings_stand_before_it():
    pair = (point("unet-baseline", dice=0.9, mean_watts=200.0), point("unet-int8", dice=0.8, mean_watts=90.0))
    inference = panel(pair, task="inference", setting="any")

    assert len(int8.draw(Model((*of_settings(_frames.MOST_CHARTS), inference)))) == 1


def test_a_long_subtitle_is_broken_into_lines_and_says_how_every_meter_got_its_joules():
    sources = ("codecarbon_cpu_load_model (modelled)", "nvml_counter (measured)", "rapl_counter (measured)")
    points = [point("unet-baseline", dice=0.9, total_kj=20.0)]
    machines = tuple(panel(points, machine=name, sources=sources) for name in ("a", "b"))

    (chart,) = dice_vs_total_kj.draw(Model(machines))

    lines = chart.spec["concat"][0]["title"]["subtitle"]
    assert len(lines) > 1
    assert " ".join(lines) == ", ".join(sources)


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

    (cell,) = [row for row in rows(chart, "cells") if row["record"] == "invalid"]

    assert cell["down"] == "sqnet"
    assert cell["text"].endswith("invalid")


def seeded(case, by_seed):
    """A case whose Dice and kJ are told by seed."""
    made = trained(case, [dice for dice, _ in by_seed.values()], [kj for _, kj in by_seed.values()])
    made["budget"] = made["budget"] | {"seeds": list(by_seed)}
    return made


def test_a_case_of_one_seed_is_compared_with_the_unets_repeat_of_that_seed():
    """U-Net's mean over other seeds is 0.6 and 30 kJ: against that the case would gain Dice."""
    unet = seeded("unet-baseline", {0: (0.8, 20.0), 1: (0.4, 40.0)})
    told = model_of(found([unet, seeded("enet-baseline", {0: (0.7, 2.0)})]))

    (chart,) = heatmap.draw(told)
    (polygons,) = radar.draw(told)

    (cell,) = [row for row in rows(chart, "cells") if row["down"] == "enet" or row["across"] == "enet"]
    assert cell["ratio"] == pytest.approx(0.1)
    assert cell["dice"] == "Dice −0.100"
    (row,) = [row for row in polygons.rows if row[2] == "enet-baseline"]
    assert row[3] == "0.875"  # 0.7 of 0.8


def test_a_case_that_shares_no_seed_with_the_unet_is_not_compared_and_named():
    unet = seeded("unet-baseline", {0: (0.8, 20.0)})
    others = [seeded("enet-baseline", {0: (0.7, 2.0)}), seeded("segnet-baseline", {5: (0.7, 2.0)})]

    (chart,) = heatmap.draw(model_of(found([unet, *others])))

    assert {row["down"] for row in rows(chart, "cells")} == {"unet", "enet"}
    assert "share no seed with the U-Net: segnet-baseline." in chart.description


def test_nineteen_networks_by_twenty_techniques_all_have_a_cell():
    networks = ["unet", *(f"net{number}" for number in range(18))]
    techniques = ["baseline", *(f"way{number}" for number in range(19))]
    points = [point(f"{net}-{way}", dice=0.5, total_kj=1.0) for net in networks for way in techniques]

    (chart,) = heatmap.draw(Model((panel(points),)))

    assert len({(row["across"], row["down"]) for row in rows(chart, "cells")}) == 380
    assert "no room" not in chart.description


def test_colours_reach_as_far_as_the_ratios():
    points = [point("unet-baseline", dice=0.9, total_kj=32.0), point("enet-baseline", dice=0.9, total_kj=1.5)]

    (chart,) = heatmap.draw(Model((panel(points),)))

    fill = chart.spec["layer"][0]["encoding"]["fill"]
    assert fill["scale"]["domain"] == [1 / 32, 1, 32]  # 1.5 / 32 lies between 1/32 and 1/16
    assert fill["legend"]["values"][0] == 1 / 32


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


@pytest.mark.parametrize("idle_kj", [1e-300, 1e9, 1e200, 1e300])
def test_bars_begin_at_0_and_end_in_the_frame_whatever_the_idle_share_is_said_to_be(idle_kj):
    odd = trained("unet-baseline", [0.9], [20.0])
    odd["metrics"]["idle_kj"] = summarise_metric("idle_kj", [idle_kj])

    (chart,) = parts.draw(model_of(found([odd, trained("enet-baseline", [0.8], [2.0])])))

    bars = next(layer for layer in chart.spec["layer"] if layer["mark"]["type"] == "bar")
    low, high = bars["encoding"]["x"]["scale"]["domain"]
    assert low == 0
    assert 20.0 < high < 50.0
    assert float(ElementTree.fromstring(_render.svg(chart)).get("width")) < 800


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
    other = [good[0], invalid("enet-baseline", [0.8], [4.0])]
    pair = (other, good) if flagged_here else (good, other)

    (chart,) = slope.draw(model_of(found(pair[0], "h200-a"), found(pair[1], "h200-b")))

    assert [row[0] for row in chart.rows] == ["unet-baseline"]
    assert "more cases" not in chart.description


def test_measured_and_modelled_kilojoules_are_not_joined():
    model = model_of(found(cases("measured"), MEASURED), found(cases("modelled"), MODELLED))

    assert "measured and modelled kilojoules are not compared" in slope.draw(model)


def test_pairs_of_machines_for_which_there_is_no_room_are_counted():
    points = [point("unet-baseline", dice=0.9, total_kj=20.0, seconds=9.0)]
    machines = tuple(panel(points, machine=name) for name in "abcdef")  # 15 pairs

    drawn = slope.draw(Model(machines))

    assert len(drawn) == slope.MOST_CHARTS
    assert f"{15 - slope.MOST_CHARTS} more such charts" in drawn[-1].description


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


def test_cases_whose_names_differ_in_the_middle_alone_have_names_and_polygons_of_their_own():
    figures = {"dice": 0.8, "total_kj": 2.0, "seconds": 2.0, "peak_rss_mib": 5.0}
    ways = ("amp_bf16+novograd+cache", "amp_fp16+novograd+cache")
    names = ["unet-baseline", "enet-baseline", *(f"attention_squeeze_unet-{way}" for way in ways)]

    (chart,) = radar.draw(Model((panel([point(name, **figures) for name in names]),)))

    polygons = [row["case"] for row in rows(chart, "polygons")]
    assert {polygons.count(name) for name in set(polygons)} == {5}  # four corners, and the first again
    assert len(set(polygons)) == 4


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
