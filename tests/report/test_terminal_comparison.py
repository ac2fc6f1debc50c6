"""A comparison as text and as JSON: the verdict first, every figure with what it is worth."""

import json

import pytest

from energy.analysis.compare.compare import compare
from energy.analysis.compare.result import comparison_as_json
from energy.report.terminal.comparison import format_comparison, verdict_line
from tests.simulated.summaries import case, run


def both(names, kilojoules, dice, seeds=(-0.02, 0.0, 0.02)):
    """Return two cases' base and head; of each the means, three repeats around them."""
    return [
        case(
            name,
            total_kj=[mean * step for step in (0.99, 1.0, 1.01)],
            dice=[value + step for step in seeds],
            kind="modelled",
            sources=("cpu_seconds_model", "ram_model"),
        )
        for name, mean, value in zip(names, kilojoules, dice, strict=True)
    ]


NAMES = ("unet-baseline", "unet-bf16", "unet-cache", "unet-oom", "unet-new")
BASE = run(*both(NAMES[:4], [10.0, 20.0, 5.0, 8.0], [0.8, 0.8, 0.8, 0.8]), dirty=True)
HEAD = run(
    *both(NAMES[:3], [10.2, 22.9, 5.1], [0.8, 0.78, 0.8], seeds=(-0.023, 0.0, 0.023)),
    case("unet-oom", status="oom", values={}),
    *both(NAMES[4:], [3.0], [0.7]),
    name="0002_head",
)

# By hand: ln(0.99), 0, ln(1.01) have the standard deviation 0.0100, and t of 12 degrees is 2.179, so that a
# change has the interval +-2.179 * 0.01 * sqrt(2/3) = +-0.0178 in logs. Dice: differences of -0.003, 0 and
# 0.003; t of 6 degrees is 2.447: +-2.447 * 0.003 / sqrt(3) = +-0.0042.
EXPECTED = """
1 regression, 1 failed, 1 no-baseline, 2 unchanged – epyc-2c-cpu-91bc, n = 3, noise of total_kj ±1.0 %, noise of dice
±0.0021
base epyc-2c-cpu-91bc/0001_base (2026-01-02, 01234567+dirty) → head epyc-2c-cpu-91bc/0002_head (2026-01-02, 01234567)

case              total kJ     Δ [95 %]                    Dice           Δ [95 %]                     verdict
----------------------------------------------------------------------------------------------------------------------
unet-baseline     10.0 → 10.2  +2.0 % [+0.2, +3.8]         0.800 → 0.800  0.000 [-0.004, +0.004]       unchanged
unet-bf16         20.0 → 22.9  +14.5 % [+12.5, +16.6] [1]  0.800 → 0.780  -0.020 [-0.024, -0.016] [2]  regressed
unet-cache        5.00 → 5.10  +2.0 % [+0.2, +3.8]         0.800 → 0.800  0.000 [-0.004, +0.004]       unchanged
unet-oom          –            –                           –              –                            failed [3]
unet-new          –            –                           –              –                            no-baseline [4]
session (median)               +2.0 % [+0.4, +3.6] [5]                                                 inconclusive

Δ is as measured; a verdict is about what is left of it without the session's median
noise of total_kj: ±1.0 % (standard deviation of one repeat), repeats of 3 cases in both runs, 12 degrees of freedom
noise of dice: ±0.0021 (standard deviation of one repeat), differences seed by seed of 3 cases in both runs, 6 degrees
    of freedom
modelled: cpu_seconds_model + ram_model; the model's error is common to base and head and in none of these intervals
[1] total_kj regressed: worse by 12 %, the limit is 3 %
[2] dice regressed: worse by 0.02, the limit is 0.01
[3] the case ended as: oom
[4] not in the base
[5] session, total_kj inconclusive: may be worse by more than 3 %
"""  # noqa: E501 -- as wide as it is printed


def test_a_comparison_reads_as_written_here():
    assert format_comparison(compare(BASE, HEAD)) == EXPECTED.strip()


def test_where_there_are_many_cases_the_unchanged_ones_are_counted():
    names = [f"case-{at}" for at in range(21)]
    base = run(*both(names, [10.0] * 21, [0.8] * 21))
    head = run(*both(names, [10.0] * 20 + [12.0], [0.8] * 21), name="0002_head")

    text = format_comparison(compare(base, head))

    assert "20 cases unchanged, not shown (compare --all shows them)" in text
    assert "case-20" in text
    assert "case-3 " not in text
    assert "case-3 " in format_comparison(compare(base, head), all_rows=True)


