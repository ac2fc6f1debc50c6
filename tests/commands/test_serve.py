"""`python -m energy serve`: a page that follows a run, offered to this machine alone."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from energy.__main__ import main
from energy.commands import serve
from energy.records.storage import journal
from energy.records.storage.gather import NothingFoundError
from energy.records.storage.runfile import StoreError
from energy.records.storage.store import Store
from energy.report.page import live
from tests.simulated.pages import parsed
from tests.simulated.records import block, record, run

ROOT = Path(__file__).parents[2]
CPU = "epyc-2c-cpu-91bc"
LINUX = sys.platform == "linux"
SOON = 30.0  # seconds that a busy machine may need


@pytest.fixture(autouse=True)
def nice(monkeypatch):
    """What `os.nice` was asked for; the tests keep their priority, which nobody could give back to them."""
    asked = []
    monkeypatch.setattr(os, "nice", asked.append, raising=False)
    return asked


def fetched(url):
    # No proxy of the environment: it is this machine that answers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=SOON) as answer:
        return answer.read().decode()


@contextlib.contextmanager
def serving(results):
    """Run the command on a free port; give its address and process."""
    command = [sys.executable, "-m", "energy", "serve", str(results), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield re.match(r"(http://127\.0\.0\.1:\d+/) shows", line)[1], process
    finally:
        process.kill()
        process.communicate()


def eventually(ask, wanted):
    end = time.monotonic() + SOON
    while (answer := ask()) != wanted and time.monotonic() < end:
        time.sleep(0.2)
    return answer


def begin(path):
    time_ = "2026-01-05T00:00:00+00:00"
    path.parent.mkdir(parents=True, exist_ok=True)
    journal.append_event(
        path, {"event": "start", "run": "c0ffee", "time": time_, "energy": block(finished=None)}
    )


def names_its_version(url):
    return f'<meta name="version" content="{fetched(url + "version.txt")}">' in fetched(url)


def end_case(path, case):
    journal.append_event(path, {"event": "case", "run": "c0ffee", "record": record(case)})


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches another process in another way there")
@pytest.mark.usefixtures("interruptible")
def test_the_page_follows_a_run_and_ctrl_c_ends_quietly(tmp_path):
    path = tmp_path / CPU / "journal.jsonl"
    with serving(tmp_path) as (url, process):
        empty = fetched(url)
        begin(path)
        end_case(path, "enet-cache")
        shown = eventually(lambda: "enet-cache" in fetched(url), True)
        named = eventually(lambda: names_its_version(url), True)  # a page may be made anew between two looks
        page = fetched(url)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON)

    assert "No result yet" in empty
    assert shown
    assert named
    (policy,) = [meta["content"] for meta in parsed(page).named("meta") if "http-equiv" in meta]
    assert "connect-src 'self'" in policy
    assert (process.returncode, out.strip(), err) == (0, "", "")
    with pytest.raises(urllib.error.URLError):
        fetched(url)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The command, with nothing to show yet."""
    with serving(tmp_path_factory.mktemp("served")) as (url, process):
        yield url, process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no nice")
def test_the_command_runs_at_the_lowest_priority_with_all_its_threads(server):
    process = psutil.Process(server[1].pid)
    threads = [thread.id for thread in process.threads()]
    nice_of_threads = {psutil.Process(number).nice() for number in threads} if LINUX else {19}

    assert process.nice() == 19
    assert len(threads) > 1
    assert nice_of_threads == {19}


def test_the_first_page_too_is_made_at_the_lowest_priority(tmp_path, nice, monkeypatch):
    at_that_time = []
    monkeypatch.setattr(live.Page, "refresh", lambda _: at_that_time.append(list(nice)))
    monkeypatch.setattr(serve, "_follow", lambda _: None)
    Store(tmp_path).write(run([record()]))

    main(["serve", str(tmp_path), "--port", "0"])

    assert at_that_time == [[19]]


def test_nobody_else_on_the_network_can_ask(server):
    port = int(server[0].rstrip("/").rpartition(":")[2])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}

    assert answers("127.0.0.1", port)
    assert [address for address in others if not address.startswith("127.") and answers(address, port)] == []


def answers(address, port):
    with socket.socket() as asked:
        asked.settimeout(SOON)
        return asked.connect_ex((address, port)) == 0


def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code = main(["serve", str(tmp_path), "--port", str(port)])

    err = capsys.readouterr().err
    assert code == 4
    assert err.startswith(f"joulebench: port {port} of 127.0.0.1 cannot be used")
    assert "choose another by --port" in err


@pytest.mark.parametrize("port", ["-1", "70000", "http"])
def test_a_port_that_is_none_is_a_mistake(tmp_path, capsys, port):
    code = main(["serve", str(tmp_path), "--port", port])

    assert code == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_results_that_are_not_there_are_a_mistake(tmp_path, capsys):
    code = main(["serve", str(tmp_path / "reslts"), "--port", "0"])

    assert code == 4
    assert "no such folder" in capsys.readouterr().err


def page_of(tmp_path):
    folder = tmp_path / "page"
    folder.mkdir()
    return live.Page((str(tmp_path / "results"),), folder)


@pytest.mark.usefixtures("no_charts")
def test_results_that_have_not_changed_are_not_read_again(tmp_path):
    Store(tmp_path / "results").write(run([record()]))
    page = page_of(tmp_path)
    page.refresh()
    (tmp_path / "page" / "index.html").unlink()

    page.refresh()

    assert not (tmp_path / "page" / "index.html").exists()


