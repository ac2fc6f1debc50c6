"""What a small machine leaves out of a quick run: said with the reason and the option that runs it."""

import pytest

from benchmarks.suite import BUDGETS, Suite

SMALL, LARGE = {"avx2"}, {"avx2", "avx512_bf16"}


@pytest.fixture
def told(monkeypatch):
    """Say why techniques cannot be run, by name, on a processor with these instructions."""
    import zoo

    monkeypatch.setattr("zoo.availability.unavailable", lambda recipe: None)

    def tell(instructions, threads=2, leaves_out_long=True):
        monkeypatch.setattr("zoo.device.runtime.cpu_instructions", lambda: instructions)
        suite = Suite(BUDGETS["quick"], None, "cpu", threads, leaves_out_long=leaves_out_long)
        reasons = {
            name: suite.unavailable(suite.recipe("attention_squeeze_unet", name)) for name in zoo.techniques()
        }
        return {name: reason for name, reason in reasons.items() if reason and "--long-cases" in reason}

    return tell


def test_what_takes_minutes_is_left_out_on_a_small_machine_and_says_what_runs_it(told):
    found = told(SMALL)

    assert set(found) == {"compile", "distill", "int8_qat"}
    assert found["compile"] == (
        "compiling every pass takes minutes of --budget quick on 2 core(s) of a processor without bf16 "
        "instructions; --long-cases runs it all the same"
    )


@pytest.mark.parametrize(
    "machine",
    [
        {"instructions": LARGE},
        {"instructions": SMALL, "threads": 8},
        {"instructions": SMALL, "leaves_out_long": False},
    ],
    ids=["bf16", "cores", "asked"],
)
def test_nothing_is_left_out_where_it_does_not_matter_or_is_asked_for(told, machine):
    assert told(**machine) == {}
