"""The split by subject, on any set of subjects."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import DataError
from fixtures._split import by_subject

SUBJECTS = st.sets(st.text("abc0123-_", min_size=1, max_size=8), min_size=3, max_size=120)


@given(SUBJECTS, st.integers(0, 2**31))
def test_every_subject_is_in_exactly_one_part(subjects, seed):
    parts = by_subject(subjects, seed)

    assert sorted(parts["train"] + parts["val"] + parts["test"]) == sorted(subjects)


@given(SUBJECTS, st.integers(0, 100))
def test_a_tenth_is_tested_and_a_tenth_of_the_rest_validates(subjects, seed):
    parts = by_subject(subjects, seed)

    tested = math.ceil(len(subjects) / 10)
    assert len(parts["test"]) == tested
    assert len(parts["val"]) == math.ceil((len(subjects) - tested) / 10)
    assert parts["train"]


def test_twelve_subjects_split_into_nine_one_and_two():
    parts = by_subject([f"s{number}" for number in range(12)], seed=0)

    assert {part: len(members) for part, members in parts.items()} == {"train": 9, "val": 1, "test": 2}


@given(SUBJECTS, st.integers(0, 100), st.randoms())
def test_the_order_of_the_files_changes_nothing(subjects, seed, random):
    shuffled = random.sample(sorted(subjects), len(subjects))

    assert by_subject(shuffled, seed) == by_subject(sorted(subjects), seed)


def test_another_seed_gives_another_split():
    subjects = [f"s{number}" for number in range(30)]

    assert len({by_subject(subjects, seed)["test"] for seed in range(10)}) > 5


@pytest.mark.parametrize("subjects", [["a"], ["a", "b"]])
def test_fewer_than_three_subjects_cannot_be_split(subjects):
    with pytest.raises(DataError, match=rf"{len(subjects)} subject.*expected at least 3"):
        by_subject(subjects, seed=0)
