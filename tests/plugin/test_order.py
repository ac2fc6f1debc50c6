"""Blocks of repeats in random order, and shards of about equal cost."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.plugin.order import Entry, Order, Shard, parse_order, parse_shard, part_cases, plan_sequence
from energy.records.storage.runfile import sort_as_collected

places = st.sampled_from(["first", "anywhere", "last"])
entries = st.lists(st.builds(Entry, st.integers(1, 4), places), max_size=8)
orders = st.builds(Order, st.none() | st.integers(0, 10**6))


def test_three_cases_of_two_repeats_are_measured_in_two_blocks():
    order = plan_sequence([Entry(2), Entry(2), Entry(2)], Order(None))

    assert order == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2)]


def test_a_reference_is_the_first_of_every_block_and_what_comes_last_comes_after_all_blocks():
    order = plan_sequence([Entry(1, "last"), Entry(3), Entry(3, "first")], Order(None))

    assert order == [(2, 1), (1, 1), (2, 2), (1, 2), (2, 3), (1, 3), (0, 1)]


@given(entries, orders)
def test_every_repeat_of_every_case_is_measured_once(entries, order):
    planned = plan_sequence(entries, order)

    expected = [(index, n) for index, entry in enumerate(entries) for n in range(1, entry.repeats + 1)]
    assert sorted(planned) == sorted(expected)


@given(entries, orders)
def test_repeats_ascend_within_each_group_and_firsts_lead_their_block(entries, order):
    planned = plan_sequence(entries, order)

    groups = [entries[index].place == "last" for index, _ in planned]
    assert groups == sorted(groups)
    blocks = [(group, number) for group, (_, number) in zip(groups, planned, strict=True)]
    assert blocks == sorted(blocks)
    led = [
        (block, entries[index].place != "first") for block, (index, _) in zip(blocks, planned, strict=True)
    ]
    assert led == sorted(led)


@given(entries, st.integers(0, 10**6))
def test_a_seed_gives_its_order_again(entries, seed):
    assert plan_sequence(entries, Order(seed)) == plan_sequence(entries, Order(seed))


def test_over_many_seeds_every_case_stands_everywhere_in_every_block():
    seen = Counter()
    for seed in range(600):
        for place, (index, number) in enumerate(plan_sequence([Entry(2)] * 3, Order(seed))):
            seen[index, number, place % 3] += 1

    # Each of 600 orders puts a case in one of three places: 200, with a standard deviation of 11.5.
    assert set(seen) == set(product(range(3), (1, 2), range(3)))
    assert all(abs(count - 200) < 5 * 11.6 for count in seen.values())


def test_the_blocks_of_one_run_differ():
    planned = plan_sequence([Entry(2)] * 8, Order(1))

    assert [index for index, _ in planned[:8]] != [index for index, _ in planned[8:]]


def test_an_order_is_read_as_it_is_written():
    assert parse_order("given") == Order(None)
    assert parse_order("random:4711") == Order(4711)
    assert [str(parse_order(text)) for text in ("given", "random:4711")] == ["given", "random:4711"]
    drawn = {parse_order("random").seed for _ in range(20)}
    assert len(drawn) > 1


@pytest.mark.parametrize(
    "text", ["", "randomly", "random:", "random:x", "random:-1", "random:1.5", "given:1"]
)
def test_another_order_is_a_mistake(text):
    with pytest.raises(ValueError, match="--energy-order"):
        parse_order(text)


@given(st.permutations("abcdef"))
def test_cases_are_shown_as_they_were_collected(measured):
    places = sort_as_collected(measured, "abcdef")

    assert "".join(measured[place] for place in places) == "abcdef"


def test_a_reference_stands_first_and_a_rung_before_its_ladder():
    measured = ["unet", "b", "a", "rung 1", "rung 2", "ladder"]

    places = sort_as_collected(measured, ["a", "b", "ladder"])

    assert [measured[place] for place in places] == ["unet", "a", "b", "rung 1", "rung 2", "ladder"]


def test_what_is_in_collected_order_stays():
    measured = ["unet", "a", "b", "rung", "ladder"]

    assert sort_as_collected(measured, ["a", "b", "ladder"]) == [0, 1, 2, 3, 4]


costs = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.floats(0, 100), max_size=12)


@given(costs, st.integers(1, 5))
def test_shards_are_disjoint_and_together_the_whole(costs, count):
    shards = part_cases(costs, count)

    assert len(shards) == count
    assert Counter(name for shard in shards for name in shard) == Counter(list(costs))


few_costs = st.dictionaries(
    st.text("abc", min_size=1, max_size=4), st.sampled_from([0.0, 1.0, 2.0]), max_size=12
)


@given(few_costs, st.integers(1, 5), st.randoms(use_true_random=False))
def test_shards_do_not_depend_on_the_order_in_which_cases_are_known(costs, count, shuffle):
    names = list(costs)
    shuffle.shuffle(names)

    assert part_cases({name: costs[name] for name in names}, count) == part_cases(costs, count)


@given(costs.filter(bool), st.integers(1, 3))
def test_no_shard_costs_more_than_four_thirds_of_the_best_division(costs, count):
    names = sorted(costs)[:7]
    chosen = {name: costs[name] for name in names}

    fullest = max(sum(chosen[name] for name in shard) for shard in part_cases(chosen, count))

    best = min(
        max(
            sum(chosen[n] for n, owner in zip(names, owners, strict=True) if owner == shard)
            for shard in range(count)
        )
        for owners in product(range(count), repeat=len(names))
    )
    assert fullest <= 4 / 3 * best + 1e-9


def test_four_cases_are_parted_by_hand():
    shards = part_cases({"a": 8, "b": 5, "c": 4, "d": 1}, 2)

    assert shards == [{"a", "d"}, {"b", "c"}]


def test_cases_of_equal_cost_are_dealt_out_evenly():
    shards = part_cases(dict.fromkeys("abcdefg", 0.0), 3)

    assert [len(shard) for shard in shards] == [3, 2, 2]


def test_a_shard_is_read_as_it_is_written():
    assert parse_shard("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"


@pytest.mark.parametrize("text", ["0/3", "4/3", "x", "1", "1/0", "1/2/3", "-1/3", "1.0/2", "", " 1/2"])
def test_another_shard_is_a_mistake_that_says_what_was_expected(text):
    with pytest.raises(ValueError, match="expected I/N"):
        parse_shard(text)
