"""Show the report in a browser while a run writes its results.

The report lies in a temporary folder, and Python's own http.server offers it to this machine alone
(127.0.0.1). It is made anew when cases have ended, and the page in the browser follows.

What it costs: making the page takes seconds of CPU time on the machine that is measured. So all of this runs
at the lowest priority, where the system has one, and while a run writes, each page is followed by a rest of
twenty times what it took: pages take less than 5 % of the time. The last one comes as soon as the run has
ended. A case of a few seconds during which a page is made may still be `oversubscribed`, and what the page
took is in its joules: where that matters, start this command after the run.
"""

import argparse
import functools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from energy.commands import UsageError
from energy.commands._options import add_results
from energy.commands.report import check_installed
from energy.report.page import live

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0
LOWEST_PRIORITY = 19  # nice(1)


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder, never kept by the browser and not listed on the terminal."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the page asks every two seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_results(parser)
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0: any free one (default: 8000)")


def run(args: argparse.Namespace) -> int:
    """Serve the report until Ctrl-C."""
    check_installed()
    _give_way()
    with tempfile.TemporaryDirectory(prefix="joulebench-report-") as folder:
        page = live.Page(tuple(args.results), Path(folder))
        page.refresh()
        with _server(args.port, folder) as port:
            print(f"http://{HOST}:{port}/ shows {', '.join(args.results)}; Ctrl-C ends", flush=True)
            _follow(page)
    return 0


def _give_way() -> None:
    """Let what is measured beside this command go first; before any thread starts, so that all inherit it."""
    if hasattr(os, "nice"):
        os.nice(LOWEST_PRIORITY)


def _follow(page: live.Page) -> None:
    """Make the page anew when results change, until Ctrl-C."""
    try:
        while True:
            time.sleep(LOOK_SECONDS)
            if problem := page.refresh():
                print(f"joulebench: {problem}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print()


@contextmanager
def _server(port: int, folder: str) -> Iterator[int]:
    """Serve a folder in a thread; give the port."""
    try:
        server = ThreadingHTTPServer((HOST, port), functools.partial(_Handler, directory=folder))
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(
            f"port {port} of {HOST} cannot be used: {reason}; choose another by --port, or 0 for any free one"
        ) from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
