"""What must hold for any counts whatever, judged from the joules that were put in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.reading import Count, Fault, Reading

joules = st.floats(0.0, 1e7)
spans = st.floats(0.01, 1e4)
gains = st.tuples(st.floats(0.0, 1.0), st.floats(1.0, 5.0))
unknown = st.one_of(st.none(), joules)


def count(total, seconds, device="GPU-a", gain=(0.95, 1.05), edge=0.0):
    reason = "told so by the test" if total is None else None
    return Count("gpu", device, "nvml_counter", "measured", total, seconds, *gain, edge, reason=reason)


def reading(seconds, counts, faults=()):
    return Reading(seconds, tuple(counts), tuple(faults))


@st.composite
def ascending(draw, length):
    """Cumulative joules and the times they were read at."""
    steps = draw(st.lists(st.tuples(spans, joules), min_size=length, max_size=length))
    seconds, total, found = 0.0, 0.0, []
    for span, spent in steps:
        seconds, total = seconds + span, total + spent
        found.append((seconds, total))
    return found


@given(ascending(2), gains, st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_no_window_is_negative_and_its_band_holds_its_figure(points, gain, first_edge, second_edge):
    (start, before), (end, after) = points

    spent = reading(end, [count(after, end, gain=gain, edge=second_edge)]) - reading(
        start, [count(before, start, gain=gain, edge=first_edge)]
    )

    low, high = spent.band()
    assert 0 <= low <= spent.joules() <= high


@given(unknown, unknown)
def test_unknown_never_becomes_zero_and_backwards_never_negative(before, after):
    spent = reading(20.0, [count(after, 20.0)]) - reading(10.0, [count(before, 10.0)])

    if before is None or after is None or after < before:
        assert spent.joules() is None
        assert spent.band() is None
        assert spent.domains[0].reason
    else:
        assert spent.joules() == after - before


@given(ascending(4))
def test_adjacent_windows_sum_to_the_whole(points):
    readings = [reading(seconds, [count(total, seconds)]) for seconds, total in points]

    parts = sum((later - earlier).joules() for earlier, later in itertools.pairwise(readings))

    assert parts == pytest.approx((readings[-1] - readings[0]).joules(), abs=1e-6)


@given(ascending(4))
def test_an_inner_window_is_at_most_the_outer(points):
    first, second, third, last = (reading(seconds, [count(total, seconds)]) for seconds, total in points)

    assert (third - second).joules() <= (last - first).joules()
    assert (third - second).band()[1] <= (last - first).band()[1] + 1e-6


@given(ascending(2), st.lists(st.tuples(spans, spans, joules), max_size=5))
def test_a_gap_never_raises_the_lower_bound_or_the_figure(points, gaps):
    (start, before), (end, after) = points
    faults = [Fault("gap", "nvml_counter", "GPU-a", at, span, stake, "") for at, span, stake in gaps]
    first = reading(start, [count(before, start)])

    clean = reading(end, [count(after, end)]) - first
    holed = reading(end, [count(after, end)], faults) - first

    assert holed.band()[0] <= clean.band()[0]
    assert holed.joules() == clean.joules()
    assert holed.band()[1] >= clean.band()[1]


@given(ascending(2), unknown, unknown)
def test_adding_a_device_never_lowers_the_total(points, before, after):
    (start, own_before), (end, own_after) = points
    alone = reading(end, [count(own_after, end)]) - reading(start, [count(own_before, start)])

    together = reading(end, [count(own_after, end), count(after, end, "GPU-b")]) - reading(
        start, [count(own_before, start), count(before, start, "GPU-b")]
    )

    assert together.joules() is None or together.joules() >= alone.joules()
