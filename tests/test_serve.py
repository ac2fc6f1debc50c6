"""`python -m energy serve`: a page that follows a run, offered to this machine alone."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from energy import journal
from energy.__main__ import main
from energy.report import live
from energy.store import Store, StoreError
from tests.simulated.pages import parsed
from tests.simulated.records import block, record, run

ROOT = Path(__file__).parents[1]
CPU = "epyc-2c-cpu-91bc"
SOON = 30.0  # seconds that a busy machine may need


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
    journal.append(path, {"event": "start", "run": "c0ffee", "time": time_, "energy": block(finished=None)})


def end_case(path, case):
    journal.append(path, {"event": "case", "run": "c0ffee", "record": record(case)})


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches another process in another way there")
def test_the_page_follows_a_run_and_ctrl_c_ends_quietly(tmp_path):
    path = tmp_path / CPU / "journal.jsonl"
    with serving(tmp_path) as (url, process):
        empty = fetched(url)
        begin(path)
        end_case(path, "enet-cache")
        shown = eventually(lambda: "enet-cache" in fetched(url), True)
        end_case(path, "cgnet-cache")
        followed = eventually(lambda: "cgnet-cache" in fetched(url), True)
        version = fetched(url + "version.txt")
        page = fetched(url)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON)

    assert "No result yet" in empty
    assert (shown, followed) == (True, True)
    assert f'<meta name="version" content="{version}">' in page
    (policy,) = [meta["content"] for meta in parsed(page).named("meta") if "http-equiv" in meta]
    assert "connect-src 'self'" in policy
    assert (process.returncode, out.strip(), err) == (0, "", "")
    with pytest.raises(urllib.error.URLError):
        fetched(url)


def test_nobody_else_on_the_network_can_ask(tmp_path):
    Store(tmp_path).write(run([record()]))
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}

    with serving(tmp_path) as (url, _):
        port = int(url.rstrip("/").rpartition(":")[2])
        answered = [address for address in others - {"127.0.0.1"} if answers(address, port)]

        assert answers("127.0.0.1", port)
    assert [address for address in answered if not address.startswith("127.")] == []


def answers(address, port):
    with socket.socket() as asked:
        asked.settimeout(SOON)
        return asked.connect_ex((address, port)) == 0


def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path, capsys):
    Store(tmp_path).write(run([record()]))
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
    Store(tmp_path).write(run([record()]))

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


def test_results_that_have_not_changed_are_not_read_again(tmp_path):
    Store(tmp_path / "results").write(run([record()]))
    page = page_of(tmp_path)
    page.refresh()
    (tmp_path / "page" / "index.html").unlink()

    page.refresh()

    assert not (tmp_path / "page" / "index.html").exists()


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