# --- how often ---


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A page on a clock of our own, made by a builder that takes `takes` seconds and notes when it began."""
    own = SimpleNamespace(
        now=1000.0, takes=4.0, made=[], journal=tmp_path / "results" / CPU / "journal.jsonl"
    )

    def report(*_):
        own.made.append(own.now)
        own.now += own.takes
        return SimpleNamespace(html="a report")

    def look(at):
        own.now = max(own.now, at)
        own.page.refresh()
        return own.made

    monkeypatch.setattr(live.build, "report", report)
    folder = tmp_path / "page"
    folder.mkdir()
    own.page, own.look = live.Page((str(tmp_path / "results"),), folder, clock=lambda: own.now), look
    begin(own.journal)
    end_case(own.journal, "enet-cache")
    return own


def test_beside_a_run_that_writes_pages_take_a_twenty_first_of_the_time(world):
    for second in range(1000, 1000 + 10 * 84):
        if second % 7 == 0:
            end_case(world.journal, f"net{second}-cache")
        world.look(second)

    assert world.made == [1000 + 84 * number for number in range(10)]


def test_what_came_during_the_rest_is_shown_after_it_though_nothing_else_comes(world):
    world.look(1000)
    end_case(world.journal, "cgnet-cache")

    assert world.look(1083) == [1000]
    assert world.look(1084) == [1000, 1084]
    assert world.look(5000) == [1000, 1084]


def test_runs_that_were_stored_before_shorten_no_rest(world):
    Store(world.journal.parents[1]).write(run([record("enet-cache")]))
    world.look(1000)
    end_case(world.journal, "cgnet-cache")

    assert world.look(1083) == [1000]


def test_a_slower_page_is_followed_by_a_longer_rest(world):
    world.takes = 30.0
    world.look(1000)
    end_case(world.journal, "cgnet-cache")

    assert world.look(1629) == [1000]
    assert world.look(1630) == [1000, 1630]


def test_after_a_rest_of_a_run_that_was_slow_to_write_a_case_is_shown_at_once(world):
    world.look(1000)
    end_case(world.journal, "cgnet-cache")

    assert world.look(3000) == [1000, 3000]


def test_a_run_that_has_ended_is_shown_at_once(world):
    world.look(1000)
    end_case(world.journal, "cgnet-cache")
    journal.append_event(world.journal, {"event": "end", "run": "c0ffee", "file": "0001_x.json"})

    assert world.look(1005) == [1000, 1005]


def test_a_run_file_is_shown_at_once_though_a_journal_has_no_end(world):
    world.look(1000)
    end_case(world.journal, "cgnet-cache")
    Store(world.journal.parents[1]).write(run([record("enet-cache")]))

    assert world.look(1005) == [1000, 1005]


def test_a_file_that_is_deleted_leaves_the_page_at_once(world):
    path = Store(world.journal.parents[1]).write(run([record("enet-cache")]))
    world.look(1000)
    end_case(world.journal, "cgnet-cache")
    path.unlink()

    assert world.look(1005) == [1000, 1005]


def test_a_run_that_crashed_long_ago_slows_nothing(world):
    world.look(1000)
    for at in (1005, 1010):
        Store(world.journal.parents[1]).write(run([record(f"net{at}-cache")]))
        world.look(at)

    assert world.made == [1000, 1005, 1010]


def test_the_first_case_is_shown_at_once_since_a_page_that_waits_cost_nothing(world, monkeypatch):
    built = live.build.report

    def nothing_yet(*_):
        world.now += 2.0
        raise NothingFoundError("no record")

    monkeypatch.setattr(live.build, "report", nothing_yet)
    world.look(1000)
    monkeypatch.setattr(live.build, "report", built)
    end_case(world.journal, "cgnet-cache")

    assert world.look(1003) == [1003]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]\n", b"\xff\n", b'{"event":"case","record":"' + b"x" * 9000 + b'"}\n']
)
def test_a_journal_whose_last_line_is_no_end_is_one_that_grows(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event":"start"}\n' + line)

    assert not live._has_ended(path)


@pytest.mark.parametrize("before", [b"", b'{"event":"case","record":"' + b"x" * 9000 + b'"}\n'])
def test_a_journal_whose_last_line_is_an_end_has_ended_whatever_came_before(tmp_path, before):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(before + b'{"event":"end","run":"c0ffee","file":"0001_x.json"}\n')

    assert live._has_ended(path)


@pytest.mark.usefixtures("no_charts")
def test_a_file_that_became_unusable_leaves_the_page_as_it_was_and_says_so(tmp_path):
    path = Store(tmp_path / "results").write(run([record()]))
    page = page_of(tmp_path)
    page.refresh()
    before = (tmp_path / "page" / "index.html").read_text()
    path.write_text("{")

    problem = page.refresh()

    assert "damaged" in problem
    assert (tmp_path / "page" / "index.html").read_text() == before


def test_the_first_page_must_be_possible(tmp_path):
    (tmp_path / "results" / CPU).mkdir(parents=True)
    (tmp_path / "results" / CPU / "0001_x.json").write_text("{")

    with pytest.raises(StoreError, match="damaged"):
        page_of(tmp_path).refresh()
