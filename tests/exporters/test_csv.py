"""Exports as CSV: parsed back by pandas and csv; CodeCarbon's columns by CodeCarbon's own class."""

import csv
import dataclasses
import io
import math

import pandas
import pytest
from codecarbon.output_methods.emissions_data import EmissionsData
from hypothesis import given

from energy.exporters import ExportError, emissions_csv
from energy.exporters._sheet import table
from energy.exporters._text import printable
from tests.simulated.exports import HOSTILE, by_model, mixed_run, named, names, repeated, run, text
from tests.simulated.records import domain, modelled


def frame(name, data, **options):
    return pandas.read_csv(io.StringIO(text(name, data, **options), newline=""))


def test_one_row_per_value_with_unit_direction_and_seed():
    rows = frame("csv", run([repeated("unet-baseline", [12.0, 12.5, 12.25])]))

    total = rows[rows.metric == "total_kj"]
    assert total.value.tolist() == [12.0, 12.5, 12.25]
    assert total.seed.tolist() == [0, 1, 2]
    assert set(zip(total.unit, total.better, total.kind, strict=True)) == {("kJ", "lower", "measured")}
    assert set(total.commit) == {"0123456789abcdef0123456789abcdef01234567"}
    assert set(total.date) == {"2026-01-02T03:14:05+00:00"}


def test_an_unknown_value_is_empty_and_has_its_reason():
    rows = frame("csv", run([repeated("unet-baseline", [12.0, 12.5, 12.25])]))

    gpu = rows[rows.metric == "gpu_kj"]
    assert len(gpu) == 3
    assert gpu.value.isna().all()
    assert set(gpu.reason) == {"no meter read the gpu in this run"}


def test_a_case_that_failed_is_a_row_without_a_value():
    rows = frame("csv", mixed_run())

    lost = rows[rows.case == "sqnet-baseline"]
    assert lost.status.tolist() == ["oom"]
    assert lost.value.isna().all()
    assert lost.reason.tolist() == ["OutOfMemoryError: tried to allocate 2 GiB"]


def test_measured_and_modelled_are_two_words_in_a_column():
    rows = frame("csv", mixed_run()).set_index("case")

    totals = rows[rows.metric == "total_kj"].kind
    assert totals.to_dict() == {
        "unet-baseline": "measured",
        "enet-baseline": "modelled",
        "cgnet-baseline": "measured",
    }
    assert rows[rows.metric == "dice"].kind.isna().all()


def test_the_kind_of_a_part_is_its_own_and_a_witness_is_no_part():
    # As schema.json has domains: the CPU is measured, the memory modelled, CodeCarbon only looks on.
    one = repeated("unet-baseline", [12.0])
    metrics = one["metrics"] | {
        "ram_kj": one["metrics"]["cpu_kj"],
        "codecarbon_kj": one["metrics"]["total_kj"] | {"better": None},
        "mean_watts": one["metrics"]["total_kj"] | {"unit": "W"},
    }
    witness = modelled([13000.0]) | {"witness": True}
    alone = one | {"metrics": metrics, "domains": [domain([12000.0]), witness]}
    memory = modelled([1000.0]) | {"domain": "ram", "source": "ram_model"}
    both = alone | {"domains": [*alone["domains"], memory]}

    by_rapl, with_memory = (
        frame("csv", run([record])).drop_duplicates("metric").set_index("metric").kind
        for record in (alone, both)
    )

    assert by_rapl[["total_kj", "cpu_kj", "codecarbon_kj"]].tolist() == ["measured", "measured", "modelled"]
    assert with_memory[["total_kj", "kj_per_epoch", "mean_watts"]].tolist() == ["mixed"] * 3
    assert with_memory[["cpu_kj", "ram_kj"]].tolist() == ["measured", "modelled"]


def test_a_flag_stands_in_every_row_of_its_case():
    rows = frame("csv", mixed_run())

    assert set(rows["invalid"][rows.case == "cgnet-baseline"]) == {"throttled"}
    assert rows["invalid"][rows.case == "unet-baseline"].isna().all()


