"""The history chart: which run a mark is, how its joules were got, what does not count, where labels are."""

import itertools
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from energy.analysis.history.series import ChangePoint
from energy.report.charts import _labels, _marks, _render, history
from energy.report.model import Model
from energy.report.page import past
from tests.simulated.pages import looks
from tests.simulated.records import failed
from tests.simulated.reports import MEASURED, MODELLED, found, panel, rows, series, trained

SVG = "{http://www.w3.org/2000/svg}"
WOBBLE = (1.002, 0.999, 1.0, 1.001, 0.998, 1.003, 0.997, 1.0, 1.001, 0.999, 1.002, 0.998)


def stored(days, fingerprint=MEASURED):
    """Runs of one machine, one a day, each with the records of some cases."""
    return [
        found(records, fingerprint, day, Path(f"results/{fingerprint}/{day:04}_a.json"))
        for day, records in enumerate(days, start=1)
    ]


def repeats(case, kj, spread=0.001, **changes):
    """A case of three seeds that differ by a tenth of a per cent."""
    return trained(case, [0.8] * 3, [(1 - spread) * kj, kj, (1 + spread) * kj], **changes)


def drawn(days, fingerprint=MEASURED):
    (chart,) = history.draw(Model((), past.series(stored(days, fingerprint))))
    return chart


def frames(chart):
    """The panels by the name of their case."""
    panels = chart.spec.get("concat", [chart.spec])
    return {one["title"]["text"].partition(" ")[0]: (index, one) for index, one in enumerate(panels)}


def marks(chart, case):
    return {row["x"]: row for row in rows(chart, f"points{frames(chart)[case][0]}")}


THROTTLED = {"ok": False, "invalid": ["throttled"], "notes": []}


@pytest.fixture(scope="module")
def eventful():
    """Two cases over 12 runs; of enet run 2 is invalid and run 4 went wrong, of segnet run 3 is not there."""
    days = []
    for run, wobble in enumerate(WOBBLE, start=1):
        enet = repeats("enet-baseline", 2.0 * wobble)
        if run == 2:
            enet = repeats("enet-baseline", 2.01, validity=THROTTLED)
        if run == 4:
            enet = failed("enet-baseline")
        segnet = [] if run == 3 else [repeats("segnet-baseline", 9.0 * wobble)]
        days.append([enet, *segnet])
    return drawn(days)


