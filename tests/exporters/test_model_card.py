"""co2_eq_emissions, read back by Hugging Face's own library."""

import pytest
from huggingface_hub import ModelCard
from hypothesis import given

from energy.exporters import ExportError
from energy.exporters._text import printable
from tests.simulated.exports import by_model, mixed_run, names, repeated, run, text


def emissions(data, **options):
    card = ModelCard(text("model_card", data, **options))
    return card.data.to_dict()["co2_eq_emissions"]


def test_grams_are_the_mean_of_one_training():
    # (10.8 + 12 + 13.2) / 3 kJ = 12 kJ; at 300 g/kWh that is 12 / 3600 * 300 g = 1 g.
    found = emissions(run([repeated("unet-baseline", [10.8, 12.0, 13.2])]), grid_g_per_kwh=300.0)

    assert found["emissions"] == pytest.approx(1.0)
    assert "mean of 3 trainings" in found["source"]
    assert "measured: rapl" in found["source"]
    assert "grid 300 g/kWh" in found["source"]
    assert found["hardware_used"] == "AMD EPYC (2 cores)"


def test_what_the_record_does_not_know_is_not_there():
    found = emissions(run([repeated("unet-baseline", [12.0])]), grid_g_per_kwh=300.0)

    assert set(found) == {"emissions", "source", "hardware_used"}


def test_the_user_says_place_and_kind_of_training():
    data = run([repeated("unet-baseline", [12.0])])

    found = emissions(data, grid_g_per_kwh=300.0, location="Krakow, Poland", training_type="pre-training")

    assert (found["geographical_location"], found["training_type"]) == ("Krakow, Poland", "pre-training")


def test_modelled_energy_says_so_with_its_band():
    # 12 kJ between a quarter and twice: 0.25 g and 2 g.
    found = emissions(run([by_model("unet-baseline", [12.0])]), grid_g_per_kwh=300.0)

    assert "modelled from CPU time: codecarbon_cpu_load_model, of the machine" in found["source"]
    assert "the truth lies within 0.250 and 2.00 g" in found["source"]


def test_boards_are_named_with_their_power_limit():
    data = run([repeated("unet-baseline", [12.0])])
    data["energy"]["hardware"]["gpus"] = [{"name": "NVIDIA H200", "power_limit_watts": 700.0}]

    found = emissions(data, grid_g_per_kwh=300.0)

    assert found["hardware_used"] == "NVIDIA H200 @ 700 W, AMD EPYC (2 cores)"


def test_without_a_grid_factor_emissions_are_unknown_and_nothing_is_written():
    with pytest.raises(ExportError, match=r"unknown: no grid factor given .* --grid-g-per-kwh"):
        text("model_card", run([repeated("unet-baseline", [12.0])]))


def test_without_energy_the_reason_is_told():
    one = repeated("unet-baseline", [12.0])
    none = {"unit": "kJ", "better": "lower", "values": [None], "mean": None, "ci95": None, "reason": "a gap"}
    data = run([one | {"metrics": one["metrics"] | {"total_kj": none}}])

    with pytest.raises(ExportError, match="unknown: a gap"):
        text("model_card", data, grid_g_per_kwh=300.0)


def test_of_several_cases_one_must_be_named():
    with pytest.raises(ExportError, match=r"has 6 trained cases.*--case"):
        text("model_card", mixed_run(), grid_g_per_kwh=300.0)

    assert emissions(mixed_run(), grid_g_per_kwh=300.0, case="unet-baseline")["emissions"] > 0


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("unet-baselin", "did you mean unet-baseline"),
        ("cgnet-baseline", "not to be published: invalid: throttled"),
        ("sqnet-baseline", "not to be published: oom: OutOfMemoryError"),
    ],
)
def test_a_case_that_cannot_be_published_is_refused_with_the_reason(case, told):
    with pytest.raises(ExportError, match=told):
        text("model_card", mixed_run(), grid_g_per_kwh=300.0, case=case)


@given(names)
def test_any_text_comes_back_from_the_front_matter(place):
    found = emissions(run([repeated("a-b", [12.0])]), grid_g_per_kwh=300.0, location=place)

    assert found["geographical_location"] == printable(place)
