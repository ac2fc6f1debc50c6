"""Of folds, Dice is over volumes: every figure by hand or by scipy."""

import json

import pytest
from scipy import stats

import energy
from energy.analysis.compare.compare import compare
from energy.records import schema
from energy.records.metrics import summarise_metric
from energy.records.repeats import combine_repeats
from energy.records.summary import summarise_record, summarise_unwritten
from energy.records.volumes import summarise_volumes
from energy.report.terminal.caption import write_caption
from energy.report.words import slim
from tests.simulated import records

# Two folds of two volumes and of one, under two seeds: the mean over volumes is not that of the folds.
DICE = {
    (0, 1): {"a": 0.4, "b": 0.6},
    (0, 2): {"c": 0.8},
    (1, 1): {"a": 0.5, "b": 0.7},
    (1, 2): {"c": 1.0},
}
OF_VOLUMES = {"a": 0.45, "b": 0.65, "c": 0.9}


def part(seed, fold, shift=0.0):
    """Return the record of one repeat: of one fold under one seed."""
    volumes = {name: dice + shift for name, dice in DICE[seed, fold].items()}
    facts = {"fold": fold, "dice_by_volume": volumes, "reference_by_volume": DICE[seed, fold]}
    mean = sum(volumes.values()) / len(volumes)
    whole = records.record("attention_squeeze_unet-baseline")
    return whole | {
        "budget": {"epochs": 2, "seeds": [0, 1], "folds": 2, "slices": 120},
        "repeats": 1,
        "setup": [facts],
        "faults": [[]],
        "machine": {"threads": 2, "states": [{}]},
        "metrics": {
            "dice": summarise_metric("dice", [mean], by_volume=summarise_volumes([facts])["dice"]),
            "total_kj": summarise_metric("total_kj", [10.0 * fold + seed]),
            "seconds": summarise_metric("seconds", [100.0]),
            "dice_loss_vs_unet_pct": summarise_metric("dice_loss_vs_unet_pct", [-shift]),
        },
    }


def case(shift=0.0):
    return combine_repeats([part(*training, shift) for training in DICE])


def test_dice_is_the_mean_over_volumes_with_students_interval_over_them():
    found = case()["metrics"]["dice"]

    assert found["by_volume"] == pytest.approx(OF_VOLUMES)
    assert found["mean"] == pytest.approx(2 / 3)
    expected = stats.t.interval(0.95, 2, 2 / 3, stats.sem(list(OF_VOLUMES.values())))
    assert found["ci95"] == pytest.approx(expected)
    assert found["values"] == pytest.approx([0.5, 0.8, 0.6, 1.0])


def test_joules_are_the_mean_over_repeats():
    found = case()["metrics"]["total_kj"]

    assert found["mean"] == pytest.approx((10 + 20 + 11 + 21) / 4)
    assert "by_volume" not in found


def test_dice_lost_to_u_net_is_paired_by_volume_in_per_cent_of_its_mean():
    lost = case(shift=-0.1)["metrics"]["dice_loss_vs_unet_pct"]

    assert lost["by_volume"] == pytest.approx(dict.fromkeys("abc", 100 * 0.1 / (2 / 3)))
    assert lost["ci95"] == pytest.approx([15, 15])


def test_a_volume_without_brain_has_no_figure_and_its_fold_costs_the_others_none():
    setups = [
        {"fold": 1, "dice_by_volume": {"a": 0.5, "empty": None}},
        {"fold": 2, "dice_by_volume": {"void": float("nan")}},
    ]

    by_volume = summarise_volumes(setups)["dice"]
    summary = summarise_metric("dice", [0.5, None], "the test part has no brain", by_volume)

    assert by_volume == {"a": 0.5}
    assert (summary["mean"], summary["ci95"]) == (0.5, None)
    record = case()
    record["metrics"]["dice"] = summary | {"values": [0.5, None, 0.5, None]}
    schema.check_record(record, "a record")