def test_a_long_name_is_never_cut_and_gets_a_line_of_its_own():
    name = "attention_squeeze_unet-novograd+cache+bf16+channels_last+persistent_workers"
    found = compare(run(*both([name], [10.0], [0.8])), run(*both([name], [11.0], [0.8]), name="0002_head"))

    lines = format_comparison(found).splitlines()

    assert name in lines
    assert max(map(len, lines)) <= 120


def test_metrics_that_do_not_fit_beside_each_other_stand_below_each_other():
    metrics = ["total_kj", "kj_per_epoch", "seconds", "dice", "dice_slice", "peak_rss_mib"]
    values = {metric: [0.5, 0.51] for metric in metrics}
    found = compare(run(case("unet", **values)), run(case("unet", **values), name="h"), metrics=metrics)

    text = format_comparison(found)

    titles = [line for line in text.splitlines() if line.startswith("case ")]
    assert len(titles) > 1
    assert [word for line in titles for word in ("kJ/epoch", "peak_rss_mib (MiB)") if word in line] == [
        "kJ/epoch",
        "peak_rss_mib (MiB)",
    ]
    assert max(map(len, text.splitlines())) <= 120


def test_one_repeat_is_never_shown_as_certain():
    found = compare(run(case(total_kj=[10.0])), run(case(total_kj=[10.0]), name="h"))

    text = format_comparison(found)

    assert "n = 1, noise of total_kj unknown" in text
    assert "0.0 % [1]  unchanged" in text
    assert "[1] total_kj unchanged: the same figure; n = 1: no interval" in text


def test_refused_runs_show_both_figures_and_why_they_are_not_judged():
    found = compare(run(case(total_kj=[10.0])), run(case(total_kj=[11.0]), fingerprint="h200-700w-3f2a"))

    text = format_comparison(found)

    assert "10.0 → 11.0  +10.0 %   no-baseline [1]" in text
    assert (
        "not judged: other hardware or meters: epyc-2c-cpu-91bc in the base, h200-700w-3f2a in the head"
        in text
    )


def test_measured_joules_carry_no_word_about_models():
    found = compare(run(case(total_kj=[10.0, 10.1])), run(case(total_kj=[10.0, 10.2]), name="h"))

    assert "measured: rapl\n" in format_comparison(found) + "\n"
    assert "model" not in format_comparison(found)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (run(name="h"), "1 missing – epyc-2c-cpu-91bc"),
        (run(case("unet", invalid=("gap",)), name="h"), "1 missing, 1 invalid"),
    ],
)
def test_the_verdict_line_counts_what_a_reader_must_know_first(head, words):
    assert verdict_line(compare(run(case("a", total_kj=[1.0])), head)).startswith(words)


def test_nothing_compared_with_nothing_is_said_in_words():
    assert format_comparison(compare(None, run())).startswith(
        "no cases – epyc-2c-cpu-91bc\nbase nothing → head"
    )


def test_the_json_has_the_figures_of_the_table():
    found = json.loads(json.dumps(comparison_as_json(compare(BASE, HEAD)), allow_nan=False))

    worse = next(row for row in found["cases"] if row["case"] == "unet-bf16")
    assert (worse["verdict"], worse["kind"], worse["problem"]) == ("regressed", "modelled", None)
    assert worse["changes"]["total_kj"]["change"] == pytest.approx(0.145)
    assert worse["changes"]["total_kj"]["ci95"] == pytest.approx([0.1248, 0.1656], abs=1e-4)
    assert found["session"]["total_kj"]["change"] == pytest.approx(0.02)
    assert found["noise"]["dice"]["freedom"] == 6
    assert [row["problem"] for row in found["cases"]] == [None, None, None, "failed", "no-baseline"]
    assert (found["base"]["dirty"], found["refused"]) == (True, None)


def test_a_ratio_beyond_all_floats_is_null():
    found = compare(run(case(total_kj=[1e-300])), run(case(total_kj=[1e300]), name="h"))

    assert comparison_as_json(found)["cases"][0]["changes"]["total_kj"]["change"] is None
