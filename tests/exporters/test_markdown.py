"""Markdown of a run and of a comparison, parsed by markdown-it (CommonMark with tables)."""

import re
from dataclasses import replace

import pytest

from energy.analysis.compare.result import Shift
from tests.simulated.exports import (
    COMMITTED,
    by_model,
    comparison,
    mixed_run,
    repeated,
    run,
    text,
    with_total,
)
from tests.simulated.markdown import FOUR, WORSE, Page, changes, compared, table_of


def test_the_verdict_comes_first_and_only_what_changed_is_in_the_table():
    source = compared(WORSE, FOUR)

    assert source.startswith("✗ **1 regression, 3 unchanged – epyc-2c-cpu-91bc, n = 3, noise of total_kj ±")
    session, unet = table_of(source)
    assert session["case"] == "session (median)"
    assert unet["case"] == "unet-baseline"
    assert unet["total kJ"] == "12.1 → 24.1"
    assert unet["Dice"] == "0.810 → 0.810"
    assert unet["verdict"].startswith("✗ regressed: total_kj regressed: worse by")
    assert "3 cases unchanged." in source


def test_a_change_has_its_interval():
    # ln(24.1 / 12.1) by its means of logarithms: 99.2 %.
    assert re.fullmatch(r"\+99\.2 % \[\+9\d\.\d, \+10\d\]", changes(compared(WORSE, FOUR))[1])


def test_the_whole_table_environment_and_commands_are_folded_away():
    source = compared(WORSE, FOUR)

    folds = re.findall(r"<details>\n<summary>(.*?)</summary>", source)
    assert folds == ["All 4 cases", "Environment", "How to reproduce"]
    assert source.count("</details>") == 3
    assert "git checkout 0123456789abcdef0123456789abcdef01234567" in source
    assert "joulebench compare epyc-2c-cpu-91bc/0001_base epyc-2c-cpu-91bc/0002_head" in source
    everything = Page(source.split("<details>")[1]).rows
    assert [row[0] for row in everything[2:]] == [
        f"{n}-baseline" for n in ("unet", "enet", "cgnet", "erfnet")
    ]


def test_measured_or_modelled_is_in_the_head_and_survives_every_cut():
    modelled = [by_model(f"{name}-baseline", [12.0, 12.1]) for name in ("unet", "enet")]

    for source in (
        compared(modelled, modelled, max_bytes=700),
        text("markdown", run(modelled), max_bytes=400),
    ):
        assert "energy modelled from CPU time: codecarbon_cpu_load_model, of the machine" in source
        assert "<details>" not in source


def test_a_comparison_that_is_refused_says_why_and_judges_nothing():
    modelled = [by_model(f"{name}-baseline", [24.0, 24.1]) for name in ("unet", "enet")]
    measured = [repeated(f"{name}-baseline", [12.0, 12.1]) for name in ("unet", "enet")]

    source = compared(modelled, measured)

    assert "not judged: joules of another kind: measured in the base, modelled in the head" in source
    assert "regressed" not in source


def test_without_a_base_all_cases_are_there_and_bad_ones_come_first():
    rows = table_of(text("markdown", mixed_run()))

    in_order = ("sqnet", "segnet", "erfnet", "cgnet", "unet", "enet")
    assert [row["case"] for row in rows] == [f"{name}-baseline" for name in in_order]
    assert rows[0]["Dice"] == "oom [1]"
    assert (rows[4]["total kJ"], rows[4]["meter"]) == ("12.1", "measured")
    assert rows[5]["meter"] == "modelled"


def test_the_head_of_a_run_counts_how_cases_ended():
    source = text("markdown", mixed_run())

    assert source.startswith("✗ **6 cases: 2 ok, 1 invalid, 1 oom, 1 error, 1 diverged**")
    assert "out of memory" not in source.partition("\n")[0]
    assert "[1] sqnet-baseline oom: OutOfMemoryError: tried to allocate 2 GiB" in Page(source).words


def test_a_comparison_without_a_change_says_so():
    only = [repeated("unet-baseline", [12.0, 12.1, 12.2])]
    found = comparison(run(only), run(only))

    source = text("markdown", run(only), base=replace(found, shifts={}))

    assert source.startswith("= **1 unchanged")
    assert "Nothing changed beyond its limit." in source


def test_the_session_is_a_row_with_its_reason():
    found = comparison(run(FOUR), run(FOUR))
    shift = Shift("total_kj", 0.031, (0.02, 0.042), 4, "regressed", "all 4 cases together")

    source = text("markdown", run(FOUR), base=replace(found, shifts={"total_kj": shift}))

    (row,) = table_of(source)

    assert row["case"] == "session (median)"
    assert row["verdict"] == "✗ regressed: total_kj regressed: all 4 cases together"
    assert changes(source) == ["+3.1 % [+2.0, +4.2]"]


@pytest.mark.parametrize("data", COMMITTED)
def test_every_committed_case_is_a_row(data):
    rows = {row["case"]: row for row in table_of(text("markdown", data))}

    assert len(rows) == len(data["benchmarks"])
    assert {rows[record["case"]]["meter"] for record in with_total(data)} <= {"measured", "modelled", "mixed"}
