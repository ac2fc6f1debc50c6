"""The table says what is known, how well, by what meter, and why the rest is not."""

import pytest

from energy.records import provenance
from energy.records.metrics import METRICS, summarise_metric
from energy.report.terminal import caption, table
from energy.report.terminal.record import format_record
from tests.simulated.records import domain, failed, modelled, record

IDLE = {"watts": {"cpu": 11.02, "ram": None, "total": None}, "seconds": 30.0}


def metrics(**values):
    return {name: summarise_metric(name, [value], "the meter was lost") for name, value in values.items()}


def novograd(name="attention_squeeze_unet-novograd", **changes):
    """Return a case whose energy is a model's, with a gap and a flag."""
    figures = metrics(
        dice=0.8,
        kj_per_epoch=1.17,
        total_kj=2.3456,
        dice_loss_vs_unet_pct=5.882,
        dice_per_kj=None,
        seconds=20.3,
    )
    flags = {"ok": False, "invalid": ["oversubscribed", "throttled"], "notes": []}
    changed = {"metrics": figures, "domains": [modelled([2345.6])], "validity": flags}
    return record(name, **changed | changes)


# A table is as wide as a terminal, hence wider than our code.
EXPECTED = """
case                                Dice  kJ/epoch  total kJ  Dice lost %  Dice/kJ  seconds  meter     validity
------------------------------------------------------------------------------------------------------------------
unet-baseline                      0.850       6.1      12.3            0    0.069      101  measured  ok
attention_squeeze_unet-novograd    0.800       1.2       2.3         5.88    – [1]     20.3  modelled  invalid [2]
unet-bf16                        oom [3]         –         –            –        –        –  –         –

measured: rapl, of the machine; the truth of a total lies within -5 % … +5 % (unet-baseline: 12.3 kJ in [11.7, 12.9] kJ)
modelled from CPU time: codecarbon_cpu_load_model, of the machine; the truth of a total lies within ÷4 … ×2
    (attention_squeeze_unet-novograd: 2.3 kJ in [0.59, 4.7] kJ)
boundary machine: what the box drew meanwhile, for all programs
idle power: cpu 11.0 W, ram unknown, total unknown, over 30.0 s before the first case; not subtracted
n = 1: no interval
Dice lost %: relative to unet-baseline (this run)
[1] the meter was lost
[2] invalid: oversubscribed, throttled
[3] unet-bf16 oom: OutOfMemoryError: tried to allocate 2 GiB
"""  # noqa: E501 -- as wide as it is printed


def test_the_table_of_a_run_reads_as_written_here():
    text = table.format_table([record(), novograd(), failed("unet-bf16")], idle=IDLE)

    assert text == EXPECTED.strip()


def test_several_seeds_show_the_mean_with_half_its_interval():
    """Dice 0.84, 0.85, 0.86: half = 4.3027 * 0.01 / sqrt(3) = 0.0248; kJ: half 0.497, meter 0.615."""
    seeds = {"budget": {"seeds": [0, 1, 2]}, "epochs": [], "reference": None}
    figures = {
        "dice": summarise_metric("dice", [0.84, 0.85, 0.86]),
        "total_kj": summarise_metric("total_kj", [12.1, 12.3, 12.5]),
        "seconds": summarise_metric("seconds", [100.0, 101.0, 102.0]),
    }
    energy = [domain([12100.0, 12300.0, 12500.0])]

    text = table.format_table(
        [record(metrics=figures, domains=energy, **seeds)], columns=("case", "dice", "total_kj", "seconds")
    )

    assert " ".join(text.splitlines()[2].split()) == "unet-baseline 0.85 ± 0.03 12.3 101"
    assert "±: half the 95 % confidence interval of the mean (Student's t) over the repeats, n = 3" in text


def test_a_total_of_measured_and_modelled_parts_says_mixed():
    mixed = record(domains=[domain([8000.0], source="nvml_counter", domain="gpu"), modelled([4000.0])])

    text = table.format_table([mixed], columns=("case", "total_kj", "meter"))

    assert text.splitlines()[2].endswith("mixed")
    assert "mixed: codecarbon_cpu_load_model modelled + nvml_counter measured" in text


def test_the_band_of_a_total_adds_up_the_bands_of_its_parts():
    """8 kJ ± 5 % and 4 kJ in [1, 8]: 12 kJ in [8.6, 16.4]."""
    mixed = record(domains=[domain([8000.0], source="nvml_counter"), modelled([4000.0])])

    source = provenance.find_provenance(mixed)

    assert source.joules == 12000
    assert source.band == pytest.approx((8600, 16400))


def test_a_witness_is_part_of_no_total():
    source = provenance.find_provenance(
        record(domains=[domain([8000.0]), domain([9000.0], source="other", witness=True)])
    )

    assert source.joules == 8000
    assert source.sources == (("rapl", "measured"),)


def test_an_unknown_part_makes_the_total_unknown_and_never_zero():
    parts = [domain([8000.0]), domain([None], domain="gpu", source="nvml_counter", reason="GPU lost")]

    text = table.format_table([record(domains=parts)], idle=None)

    assert provenance.find_provenance(record(domains=parts)).joules is None
    assert "no total energy is known" in text


def test_a_figure_that_the_record_lacks_is_a_dash_with_a_reason():
    text = table.format_table([record()], columns=("case", "co2_g"))

    assert text.splitlines()[2] == "unet-baseline  – [1]"
    assert "[1] co2_g: not recorded for this training case" in text


def test_equal_reasons_get_one_number():
    text = table.format_table([novograd(), novograd("unet-b")], columns=("case", "dice_per_kj"))

    assert text.count("– [1]") == 2
    assert text.count("the meter was lost") == 1


