"""The one line that moves while a case runs; plain lines where the output is no terminal."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from energy.text import show_controls

ERASE_LINE = "\r\x1b[2K"


class Live:
    """Write to the user while a test runs, whatever pytest does with the test's own output."""

    def __init__(self, config: pytest.Config) -> None:
        self.reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self.capture: Any = config.pluginmanager.get_plugin("capturemanager")
        self.is_terminal = self.reporter is not None and self.reporter.isatty
        self.moving = False
        self.last_decile = -1

    def say(self, text: str) -> None:
        """Print one lasting line."""
        self._write(text, lasting=True)

    def progress(self, text: str, done: float) -> None:
        """Show how far a case is (0 to 1): in place on a terminal, else one line per tenth of the way."""
        if self.is_terminal:
            self._write(text, lasting=False)
        elif int(done * 10) != self.last_decile:
            self._write(text, lasting=True)
        self.last_decile = int(done * 10)

    def clear(self) -> None:
        """Take the moving line away, so that what pytest prints next starts on a clean line."""
        self.last_decile = -1
        if self.moving:
            self._raw(ERASE_LINE)
            self.moving = False

    def _write(self, text: str, *, lasting: bool) -> None:
        if self.reporter is None:
            return
        if self.moving:
            self._raw(ERASE_LINE)
        else:
            with self._uncaptured():
                self.reporter.ensure_newline()
        self.moving = not lasting
        text = show_controls(text)
        self._raw(text[: self._width()] if self.moving else text + "\n")

    def _width(self) -> int:
        return int(self.reporter._tw.fullwidth) - 1

    def _raw(self, text: str) -> None:
        with self._uncaptured():
            self.reporter.write(text, flush=True)

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        if self.capture is None:
            return contextlib.nullcontext()
        manager: contextlib.AbstractContextManager[None] = self.capture.global_and_fixture_disabled()
        return manager
