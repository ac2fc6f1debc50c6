"""OpenMetrics, read by the format's reference parser."""

import pytest
from hypothesis import given
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from energy.exporters._text import printable
from energy.records.metrics import METRICS
from tests.simulated import records
from tests.simulated.exports import (
    COMMITTED,
    comparison,
    mixed_run,
    named,
    names,
    repeated,
    run,
    text,
    with_total,
)

HARDWARE = "epyc-2c-cpu-91bc"


def samples(data, **options):
    """Return the value of every sample by name and labels, read by the format's reference parser."""
    found = text("openmetrics", data, **options)
    assert found.endswith("\n# EOF\n")
    families = list(text_string_to_metric_families(found))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def labelled(found, name, **labels):
    return [
        value
        for (own, pairs), value in found.items()
        if own == name and labels.items() <= dict(pairs).items()
    ]


def test_openmetrics_has_a_gauge_per_metric_with_unit_and_help():
    found = text("openmetrics", mixed_run())

    families = {family.name: family for family in text_string_to_metric_families(found)}
    total = families["joulebench_total_kj"]
    assert (total.type, total.unit) == ("gauge", "kj")
    assert total.documentation == "energy of GPU, CPU and RAM over the training window, in kJ"
    assert (families["joulebench_seconds"].unit, families["joulebench_kj_per_epoch"].unit) == ("seconds", "")


def test_every_metric_that_a_record_may_have_is_accepted_by_the_parser():
    metrics = {
        name: {"unit": known.unit, "better": known.better, "values": [1.5], "mean": 1.5, "ci95": None}
        for name, known in METRICS.items()
    }
    one = repeated("unet-baseline", [1.5])

    found = samples(run([one | {"metrics": metrics}]))

    for name in METRICS:
        assert labelled(found, f"joulebench_{name}", case="unet-baseline", n="1") == [1.5]


def test_samples_are_the_means_and_energies_say_their_kind():
    found = samples(mixed_run())

    measured = {"case": "unet-baseline", "kind": "measured", "n": "3", "hardware": HARDWARE}
    assert labelled(found, "joulebench_total_kj", **measured) == [pytest.approx(12.1)]
    assert labelled(found, "joulebench_total_kj", case="enet-baseline", kind="modelled") == [
        pytest.approx(3.1)
    ]
    assert labelled(found, "joulebench_dice", kind="measured") == []


def test_an_unknown_figure_is_no_sample_and_a_failed_case_is_one():
    found = samples(mixed_run())

    assert labelled(found, "joulebench_gpu_kj") == []
    assert labelled(found, "joulebench_case_ok", case="sqnet-baseline", status="oom") == [0.0]
    assert labelled(found, "joulebench_case_ok", case="unet-baseline", status="ok") == [1.0]
    assert labelled(found, "joulebench_record_valid", case="cgnet-baseline") == [0.0]


def test_with_a_base_changes_verdicts_and_missing_cases_are_samples():
    base = run([repeated("unet-baseline", [10.0]), repeated("gone-baseline", [1.0])])
    head = run([repeated("unet-baseline", [12.0])])

    found = samples(head, base=comparison(base, head))

    change = {"case": "unet-baseline", "metric": "total_kj", "relative": "true", "verdict": "inconclusive"}
    assert labelled(found, "joulebench_change", **change) == [pytest.approx(0.2)]
    assert labelled(found, "joulebench_case_ok", case="gone-baseline", status="missing") == [0.0]


@given(names)
def test_any_name_comes_back_from_openmetrics(name):
    found = samples(run([named(name)]))

    assert labelled(found, "joulebench_total_kj", case=printable(name)) == [12.3]


def test_two_tasks_of_one_name_are_two_samples():
    two = [repeated("unet-baseline", [12.0]), repeated("unet-baseline", [1.0]) | {"task": "inference"}]

    found = samples(run(two))

    assert labelled(found, "joulebench_total_kj", task="training") == [12.0]
    assert labelled(found, "joulebench_total_kj", task="inference") == [1.0]


@pytest.mark.parametrize("data", COMMITTED)
def test_the_committed_results_are_read_by_the_parser(data):
    found = samples(data)

    for record in with_total(data):
        total = record["metrics"]["total_kj"]["mean"]
        assert labelled(found, "joulebench_total_kj", case=record["case"]) == [total]


def test_n_of_folds_is_how_many_volumes_the_mean_is_over():
    folded = records.record()
    folded["metrics"]["dice"]["by_volume"] = {"a": 0.8, "b": 0.9, "c": 0.7, "d": 0.8, "e": 0.8}

    (value,) = labelled(samples(run([folded])), "joulebench_dice", n="5")

    assert value == folded["metrics"]["dice"]["mean"]