def test_a_record_of_folds_is_valid_and_one_with_a_repeat_too_few_is_not():
    whole = case()
    schema.check_record(whole, "a record")
    whole["metrics"]["total_kj"]["values"].pop()

    with pytest.raises(schema.RecordError, match="3 values for 4 repeats"):
        schema.check_record(whole, "a record")


def test_a_comparison_pairs_dice_by_volume():
    base, head = (
        summarise_unwritten([case(shift)], name, "a", "2026-01-01")
        for shift, name in ((0.0, "base"), (-0.1, "head"))
    )

    (row,) = compare(base, head, metrics=["dice"]).rows

    # The volumes differ by 0.45 between each other, and each by exactly 0.1 from itself.
    assert row.changes["dice"].change == pytest.approx(-0.1)
    assert row.changes["dice"].verdict == "regressed"
    assert summarise_record(case()).pairs("dice") == ("a", "b", "c")
    assert summarise_record(case()).pairs("total_kj") == (0, 0, 1, 1)


def test_dice_of_volumes_under_other_seeds_is_not_compared():
    of_one_seed = combine_repeats(
        [
            part(0, fold) | {"budget": {"epochs": 2, "seeds": [0], "folds": 2, "slices": 120}}
            for fold in (1, 2)
        ]
    )
    base, head = (
        summarise_unwritten([record], name, "a", "2026-01-01")
        for record, name in ((of_one_seed, "base"), (case(), "head"))
    )

    (row,) = compare(base, head, metrics=["dice"]).rows

    assert row.changes["dice"].verdict == "inconclusive"
    assert "0 against 0, 1" in row.changes["dice"].why


def test_the_frame_has_a_row_per_repeat_with_its_seed_and_fold(tmp_path):
    folder = tmp_path / "epyc-2c-cpu-91bc"
    folder.mkdir()
    (folder / "0001_folds.json").write_text(json.dumps(records.run([case()])))

    table = energy.frame(tmp_path)

    assert list(zip(table["seed"], table["fold"], strict=True)) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert list(table["dice"]) == pytest.approx([0.5, 0.8, 0.6, 1.0])


def test_dice_lost_is_unknown_where_u_net_lacks_the_repeats_of_a_seed():
    setups = [
        {"fold": 1, "dice_by_volume": {"a": 0.4}, "reference_by_volume": {"a": 0.6}},
        {"fold": 1, "dice_by_volume": {"a": 0.2}, "reference_by_volume": {}},
    ]

    assert "dice_loss_vs_unet_pct" not in summarise_volumes(setups)


def test_a_ladder_over_folds_is_of_no_fold_itself(tmp_path):
    ladder = records.record("unet-ladder") | {"budget": {"epochs": 2, "seeds": [], "folds": 2}}
    folder = tmp_path / "epyc-2c-cpu-91bc"
    folder.mkdir()
    (folder / "0001_ladder.json").write_text(json.dumps(records.run([ladder])))

    assert energy.frame(tmp_path)["fold"].isna().all()


def test_the_caption_counts_the_volumes_that_dice_is_over_of_cases_that_ended():
    whole = case()
    whole["setup"][1]["dice_by_volume"]["no brain"] = None
    cut = whole | {"case": "unet-bf16", "status": "interrupted", "metrics": {}, "setup": whole["setup"][:1]}

    text = " ".join(write_caption([whole, cut], ["total_kj", "dice"], None))

    assert "over 3 volumes for Dice, over 4 repeats for the rest" in text


def test_a_page_keeps_volumes_with_long_names_that_differ_in_the_middle_apart():
    whole = case()
    dice = whole["metrics"]["dice"]
    dice["by_volume"] = {f"{'a' * 120}{middle}{'b' * 120}": 0.5 for middle in "123"}

    assert len(slim(whole)["metrics"]["dice"]["by_volume"]) == 3
