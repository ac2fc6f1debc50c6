"""The work that an A/A run repeats: a fixed amount of hashing, or any command."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from energy.commands import UsageError

# About 10 ms: long beside a call, short beside the wait for Ctrl-C, which comes between two of them.
ITERATIONS = 20_000
SIZING_SECONDS = 0.5
GRACE_SECONDS = 2.0
FOLDERS = re.compile(r"(?<![\w.])(?:/[^/\s]+)*/(?=[^/\s])")


@dataclass(frozen=True)
class Work:
    """Something that costs the same energy each time it is called."""

    description: str
    command: str | None
    run: Callable[[], None]


def make_hashing(seconds: float, threads: int) -> Work:
    """Return an amount of hashing that keeps `threads` threads busy for about so many seconds here.

    The amount is fixed now, by a short trial: a machine that slows down takes longer, and that is noise, too.
    """
    units = max(1, round(seconds * _units_per_second(min(SIZING_SECONDS, seconds), threads)))
    what = f"{threads} x {units} x {ITERATIONS} rounds of PBKDF2-HMAC-SHA256 (hashlib)"
    return Work(what, None, lambda: _hash(units, threads))


def make_command(text: str) -> Work:
    """Return a shell command as the work; its output is kept from the terminal.

    Records are shared: of an absolute path only its last part goes into them.
    """
    return Work("a command", FOLDERS.sub("", text), lambda: _run_command(text))


def _units_per_second(seconds: float, threads: int) -> float:
    started, units = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        _hash(1, threads)
        units += 1
    return units / (time.monotonic() - started)


def _hash(units: int, threads: int) -> None:
    """Hash on every thread; hashlib lets go of the interpreter lock, so the meters' thread gets its turn."""
    stop = threading.Event()

    def work() -> None:
        for _ in range(units):
            if stop.is_set():
                return
            hashlib.pbkdf2_hmac("sha256", b"joulebench", b"A/A", ITERATIONS)

    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
        finally:
            stop.set()


def _run_command(text: str) -> None:
    """Run a shell command to its end.

    Raises:
        UsageError: it failed; its last line of output is told.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S602 -- the user's own command line, as typed
            text,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C can end what the shell has started, too
        )
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        if code:
            raise UsageError(f"--command {text!r} ended with exit code {code}: {_last_line(output)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started: asked first, then made to."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # it is made to end below, and so is what it has left behind
    finally:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a command and to what it has started; Windows knows only the command itself."""
    if not hasattr(os, "killpg"):
        process.terminate()
        return
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, number)


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