def test_a_run_has_the_same_place_in_all_frames_whether_it_counts_there_or_not(eventful):
    enet, segnet = marks(eventful, "enet-baseline"), marks(eventful, "segnet-baseline")

    assert sorted(enet) == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert sorted(segnet) == [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    for run, row in (enet | segnet).items():
        assert row["told"].startswith(f"{MEASURED}/{run:04}_a, 2026-01-{run:02}T")
    domains = {
        tuple(layer["encoding"]["x"]["scale"]["domain"])
        for _, one in frames(eventful).values()
        for layer in one["layer"]
    }
    assert len(domains) == 1


def test_a_run_of_other_cases_has_its_number_too():
    days = [[repeats("enet-baseline", 2.0 * wobble)] for wobble in WOBBLE]
    days[2] = [repeats("unet-baseline", 20.0)]

    assert sorted(marks(drawn(days), "enet-baseline")) == [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]


def test_a_record_that_does_not_count_is_hollow_and_says_why(eventful):
    root = ElementTree.fromstring(_render.svg(eventful))

    told = {
        title.text: look.get("fill-opacity")
        for mark, look in looks(root)
        if mark.tag == f"{SVG}path"
        for title in mark.findall(f"{SVG}title")
    }

    (hollow,) = [text for text, opacity in told.items() if opacity == "0"]
    assert hollow.endswith("2026-01-02T03:14: 2.01, measured; does not count: invalid: throttled")
    assert sum(opacity == "1" for opacity in told.values()) == 10 + 11
    assert "hollow: the record does not count" in "".join(root.itertext())


def test_a_record_that_does_not_count_is_in_the_table_with_the_reason_and_the_figure_if_it_has_one(eventful):
    columns = {title: place for place, title in enumerate(eventful.titles)}

    table = {
        row[columns["no."]]: tuple(row[columns[name]] for name in ("total kJ", "joules", "n", "record"))
        for row in eventful.rows
        if row[0] == "enet-baseline"
    }

    assert table["2"] == ("2.01", "measured", "3", "invalid: throttled")
    assert table["4"] == ("–", "–", "0", "oom")
    assert {table[str(run)][3] for run in (1, 3, 5, 12)} == {"ok"}
    assert "Records that do not count: 2, of which 1 have a hollow mark" in eventful.description


@pytest.mark.parametrize("kj", [2.01, 50.0])
def test_a_record_that_does_not_count_moves_no_level(kj):
    days = [[repeats("enet-baseline", 2.0 * wobble)] for wobble in WOBBLE]
    without = rows(drawn([*days[:5], *days[6:]]), "levels0")

    days[5] = [repeats("enet-baseline", kj, validity=THROTTLED)]
    levels = rows(drawn(days), "levels0")

    assert [level["y"] for level in levels] == pytest.approx([level["y"] for level in without])


def test_a_record_that_does_not_count_and_lies_far_away_leaves_the_others_their_room():
    days = [[repeats("enet-baseline", 2.0 * wobble)] for wobble in WOBBLE]
    days[5] = [repeats("enet-baseline", 50.0, validity=THROTTLED)]

    chart = drawn(days)

    row = marks(chart, "enet-baseline")[6]
    assert max(one["y"] for one in rows(chart, "points0")) == row["y"] < 2.1
    assert ": 50, measured, beyond the frame; does not count" in row["told"]
    assert "Hollow marks at the edge of a frame whose figures lie beyond it: 1." in chart.description


@pytest.mark.parametrize(
    ("kind", "machine"), [("measured", MEASURED), ("modelled", MODELLED), ("mixed", "x")]
)
def test_title_description_frame_and_table_say_how_the_joules_were_got(kind, machine):
    chart = drawn([[repeats("enet-baseline", 2.0 * wobble, kind=kind)] for wobble in WOBBLE], machine)

    texts = (chart.title, chart.description, str(chart.spec["title"]))
    others = {"measured", "modelled", "mixed"} - {kind}
    assert all(kind in text for text in texts)
    assert not any(other in text for text in texts for other in others)
    assert {row[1] for row in chart.rows} == {kind}
    assert kind in marks(chart, "enet-baseline")[1]["told"]


def outlines(chart):
    """The paths of the marks by what a pointer is told of how their joules were got."""
    found_ = {}
    for mark in ElementTree.fromstring(_render.svg(chart)).iter(f"{SVG}path"):
        for title in mark.findall(f"{SVG}title"):
            for kind in ("measured", "modelled", "mixed"):
                if title.text.endswith(f", {kind}"):
                    found_.setdefault(kind, set()).add(mark.get("d"))
    return found_


def test_measured_and_modelled_joules_of_one_case_share_no_mark():
    kinds = ["modelled"] * 4 + ["mixed"] * 4 + ["measured"] * 4
    days = [[repeats("enet-baseline", 2.0 * w, kind=k)] for w, k in zip(WOBBLE, kinds, strict=True)]

    chart = drawn(days)

    drawn_as = outlines(chart)
    assert {kind: len(paths) for kind, paths in drawn_as.items()} == dict.fromkeys(_marks.SHAPES, 1)
    assert len(set.union(*drawn_as.values())) == 3
    assert [row[1] for row in chart.rows] == kinds
    assert [row["x"] for row in rows(chart, "cuts0")] == [4.5, 8.5]
    assert "joules measured and modelled and mixed" in str(chart.spec["title"])


def pixels(chart, case):
    """Where labels and everything else of a frame stand, in pixels from the top."""
    index, one = frames(chart)[case]
    low, high = one["layer"][-1]["encoding"]["y"]["scale"]["domain"]
    height = one["height"]

    def down(value):
        return height * (high - value) / (high - low)

    labels = [down(row["y"]) for row in rows(chart, f"labels{index}")]
    points = [down(row[name]) for row in rows(chart, f"points{index}") for name in ("y", "y2") if name in row]
    levels = [down(row["y"]) for row in rows(chart, f"levels{index}")]
    lines = [
        layer["encoding"]["y"]["value"]
        for layer in one["layer"]
        if layer["data"]["name"] in (f"changes{index}", f"cuts{index}")
    ]
    return labels, points + levels, lines


@pytest.mark.parametrize("factor", [1.3, 0.7])
def test_the_label_of_a_change_stands_where_no_mark_and_no_line_is(factor):
    levels = [1.0] * 6 + [factor] * 6
    days = [
        [repeats("enet-baseline", 2.0 * level * wobble, spread=0.1)]
        for level, wobble in zip(levels, WOBBLE, strict=True)
    ]

    chart = drawn(days)

    labels, others, lines = pixels(chart, "enet-baseline")
    assert [row["text"].endswith("%") for row in rows(chart, "labels0")] == [True]
    (middle,) = labels
    below = middle + _labels.LINE / 2
    assert middle - _labels.LINE / 2 >= 0
    assert min(others) >= below
    assert min(lines) >= below


def test_labels_of_changes_that_are_near_each_other_keep_apart_and_touch_their_lines():
    changes = tuple(ChangePoint(n, 0.1 + n / 1000, 1, 1, worse=True) for n in (1, 3, 10, 12, 19))
    crowded = series(points=tuple(many_points(20)), cuts=(), levels=(), changes=changes)

    (chart,) = history.draw(Model((), (crowded,)))

    low, high = chart.spec["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    width = chart.spec["width"]
    boxes = [
        (left, left + _labels.CHARACTER * len(row["text"]), row["text"])
        for row in rows(chart, "labels0")
        for left in [width * (row["x"] - low) / (high - low)]
    ]
    lines = {row["text"]: width * (row["x"] - low) / (high - low) for row in rows(chart, "changes0")}
    assert len(boxes) == 5
    assert all(0 <= left <= lines[text] <= right <= width for left, right, text in boxes)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(boxes))


def test_a_label_without_room_is_left_out_and_its_change_is_still_told():
    changes = tuple(ChangePoint(n, 0.1, 1, 1, worse=True) for n in range(1, 150))
    points = tuple(many_points(150))

    (chart,) = history.draw(Model((), (series(points=points, cuts=(), levels=(), changes=changes),)))

    assert 1 < len(rows(chart, "labels0")) < 20
    assert len(rows(chart, "changes0")) == 149
    assert chart.description.count("+10 %") == 149


def many_points(count):
    for number in range(count):
        when = f"2026-01-01T{number // 60:02}:{number % 60:02}"
        yield replace(series().points[0], reference=f"h200/{number:04}_a", datetime=when, interval=None)


def test_a_change_has_its_line_before_the_first_run_of_the_new_level_and_a_cut_too():
    (chart,) = history.draw(Model((panel((), fingerprint=MEASURED, machine="a GPU"),), (series(),)))

    assert [(row["x"], row["y"]) for row in rows(chart, "points0")] == [
        (1, 10.0), (2, 10.0), (3, 10.0), (4, 11.0), (5, 11.0), (6, 11.0),
    ]  # fmt: skip
    assert [(row["x"], row["change"], row["text"]) for row in rows(chart, "changes0")] == [
        (3.5, "worse", "+10 %")
    ]
    assert [row["x"] for row in rows(chart, "cuts0")] == [5.5]
    assert [row["y"] for row in rows(chart, "levels0")] == [10.0, 11.0]
    assert "a GPU" in chart.title
    assert "+10 % at h200/0003_a (worse)" in chart.description


def test_dates_and_commits_are_cut_at_their_end(eventful):
    row = eventful.rows[0]

    assert row[4:6] == ("2026-01-01T03:14", "0123456789ab")


def test_long_names_that_begin_and_end_alike_are_told_apart():
    several = [f"attention_squeeze_unet-{middle}+lookahead+stochastic" for middle in ("adam", "sgdm")]

    (chart,) = history.draw(Model((), tuple(map(series, several))))

    assert len(frames(chart)) == 2


def test_of_many_runs_the_newest_are_drawn_and_all_are_in_the_table():
    points = tuple(many_points(230))

    (chart,) = history.draw(Model((), (series(points=points, cuts=(), levels=(), changes=()),)))

    assert [row["x"] for row in rows(chart, "points0")] == list(range(31, 231))
    assert len(chart.rows) == 230
    assert "newest 200 runs" in chart.description


def test_machines_without_room_are_counted():
    several = tuple(series(fingerprint=f"machine-{number}") for number in range(9))

    drawn_ = history.draw(Model((), several))

    assert len(drawn_) == 6
    assert "3 more machines" in drawn_[-1].description


@pytest.mark.parametrize("tiny", [5e-324, 1e-300])
def test_a_figure_that_no_axis_can_end_at_costs_no_chart(tiny):
    days = [[repeats("enet-baseline", tiny), repeats("segnet-baseline", 9.0 * wobble)] for wobble in WOBBLE]

    assert list(frames(drawn(days))) == ["segnet-baseline"]


def test_of_many_histories_those_that_changed_most_are_drawn():
    calm = [series(f"calm{n}-baseline", changes=()) for n in range(20)]
    loud = series("loud-baseline", changes=(ChangePoint(3, -0.5, 3, 3, worse=False),))

    (chart,) = history.draw(Model((), (*calm, series(), loud)))

    cases = list(dict.fromkeys(row[0] for row in chart.rows))
    assert cases[:2] == ["loud-baseline", "enet-baseline"]
    assert "14 more cases" in chart.description