def test_idle_power_that_was_not_measured_says_so():
    assert "idle power: not measured" in table.format_table([record()])


def test_a_stored_reference_is_named():
    stored = {"case": "unet-baseline", "dice": [0.85], "origin": "stored: results/x/0003_main.json"}

    text = table.format_table([record(reference=stored)])

    assert "Dice lost %: relative to unet-baseline (stored: results/x/0003_main.json)" in text


def rows(text):
    return [line.split()[0] for line in text.splitlines()[2:5]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("total_kj", ["b", "c", "a"]),  # less is better
        ("dice", ["c", "b", "a"]),  # more is better; unknown last
        ("case", ["a", "b", "c"]),
    ],
)
def test_rows_are_sorted_best_first_and_unknown_last(sort, expected):
    cases = [
        record("b", metrics=metrics(dice=0.7, total_kj=1.0, seconds=1.0)),
        record("c", metrics=metrics(dice=0.8, total_kj=2.0, seconds=1.0)),
        record("a", metrics=metrics(dice=None, total_kj=None, seconds=1.0)),
    ]

    assert rows(table.format_table(cases, sort=sort, columns=("case", "dice", "total_kj"))) == expected


def test_without_sorting_rows_keep_their_order():
    assert rows(table.format_table([record("b"), record("a"), record("c")])) == ["b", "a", "c"]


def test_the_default_table_of_long_names_fits_120_columns():
    text = table.format_table([novograd("attention_squeeze_unet-early_stop"), record()], idle=IDLE)

    assert max(map(len, text.splitlines())) <= 120


def test_a_name_that_is_too_long_gets_its_own_line_and_is_not_cut():
    name = "attention_squeeze_unet-" + "+".join(["novograd", "cache", "plateau", "augment"] * 4)

    text = table.format_table([record(name), record()]).splitlines()

    assert text[2] == name
    assert text[3].split() == ["0.850", "6.1", "12.3", "0", "0.069", "101", "measured", "ok"]
    assert text[4] == "unet-baseline"
    assert text[0].index("total kJ") + len("total kJ") == text[3].index("12.3") + len("12.3")


def test_counts_are_written_in_full():
    figures = metrics(params=31_036_481, seconds=1.0)

    text = table.format_table([record(metrics=figures)], columns=("case", "params"))

    assert text.splitlines()[2].split() == ["unet-baseline", "31036481"]


def test_a_table_of_functions_has_no_columns_for_dice():
    function = record("test_sum", task="function", metrics=metrics(total_kj=0.1, seconds=2.0))

    text = table.format_table([function, failed("test_bad", "error")])

    assert text.splitlines()[0].split() == ["case", "total", "kJ", "seconds", "meter", "validity"]


def test_the_band_in_the_caption_is_the_widest_of_its_cases():
    near, far = domain([8000.0]), domain([100.0], 0.5, 2.0)

    text = table.format_table([record(domains=[near]), record("unet-short", domains=[far])])

    assert (
        "measured: rapl, of the machine; the truth of a total lies within ÷2 … ×2 (unet-baseline: 8.0 kJ"
        in text
    )


def test_a_failed_case_shows_its_status_in_every_choice_of_columns():
    for columns in (("case",), ("case", "meter"), ("case", "total_kj", "dice"), ("case", "status"), None):
        text = table.format_table([failed("unet-bf16", "diverged", "loss is nan")], columns=columns)

        assert "diverged" in text.splitlines()[2]
        assert "loss is nan" in text


def test_columns_are_parsed_with_the_case_always_in_front():
    assert table.parse_columns("dice, total_kj") == ("case", "dice", "total_kj")
    assert table.parse_columns("total_kj,case,total_kj") == ("case", "total_kj")


def test_every_metric_can_be_a_column():
    assert set(METRICS) <= set(table.parse_columns(",".join(METRICS)))


@pytest.mark.parametrize("parse", [table.parse_columns, table.parse_sort])
def test_a_misspelt_column_gets_the_nearest_names(parse):
    with pytest.raises(ValueError, match=r"unknown column 'totl_kj'; did you mean total_kj"):
        parse("totl_kj")


@pytest.mark.parametrize("parse", [table.parse_columns, table.parse_sort])
def test_no_column_at_all_is_refused(parse):
    with pytest.raises(ValueError, match="unknown column ''"):
        parse("")


def test_the_detail_of_a_case_has_every_joule_with_its_provenance():
    text = format_record(novograd(domains=[modelled([2345.6]), domain([2000.0], witness=True)]))

    assert (
        "cpu (machine): 2346 J in [586.4, 4691] J, modelled by codecarbon_cpu_load_model, coverage 100 %"
        in text
    )
    assert (
        "cpu package-0 (machine): 2000 J in [1900, 2100] J, measured by rapl, coverage 100 %, witness" in text
    )
    assert "validity invalid: oversubscribed, throttled" in text
    assert "dice_per_kj              – 1/kJ  (the meter was lost)" in text
    assert "seed 0 epoch   2: 6100 J, 50.5 s, loss 0.4, val_dice 0.8" in text


def test_the_detail_of_a_failed_case_says_why_and_when():
    text = format_record(failed("unet-bf16"))

    assert text.startswith(
        "unet-bf16 (training): oom\nfailed after 3.25 s: OutOfMemoryError: tried to allocate 2 GiB"
    )


def test_an_unknown_total_is_said_in_words():
    assert (
        caption.kilojoules(provenance.find_provenance(record(domains=[domain([None], reason="lost")])))
        == "unknown"
    )
