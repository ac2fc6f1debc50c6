"""The side-by-side audit: joulebench is never wrong in silence, and the table in the repository says so.

Nothing is asserted of what other tools get wrong: they may be mended. That they are right where nothing is
wrong shows that the simulated machine treats them well.
"""

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.audit.scripts import SCRIPTS
from tests.audit.verdicts import NONE, RIGHT, SAID, SILENT, verdict, verdicts
from tests.audit.virtual_time import Threading, VirtualTime
from tests.simulated.machine import Machine

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "audit" / "side_by_side.md"


def audit(tool):
    """Run all scripts with one tool, in processes whose time is virtual."""
    command = [sys.executable, "-m", "tests.audit.side_by_side", "--tools", tool, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[tool]


@pytest.fixture(scope="module")
def ours():
    return audit("joulebench")


def committed():
    """Return the table's rows: script, truth, and a cell for each tool."""
    rows = [line.split(" | ") for line in TABLE.read_text().splitlines() if line.count(" | ") >= 3]
    rows = [[cell.strip("| ") for cell in row] for row in rows]
    start = next(number for number, row in enumerate(rows) if row[0] == "script")
    return rows[start], [row for row in rows[start + 1 :] if row[0] in {script.title for script in SCRIPTS}]


def cell(**changes):
    said = {"joules": 1000.0, "truth": 1000.0, "seconds": 20.0, "window": 20.0, "band": None, "says": []}
    return said | changes


@pytest.mark.slow
def test_joulebench_is_never_wrong_in_silence(ours):
    silent = [
        answer
        for answer, judged in zip(ours["cells"], verdicts(ours), strict=True)
        if judged not in (RIGHT, SAID, NONE)
    ]

    assert silent == []
    assert [answer["title"] for answer in ours["cells"]] == [script.title for script in SCRIPTS]


@pytest.mark.slow
def test_joulebench_gives_the_right_figure_where_one_can_be_had(ours):
    """To flag everything, or to know nothing, would also never be wrong in silence."""
    judged = verdicts(ours)

    assert judged.count(RIGHT) >= 0.7 * len(SCRIPTS)
    for answer, word in zip(ours["cells"], judged, strict=True):
        if "nothing wrong" in answer["title"]:
            assert (word, answer["says"]) == (RIGHT, [])


@pytest.mark.slow
def test_a_figure_that_survives_a_fault_has_the_truth_in_its_band(ours):
    """Unless two sensors of a board contradict each other, and nobody knows which is wrong."""
    judged = [answer for answer in ours["cells"] if answer["band"] and answer["says"]]
    known = [answer for answer in judged if "meters_disagree" not in answer["says"]]

    assert len(known) >= 5
    for answer in known:
        low, high = answer["band"]
        assert low <= answer["truth"] <= high, answer


@pytest.mark.slow
def test_codecarbon_is_treated_well(ours):
    """The installed CodeCarbon finds its sensors, and is right where nothing is wrong."""
    theirs = audit("CodeCarbon")

    assert [answer["title"] for answer in theirs["cells"]] == [script.title for script in SCRIPTS]
    for answer, other, word in zip(theirs["cells"], ours["cells"], verdicts(theirs), strict=True):
        assert answer["truth"] == pytest.approx(other["truth"], rel=1e-3), answer["title"]
        if "nothing wrong" in answer["title"]:
            assert word == RIGHT, answer


@pytest.mark.slow
def test_the_table_in_the_repository_is_of_these_scripts_and_finds_us_right_or_outspoken(ours):
    head, rows = committed()
    column = next(number for number, name in enumerate(head) if name.startswith("joulebench"))

    assert [row[0] for row in rows] == [answer["title"] for answer in ours["cells"]]
    for row, answer in zip(rows, ours["cells"], strict=True):
        assert float(row[1].replace(" ", "")) == pytest.approx(answer["truth"], rel=0.01, abs=0.5)
        assert SILENT not in row[column], row
        assert any(f"· {word}" in row[column] for word in (RIGHT, SAID, NONE)), row


def test_the_table_names_versions_and_date():
    text = TABLE.read_text()

    assert re.search(r"joulebench \d+\.\d+.*CodeCarbon \d+\.\d+.*Zeus \d+\.\d+", text)
    assert re.search(r"Written on 20\d\d-\d\d-\d\d", text)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (cell(joules=1040.0), RIGHT),
        (cell(joules=1060.0), SILENT),
        (cell(joules=-1000.0), SILENT),
        (cell(joules=1060.0, says=["reset"]), SAID),
        (cell(joules=1060.0, band=(900.0, 1100.0)), RIGHT),
        (cell(joules=1200.0, band=(1100.0, 1300.0)), SILENT),
        (cell(joules=None, says=["the board was lost"]), NONE),
        (cell(joules=None), SILENT),
        (cell(joules=0.0), SILENT),
        (cell(joules=None, truth=0.0), RIGHT),
        (cell(seconds=-3580.0), SILENT),
        (cell(joules=0.0, says=["2 GPUs found"]), SILENT),
    ],
)
def test_a_verdict_is_what_its_words_say(answer, expected):
    usual = ["1 GPUs found"]  # what a tool says anyway says nothing against the figure

    assert verdict(answer, usual) == expected


def test_the_audit_finds_a_meter_that_takes_a_reset_for_energy():
    """A tool made for this test, which subtracts the counter's values and trusts the difference."""
    code = """
        import sys
        from tests.audit.faces import TOOLS, Answer
        from tests.audit.scripts import SCRIPTS
        from tests.audit.side_by_side import apart
        from tests.audit.verdicts import verdict

        class Naive(TOOLS["joulebench"]):
            name = "Naive"
            def open(self):
                pass
            def begin(self):
                self.first = self._value()
            def end(self):
                return Answer(self._value() - self.first, self._stage.script.seconds)
            def close(self):
                pass
            def _value(self):
                import pynvml
                pynvml.nvmlInit()
                return pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByIndex(0)) / 1000

        for title in ("GPU: nothing wrong", "counter begins at 0 again (driver reload)"):
            script = next(script for script in SCRIPTS if script.title == title)
            print(verdict(apart(script, Naive), []))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},  # each cell changes its folder
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines() == [RIGHT, SILENT], done.stderr


def woken(virtual, seconds, name, log):
    def run():
        for _ in range(2):
            virtual.doze(seconds, lambda: False)
            log.append((name, round(virtual.now(), 6)))

    threading.Thread(target=run, name=name, daemon=True).start()


def test_in_virtual_time_threads_wake_in_order_and_at_their_moment():
    virtual, log = VirtualTime(Machine()), []
    woken(virtual, 3.0, "slow", log)
    woken(virtual, 2.0, "fast", log)

    virtual.advance(7.0)

    assert log == [("fast", 1002.0), ("slow", 1003.0), ("fast", 1004.0), ("slow", 1006.0)]
    assert virtual.now() == pytest.approx(1007.0)


def test_while_the_process_stands_still_nobody_is_woken():
    virtual, log = VirtualTime(Machine()), []
    woken(virtual, 2.0, "late", log)

    virtual.stall(5.0)
    assert log == []

    virtual.advance(2.5)
    assert log == [("late", 1005.0), ("late", 1007.0)]


def test_an_event_ends_a_virtual_wait_at_once():
    virtual = VirtualTime(Machine())
    event, log = Threading(virtual).Event(), []
    waiter = threading.Thread(target=lambda: log.append(event.wait(60.0)), daemon=True)
    waiter.start()
    virtual.advance(1.0)

    event.set()
    waiter.join(timeout=10)

    assert (log, virtual.now()) == ([True], pytest.approx(1001.0))
