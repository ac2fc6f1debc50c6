"""What charts are made of: fronts, axes, labels, lines of equal energy, outlines, polygons."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from energy.report import model
from energy.report.charts import _axis, _labels, _names, overlays, radar, seconds_vs_watts
from energy.report.charts._axis import Axis
from energy.report.charts._front import choose_few, front
from energy.report.charts._labels import Anchor
from tests.simulated.reports import point

SMALL = st.integers(0, 6).map(float)
KJ = st.floats(1e-3, 1e5)


@given(st.lists(st.tuples(SMALL, SMALL), max_size=30))
def test_the_front_is_what_no_other_point_dominates(points):
    def dominated(one):
        return any(other[0] <= one[0] and other[1] >= one[1] and other != one for other in points)

    expected = {index for index, one in enumerate(points) if not dominated(one)}

    found = front(points)

    assert set(found) == expected
    assert len(found) == len(expected)
    assert [points[index][0] for index in found] == sorted(points[index][0] for index in found)


def test_a_flagged_case_is_among_the_few_never():
    points = [
        point("unet-baseline", dice=0.9, total_kj=9.0),
        point("a-b", good=False, dice=1.0, total_kj=0.1),
    ]

    assert [one.case for one in choose_few(points, 5)] == ["unet-baseline"]


def test_the_few_are_the_unet_then_the_front_then_the_best_others():
    points = [
        point("best-baseline", dice=0.95, total_kj=50.0),
        point("beaten-baseline", dice=0.80, total_kj=20.0),
        point("cheap-baseline", dice=0.50, total_kj=1.0),
        point("unet-baseline", dice=0.90, total_kj=60.0),
        point("worst-baseline", dice=0.10, total_kj=70.0),
    ]

    assert [one.arch for one in choose_few(points, 4)] == ["unet", "best", "beaten", "cheap"]


@given(st.lists(KJ, min_size=1, max_size=20))
def test_a_logarithmic_axis_holds_all_values_and_at_least_two_ticks_inside(values):
    axis = _axis.logarithmic(values)

    assert axis.low < min(values) <= max(values) < axis.high
    assert 1 <= len(axis.ticks) <= _axis.MOST_TICKS
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


@example([5e-324])
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_linear_axis_holds_all_values_and_its_ticks(values):
    axis = _axis.linear(values)

    slack = 1e-9 * max(1.0, *map(abs, values))
    assert axis.low - slack <= min(values) <= max(values) <= axis.high + slack
    assert all(axis.low - slack <= tick <= axis.high + slack for tick in axis.ticks)


def test_an_axis_of_dice_ends_at_0_and_1():
    axis = _axis.linear([0.02, 0.98], 0.0, 1.0)

    assert axis.domain == [0.0, 1.0]
    assert axis.ticks == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@given(KJ, KJ, st.floats(0, 1), st.booleans())
def test_pixel_and_value_of_an_axis_undo_each_other(one, other, share, log):
    axis = Axis(min(one, other), max(one, other) + 1.0, (), log)
    value = axis.value(share * 300, 300)

    assert axis.pixel(value, 300) == pytest.approx(share * 300, abs=1e-6)


def test_the_middle_of_a_logarithmic_axis_is_the_geometric_mean():
    axis = Axis(1.0, 100.0, (), log=True)

    assert axis.value(150, 300) == pytest.approx(10.0)


@pytest.mark.parametrize("value", [None, 0.0, -1.0, 1e-10, 1e13])
def test_what_no_logarithmic_axis_can_show_is_not_shown(value):
    assert not _axis.shown(value)


ANCHOR = st.builds(
    Anchor, st.floats(0, 400), st.floats(0, 300), st.text("abc", min_size=1, max_size=25), st.booleans()
)


@given(st.lists(ANCHOR, max_size=25), st.booleans())
def test_labels_cover_no_other_label_and_no_other_mark_and_stay_inside(anchors, right):
    placed = _labels.place(anchors, (400, 300), 20, right=right)

    boxes = []
    for label in placed:
        width = _labels.CHARACTER * len(anchors[label.index].text)
        boxes.append((label.x, label.y - _labels.LINE / 2, label.x + width, label.y + _labels.LINE / 2))
    for index, box in enumerate(boxes):
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= 400
        assert box[3] <= 300
        for other in boxes[:index]:
            assert not overlap(box, other)
        for number, anchor in enumerate(anchors):
            inside = box[0] < anchor.x < box[2] and box[1] < anchor.y < box[3]
            assert number == placed[index].index or not inside


def overlap(box, other):
    epsilon = 1e-6
    apart = (
        box[2] <= other[0] + epsilon,
        other[2] <= box[0] + epsilon,
        box[3] <= other[1] + epsilon,
        other[3] <= box[1] + epsilon,
    )
    return not any(apart)


def test_a_label_of_a_mark_alone_stands_right_of_it_without_a_line():
    (label,) = _labels.place([Anchor(100, 100, "unet")], (400, 300), 5)

    assert label.x > 100
    assert label.y == 100
    assert label.leader is None


def test_a_label_covers_what_it_is_to_avoid_only_where_it_must():
    """A wall right of the mark sends it elsewhere; walls everywhere do not cost it its name."""
    wall = [(x, y, x, y) for x in range(108, 400, 4) for y in range(60, 140, 4)]
    everywhere = [(x, y, x, y) for x in range(0, 400, 4) for y in range(0, 300, 4)]

    (beside,) = _labels.place([Anchor(100, 100, "unet")], (400, 300), 5, avoid=wall)
    (anyway,) = _labels.place([Anchor(100, 100, "unet")], (400, 300), 5, avoid=everywhere)

    assert beside.x + 4 * _labels.CHARACTER < 108
    assert anyway.x > 100


@given(st.lists(st.text("ab_+-", min_size=1, max_size=60), unique=True, min_size=1, max_size=8))
def test_names_that_differ_differ_when_they_are_cut(names):
    assert len(set(_names.distinct(names))) == len(names)


def test_names_that_fit_are_not_cut_and_others_no_more_than_they_must():
    short, long = "unet", "attention_squeeze_unet-novograd_betas+cache"

    assert _names.distinct([short, long]) == [short, "attention_squeeze_unet … tas+cache"]


def test_a_label_does_not_stand_between_its_mark_and_one_as_near():
    first, _ = _labels.place([Anchor(100, 100, "baseline"), Anchor(168, 100, "other")], (400, 300), 5)

    assert first.x < 100  # on the right it would fit, and end 5 pixels from the other mark


@given(st.floats(1.0, 1e6))
def test_a_line_of_equal_energy_is_watts_times_seconds_and_stays_inside(joules):
    across, up = Axis(2.0, 500.0, (), log=True), Axis(5.0, 900.0, (), log=True)

    ends = seconds_vs_watts.iso_energy(joules, across, up)

    if ends is None:
        assert joules <= 2.0 * 5.0 or joules >= 500.0 * 900.0
        return
    for seconds, watts in ends:
        assert watts * seconds == pytest.approx(joules)
        assert 2.0 <= seconds <= 500.0
        assert 5.0 * (1 - 1e-9) <= watts <= 900.0 * (1 + 1e-9)


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=4, max_size=4))
def test_an_outline_is_as_long_as_the_edges_between_mask_and_rest(rows):
    mask = np.array(rows)

    def inside(row, column):
        return 0 <= row < 4 and 0 <= column < 5 and mask[row, column]

    edges = sum(
        inside(row, column) and not inside(row + down, column + across)
        for row in range(4)
        for column in range(5)
        for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0))
    )

    pieces = overlays.outline(mask)

    assert sum(abs(x2 - x) + abs(y2 - y) for x, y, x2, y2 in pieces) == edges


def test_the_outline_of_one_pixel_is_its_four_sides():
    mask = np.zeros((3, 4), dtype=bool)
    mask[1, 2] = True

    assert sorted(overlays.outline(mask)) == [(2, 1, 2, 2), (2, 1, 3, 1), (2, 2, 3, 2), (3, 1, 3, 2)]


def test_half_the_energy_and_twice_the_dice_are_both_twice_as_good():
    unet = point("unet-baseline", dice=0.4, total_kj=10.0)
    other = point("enet-baseline", dice=0.8, total_kj=5.0)

    assert radar.better(other, unet, "dice") == pytest.approx(2.0)
    assert radar.better(other, unet, "total_kj") == pytest.approx(2.0)


def test_rings_of_the_radar_are_equally_far_apart_and_end_at_centre_and_edge():
    radii = [radar.radius(times) for times in (0.125, *radar.RINGS)]

    assert radii[0] == 0.0
    assert radii[-1] == 1.0
    assert np.diff(radii) == pytest.approx(1 / 7)
    assert radar.radius(1e9) == 1.0
    assert radar.radius(1e-9) == 0.0


@given(st.text(max_size=300))
def test_a_label_is_short_and_printable(text):
    found = model.label(text)

    assert len(found) <= model.LONGEST_LABEL
    assert found == "" or found.isprintable()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (2.5, 2.5), (10**400, None), (math.nan, None), (True, None), ("1", None)],
)
def test_what_is_no_finite_number_is_unknown(value, expected):
    assert model.finite(value) == expected
