"""JUnit XML: valid by Jenkins' schema, read by junitparser, and red only where something is wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree

from energy.analysis.compare.gate import parse_gate
from energy.analysis.compare.result import Bound, Shift
from energy.exporters._text import printable
from tests.simulated.exports import (
    COMMITTED,
    comparison,
    invalid,
    mixed_run,
    named,
    names,
    repeated,
    run,
    text,
    with_total,
)
from tests.simulated.records import failed

# Jenkins' xUnit plugin, MIT licence (in its head).
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "schemas" / "junit-10.xsd"))

UNCHANGED = [repeated(f"{name}-baseline", [12.0, 12.1, 12.2]) for name in ("enet", "cgnet", "erfnet")]


def junit(data, **options):
    """Return the tests by name: (suite, test), after the schema has accepted the file."""
    found = text("junit", data, **options)
    SCHEMA.assertValid(etree.fromstring(found.encode()))
    suites = JUnitXml.fromroot(etree.fromstring(found.encode()))
    tests = {test.name: (suite, test) for suite in suites for test in suite}
    assert suites.tests == len(tests)
    assert suites.failures == sum(isinstance(end(one), Failure) for one in tests.values())
    assert suites.errors == sum(isinstance(end(one), Error) for one in tests.values())
    assert sum(suite.skipped for suite in suites) == sum(
        isinstance(end(one), Skipped) for one in tests.values()
    )
    return tests


def end(found):
    """Return the element that says why a test did not pass, or None."""
    assert len(found[1].result) <= 1
    return found[1].result[0] if found[1].result else None


def properties(found):
    return {one.name: one.value for one in found[0].properties()}


def against(head_unet, *, gate=None, base_unet=(12.0, 12.1, 12.2), **options):
    """Return the test of U-Net whose energies changed so, three others the same."""
    base = run([repeated("unet-baseline", base_unet), *UNCHANGED])
    head = run([head_unet, *UNCHANGED])
    limits = () if gate is None else [parse_gate(gate, "test")]
    return junit(head, base=comparison(base, head, gates=limits), **options)["unet-baseline"]


def test_a_good_case_passes_with_its_figures_as_properties():
    found = junit(run([repeated("unet-baseline", [12.0, 12.1, 12.2], [0.8, 0.81, 0.82])]))["unet-baseline"]

    assert end(found) is None
    assert found[1].classname == "training"
    # (100 + 12) + (100 + 12.1) + (100 + 12.2) s
    assert found[1].time == pytest.approx(336.3)
    assert float(properties(found)["total_kj"]) == pytest.approx(12.1)
    assert float(properties(found)["dice"]) == pytest.approx(0.81)
    assert properties(found)["total_kj.kind"] == "measured"
    assert properties(found)["hardware"] == "epyc-2c-cpu-91bc"
    assert "gpu_kj" not in properties(found)


@pytest.mark.parametrize(
    ("case", "kind", "message"),
    [
        ("sqnet-baseline", Error, "oom: OutOfMemoryError: tried to allocate 2 GiB"),
        ("segnet-baseline", Error, "error: OutOfMemoryError: a cable fell out"),
        ("erfnet-baseline", Failure, "diverged: OutOfMemoryError: the loss is NaN"),
        ("cgnet-baseline", Skipped, "invalid: throttled"),
    ],
)
def test_a_bad_case_says_how_it_ended(case, kind, message):
    found = end(junit(mixed_run())[case])

    assert isinstance(found, kind)
    assert found.message == message


def test_modelled_energy_says_so():
    found = properties(junit(mixed_run())["enet-baseline"])

    assert found["total_kj.kind"] == "modelled"
    assert found["energy_sources"] == "modelled from CPU time: codecarbon_cpu_load_model, of the machine"


def test_a_regression_is_a_failure_that_says_how_much():
    found = against(repeated("unet-baseline", [24.0, 24.1, 24.2]))

    assert isinstance(end(found), Failure)
    assert end(found).message.startswith("total_kj +")
    assert "regressed: worse by" in end(found).message
    assert properties(found)["verdict"] == "regressed"


def test_an_unchanged_and_an_improved_case_pass():
    assert end(against(repeated("unet-baseline", [12.0, 12.1, 12.2]))) is None
    assert end(against(repeated("unet-baseline", [6.0, 6.1, 6.2]))) is None


def test_with_gates_only_what_they_limit_can_regress():
    worse = repeated("unet-baseline", [24.0, 24.1, 24.2])

    assert isinstance(end(against(worse, gate="total_kj:5%")), Failure)
    assert end(against(worse, gate="dice:0.01")) is None


def test_what_cannot_be_told_is_skipped_with_the_reason():
    base, head = run([repeated("unet-baseline", [12.0])]), run([repeated("unet-baseline", [13.0])])

    found = end(junit(head, base=comparison(base, head))["unet-baseline"])

    assert isinstance(found, Skipped)
    assert found.type == "inconclusive"
    assert "n = 1 and no noise is known" in found.message


def test_a_new_case_is_skipped_for_want_of_a_baseline():
    base, head = run(UNCHANGED), run([repeated("unet-baseline", [12.0, 12.1, 12.2]), *UNCHANGED])

    found = end(junit(head, base=comparison(base, head))["unet-baseline"])

    assert isinstance(found, Skipped)
    assert (found.type, found.message) == ("no-baseline", "not in the base")


def test_a_case_that_only_the_base_has_is_a_failure():
    base, head = run([repeated("unet-baseline", [12.0, 12.1, 12.2]), *UNCHANGED]), run(UNCHANGED)

    found = end(junit(head, base=comparison(base, head))["unet-baseline"])

    assert isinstance(found, Failure)
    assert found.type == "missing"


def test_a_flag_is_an_error_where_a_gate_is_about_the_case():
    hot = invalid("unet-baseline", [12.0, 12.1, 12.2])

    assert isinstance(end(against(hot)), Skipped)
    assert isinstance(end(against(hot, gate="total_kj:5%")), Error)
    assert isinstance(end(against(hot, gate="total_kj@enet:5%")), Skipped)


def test_a_case_that_crashed_is_an_error_also_with_a_base():
    assert isinstance(end(against(failed("unet-baseline"))), Error)


def test_a_broken_ceiling_is_a_failure():
    head = run([repeated("unet-baseline", [12.0, 12.1, 12.2]), *UNCHANGED])
    found = comparison(head, head)
    ceiling = parse_gate("total_kj<=5", "test")
    broken = Bound("unet-baseline", "training", ceiling, 12.1, None, 3, "broken", "12.1 kJ, n = 3")

    tests = junit(head, base=replace(found, bounds=(broken,)))

    assert end(tests["unet-baseline"]).message == "12.1 kJ, n = 3"
    assert end(tests["enet-baseline"]) is None


def test_what_all_cases_have_in_common_is_a_test_of_its_own():
    cases = [f"net{number}-baseline" for number in range(6)]
    base = run([repeated(case, [12.0, 12.1, 12.2]) for case in cases])
    head = run([repeated(case, [24.0, 24.2, 24.4]) for case in cases])

    tests = junit(head, base=comparison(base, head))

    assert isinstance(end(tests["session shift of total_kj"]), Failure)
    assert properties(tests["session shift of total_kj"])["change"].startswith("+100 %")
    assert [name for name in cases if end(tests[name]) is not None] == []


@pytest.mark.parametrize(("verdict", "kind"), [("inconclusive", Skipped), ("unchanged", type(None))])
def test_a_shift_that_is_no_regression_does_not_fail(verdict, kind):
    head = run([repeated("unet-baseline", [12.0])])
    shift = Shift("total_kj", 0.02, None, 6, verdict, "so it is")

    found = replace(comparison(head, head), shifts={"total_kj": shift})

    assert isinstance(end(junit(head, base=found)["session shift of total_kj"]), kind)


@given(names)
def test_any_name_comes_back_from_the_xml(name):
    bad = failed("a-b", message=name) | {"case": name}

    tests = junit(run([named("a-b"), bad]))

    assert isinstance(end(tests[printable(name)]), Error)
    assert "<script" not in text("junit", run([bad]))


@pytest.mark.parametrize("data", COMMITTED)
def test_the_committed_results_are_valid_by_the_schema(data):
    tests = junit(data)

    assert len(tests) == len(data["benchmarks"])
    for record in with_total(data):
        told = properties(tests[record["case"]])["total_kj"]
        assert float(told) == record["metrics"]["total_kj"]["mean"]
