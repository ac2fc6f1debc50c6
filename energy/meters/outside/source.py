"""Where the lines of a power log come from: a file that somebody appends to, or a command that we start.

Neither ever blocks: `lines` returns what is there by now. A line counts once its newline has been written.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from energy.meters._meter import MeterUnavailable

Line = tuple[int, str]  # its number in the log, and its text

HEAD_LINES, TAIL_LINES = 40, 10_000  # of a log that is long already; what is between is history
LONGEST = 2**16  # of a line; a file without line ends is no log
MOST_BYTES = 2**16  # of a command's output in one go: what prints without end must not be read without end
STOP_SECONDS = 2.0  # how long a command may take to end


class Source(Protocol):
    """What both kinds have in common.

    name: for records: never a path. given: as the user named it, for messages.
    problem: why no more lines will come, or why none can be read at the moment.
    ended: nothing will come any more, and nothing is held.
    live: a line is of when it came, if it does not say when it was written.
    """

    name: str
    given: str
    problem: str | None
    ended: bool
    live: bool

    def lines(self) -> list[Line]:
        """Return the lines completed since the last call, without blank ones."""

    def close(self, why: str) -> None:
        """Let go of it; closing twice does nothing."""


class Splitter:
    """Cut bytes into numbered lines, in the encoding that the first of them show, and keep the rest."""

    def __init__(self) -> None:
        self._number, self._rest = 0, ""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes, last: bool = False) -> list[Line]:
        """Return the lines that `data` completes; the `last` needs no newline."""
        if self._decoder is None:
            if not data:
                return []
            self._decoder = codecs.getincrementaldecoder(find_encoding(data))(errors="replace")
        text = self._rest + self._decoder.decode(data) + ("\n" if last else "")
        *whole, self._rest = text.split("\n")
        if len(self._rest) > LONGEST:
            whole, self._rest = [*whole, self._rest[:80]], ""
        lines = ((self._number + number, line.strip(" \t\r\ufeff\0")) for number, line in enumerate(whole, 1))
        found = [(number, line) for number, line in lines if line]
        self._number += len(whole)
        return found


def find_encoding(data: bytes) -> str:
    """Tell the encoding of a log from its first bytes: UTF-8, UTF-16 with or without a mark, or Windows-1252.

    >>> find_encoding("\ufefftime;W".encode("utf-16-le")), find_encoding("Zähler".encode("cp1252"))
    ('utf-16-le', 'cp1252')
    """
    even, odd = data[:LONGEST:2], data[1:LONGEST:2]
    if data.startswith(codecs.BOM_UTF16_LE) or odd.count(0) > len(odd) / 2:
        return "utf-16-le"
    if data.startswith(codecs.BOM_UTF16_BE) or even.count(0) > len(even) / 2:
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


class LogFile:
    """Follow a file as it grows, is truncated, or is replaced by a new one (rotation).

    Raises:
        MeterUnavailable: there is no such file, or it cannot be read.
    """

    live = False
    problem: str | None

    def __init__(self, path: Path) -> None:
        self.name, self.given, self.problem, self.ended = path.name, str(path), None, False
        self._path = path.absolute()  # a rotated log is opened again, and by then this may be another folder
        if path.exists() and not path.is_file():
            raise MeterUnavailable(f"{path} is not a file.", f"For a pipe: `'!cat {path}'`.")
        try:
            self._open()
        except OSError as problem:
            raise MeterUnavailable(
                f"{path} cannot be read ({problem.strerror}).", "Start the logger, then name its file."
            ) from problem
        found = self._lines.feed(self._file.readall() or b"")
        self._first = [*found[:HEAD_LINES], *found[HEAD_LINES:][-TAIL_LINES:]]

    def lines(self) -> list[Line]:
        """Return the lines completed since the last call; what cannot be read sets `problem`."""
        found, self._first = self._first, []
        if self.ended:
            return found
        try:
            self.problem = None
            return found + self._read()
        except OSError as problem:
            self.problem = f"{self.name}: {problem.strerror}"
            return found

    def close(self, why: str) -> None:
        """Close the file."""
        if not self.ended:
            self._file.close()
            self.ended, self.problem = True, why

    def _open(self) -> None:
        self._file = io.FileIO(self._path)
        self._lines = Splitter()

    def _read(self) -> list[Line]:
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._lines = Splitter()
        found = self._lines.feed(self._file.readall() or b"")
        if not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
            self._file.close()
            self._open()
            found += self._lines.feed(self._file.readall() or b"")
        return found


class Command:
    """Start a command and read the lines it prints; it is ours, and ends with us.

    It gets a process group of its own: Ctrl-C is meant for the measured program, not for its meter, and
    whatever the command has started ends with it. If this process is killed, the command's next print fails.

    Raises:
        MeterUnavailable: it cannot be started.
    """

    live = True
    problem: str | None

    def __init__(self, command: str, name: str | None = None) -> None:
        self.given, self.problem, self.ended = f"!{command}", None, False
        self._said = ""
        words = self._words(command)
        self.name = name or Path(words[0]).name
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- the user's own command, and no shell
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as problem:
            raise MeterUnavailable(
                f"The command {words[0]!r} does not start ({problem.strerror}).", "Try it in a shell."
            ) from problem
        self._pid = os.getpid()
        self._out, self._errors = Splitter(), Splitter()
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    def lines(self) -> list[Line]:
        """Return the lines printed since the last call, and notice if the command has ended."""
        if self.ended:
            return []
        code = self._process.poll()  # before reading, so that what it printed last is read
        out, errors = self._pipes()
        last = code is not None
        for _, text in self._errors.feed(errors.read(MOST_BYTES) or b"", last):
            self._said = text
        found = self._out.feed(out.read(MOST_BYTES) or b"", last)
        if code is not None:
            self._release(f"the command {self.name} ended with exit code {code}{self._last_words()}")
        return found

    def close(self, why: str) -> None:
        """End the command: ask, then after 2 s insist. In a forked child do nothing, it is the parent's."""
        if self.ended or self._pid != os.getpid():
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._release(why)

    def _words(self, command: str) -> list[str]:
        try:
            words = shlex.split(command)
        except ValueError as problem:
            raise MeterUnavailable(f"!{command}: {problem}.", "Quote as in a shell.") from problem
        if not words:
            raise MeterUnavailable("There is no command after '!'.", "Name one: `'!read-plug --watts'`.")
        if os.name != "posix":
            raise MeterUnavailable(
                "Commands are read on Linux and macOS only.", "Let it append to a file and name that."
            )
        return words

    def _pipes(self) -> tuple[io.RawIOBase, io.RawIOBase]:
        out, errors = self._process.stdout, self._process.stderr
        assert isinstance(out, io.RawIOBase)
        assert isinstance(errors, io.RawIOBase)
        return out, errors

    def _signal(self, number: int) -> None:
        # It may have ended in this very moment; macOS calls that a lack of permission.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _release(self, why: str) -> None:
        for pipe in self._pipes():
            pipe.close()
        self.ended, self.problem = True, why

    def _last_words(self) -> str:
        return f" ({self._said})" if self._said else " and said nothing"
