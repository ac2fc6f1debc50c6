"""One record in full, for people."""

from energy.report.terminal.record import format_record
from tests.simulated.records import domain, record


def line(text, *words):
    """Return the one line that holds all the words."""
    (found,) = [line.strip() for line in text.splitlines() if all(word in line for word in words)]
    return found


def test_the_ledger_is_shown_with_what_is_at_stake():
    gap = {
        "kind": "gap",
        "source": "rapl",
        "device": "package-0",
        "at_seconds": 12.5,
        "seconds": 2.0,
        "joules_at_stake": 300.0,
        "reason": "nobody looked",
    }
    lost = gap | {"kind": "lost", "joules_at_stake": None, "reason": "the zone is gone"}

    text = format_record(record(faults=[[gap, lost]]))

    shown = line(text, "nobody looked")
    assert shown == "seed 0 at 12.5 s for 2 s: gap of rapl package-0, at stake 300 J (nobody looked)"
    assert "at stake unknown" in line(text, "the zone is gone")


def test_a_second_opinion_says_how_far_it_is_from_the_headline():
    witness = domain([950.0], source="rapl_perf", witness=True, disagreement=[-0.05])

    text = format_record(record(domains=[domain([1000.0]), witness]))

    assert line(text, "rapl_perf").endswith("witness (-5.0 %)")


def test_an_energy_is_shown_with_its_band():
    made = record()
    made["metrics"]["total_kj"]["band"] = [1.9, 2.2]

    assert "kJ in [1.9, 2.2]" in line(format_record(made), "total_kj")


def test_an_epoch_is_shown_with_its_band():
    epoch = {"epoch": 1, "joules": 100.0, "band": [60.0, 140.0], "seconds": 0.2, "loss": 0.5}

    text = format_record(record(epochs=[[epoch]]))

    assert line(text, "epoch   1") == "seed 0 epoch   1: 100 J in [60, 140], 0.2 s, loss 0.5"