@given(names)
def test_any_name_comes_back_from_csv(name):
    rows = list(csv.DictReader(io.StringIO(text("csv", run([named(name)])), newline="")))

    guarded = rows[0]["case"]
    bare = guarded[1:] if guarded.startswith("'") else guarded
    assert bare == printable(name)
    assert guarded[0] not in "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
    assert len({len(row) for row in rows}) == 1
    assert {len(row) for row in csv.reader(io.StringIO(text("csv", run([named(name)]))))} == {23}


def test_numbers_below_zero_are_no_formulas():
    assert table(["x"], [{"x": -1.5}, {"x": "-1.5"}]) == "x\r\n-1.5\r\n'-1.5\r\n"


def test_the_columns_are_those_of_the_installed_codecarbon_in_its_order():
    own = tuple(field.name for field in dataclasses.fields(EmissionsData))

    assert own == emissions_csv.COLUMNS


def test_energy_is_in_kilowatt_hours_and_power_is_the_mean():
    # 3.6 kJ are 1 Wh; 3.6 kJ over 103.6 s are 34.749 W.
    row = frame("emissions_csv", run([repeated("unet-baseline", [3.6])])).iloc[0]

    assert row.energy_consumed == pytest.approx(0.001)
    assert row.cpu_energy == pytest.approx(0.001)
    assert row.duration == pytest.approx(103.6)
    assert row.cpu_power == pytest.approx(34.7490, abs=1e-3)
    assert row.energy_kind == "measured"


def test_what_nobody_recorded_is_empty_and_not_zero():
    row = frame("emissions_csv", run([repeated("unet-baseline", [3.6])])).iloc[0]

    unknown = ("emissions", "emissions_rate", "gpu_energy", "gpu_power", "ram_energy", "water_consumed")
    unknown += (
        "gpu_count",
        "country_name",
        "codecarbon_version",
        "pue",
        "longitude",
        "cpu_utilization_percent",
    )
    assert {name: row[name] for name in unknown if not pandas.isna(row[name])} == {}


def test_a_grid_factor_gives_kilograms():
    # 12 kJ at 300 g/kWh are 12 / 3600 * 300 g = 1 g.
    data = run([repeated("unet-baseline", [12.0])])

    row = frame("emissions_csv", data, grid_g_per_kwh=300.0).iloc[0]

    assert row.emissions == pytest.approx(0.001)
    assert row.emissions_rate == pytest.approx(0.001 / 112.0)


def test_recorded_grams_are_taken_as_they_are():
    grams = {"unit": "g", "better": "lower", "values": [2.5], "mean": 2.5, "ci95": None}
    one = repeated("unet-baseline", [12.0])
    data = run([one | {"metrics": one["metrics"] | {"co2_g": grams}}])
    data["energy"]["grid_g_per_kwh"] = 750.0

    assert frame("emissions_csv", data).iloc[0].emissions == pytest.approx(0.0025)


def test_another_grid_factor_than_the_recorded_one_is_refused():
    data = run([repeated("unet-baseline", [12.0])])
    data["energy"]["grid_g_per_kwh"] = 750.0

    with pytest.raises(ExportError, match="recorded with a grid of 750 g/kWh, and 300 is given"):
        text("emissions_csv", data, grid_g_per_kwh=300.0)


def test_failed_cases_are_rows_with_their_seconds_and_no_energy():
    rows = frame("emissions_csv", mixed_run())

    lost = rows[rows.status != "ok"]
    assert lost.project_name.tolist() == ["sqnet-baseline", "segnet-baseline", "erfnet-baseline"]
    assert lost.duration.tolist() == [3.25] * 3
    assert lost.energy_consumed.isna().all()
    assert len(rows) == 3 * 3 + 3


def test_modelled_energy_says_so_in_emissions_csv():
    row = frame("emissions_csv", run([by_model("enet-baseline", [3.0])])).iloc[0]

    assert (row.energy_kind, row.energy_boundary, row.tracking_mode) == ("modelled", "machine", "machine")
    assert row.energy_sources == "modelled from CPU time: codecarbon_cpu_load_model, of the machine"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_cell_of_emissions_csv(name):
    rows = list(csv.reader(io.StringIO(text("emissions_csv", run([named(name)])), newline="")))

    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) == 2
    assert math.isclose(float(rows[1][rows[0].index("energy_consumed")]), 12.3 / 3600)
