"""The same faults through joulebench, CodeCarbon and Zeus on one simulated machine: who is right, who tells?

    python -m tests.audit.side_by_side                        # the table, on the screen
    python -m tests.audit.side_by_side --zeus-python /opt/zeus/bin/python --write

Zeus may live in an environment of its own; the second form asks that interpreter for Zeus' column and writes
the table beside this file. Each cell is a process of its own, with its own virtual time, which imports the
tool anew.
"""

import argparse
import datetime
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.audit.faces import TOOLS, Answer, listen, version
from tests.audit.scripts import SCRIPTS
from tests.audit.stage import Stage
from tests.audit.verdicts import page
from tests.audit.ways import WAYS

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_suffix(".md")
MISTAKES = (AssertionError, AttributeError, ImportError, NameError, TypeError)  # the audit's own


def main():
    """Run the scripts and show or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zeus-python", help="an interpreter that has Zeus, if this one has not")
    parser.add_argument("--tools", nargs="*", default=list(TOOLS), choices=TOOLS, help="these only")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    parser.add_argument("--json", action="store_true", help="print the answers instead of the table")
    arguments = parser.parse_args()
    columns = {name: column(TOOLS[name]) for name in arguments.tools if version(TOOLS[name])}
    if arguments.zeus_python:
        columns |= elsewhere(arguments.zeus_python)
    if arguments.json:
        print(json.dumps(columns))
    elif arguments.write:
        TABLE.write_text(page(columns, datetime.date.today()))
    else:
        print(page(columns, datetime.date.today()))


def column(tool):
    """Run every script with one tool: its version, and an answer with the truth for each script."""
    for library in tool.needs:  # once, not in every cell
        importlib.import_module(library)
    return {"version": version(tool), "cells": [apart(script, tool) for script in SCRIPTS]}


def elsewhere(python):
    """Let another interpreter run Zeus."""
    command = [python, "-m", "tests.audit.side_by_side", "--tools", "Zeus", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def apart(script, tool):
    """Run one script in a process of its own, which no other script has touched."""
    with tempfile.TemporaryDirectory() as folder:
        out, into = os.pipe()
        if (child := os.fork()) == 0:
            os.close(out)
            os.write(into, json.dumps(_played(script, tool, Path(folder))).encode())
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as pipe:
            result = json.load(pipe)
        os.waitpid(child, 0)
    if "bug" in result:
        raise AssertionError(f"{tool.name}, {script.title}: {result['bug']}")
    return result


def _played(script, tool, folder):
    try:
        return play(script, tool, folder)
    except Exception:
        return {"bug": traceback.format_exc()}


def play(script, tool, folder):
    """Run one script in this process, whose time and devices are simulated from now on."""
    tempfile.tempdir = str(folder)
    stage = Stage(script, folder)
    stage.take_over()
    quiet = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT)
    os.dup2(quiet, 2)
    listen(stage.said)
    answer, truth = _taken(script, stage, tool(stage))
    says = [_plain(word, folder) for word in dict.fromkeys([*answer.says, *stage.said])]
    assert not any("has no attribute" in word for word in says), says  # the stage is at fault, not the tool
    asked = {"title": script.title, "domain": script.domain, "window": script.seconds}
    return vars(answer) | asked | {"says": says, "truth": truth}


def _taken(script, stage, face):
    """Take the window; a tool that raises has answered, too."""
    try:
        return WAYS[script.how](stage, face)
    except Exception as refusal:
        if isinstance(refusal, MISTAKES) or not _from_the_tool(refusal):
            raise
        start = stage.time.now()
        return Answer(None, says=[f"{type(refusal).__name__}: {refusal}"]), stage.joules(
            start, start + script.seconds
        )


def _from_the_tool(problem):
    """Say whether it came through a tool, not from the audit alone."""
    files = {Path(frame.filename) for frame in traceback.extract_tb(problem.__traceback__)}
    return any(Path(__file__).parent not in file.parents for file in files)


def _plain(text, folder):
    return re.sub(r"\s+", " ", text.replace(str(folder), "")).strip()


if __name__ == "__main__":
    if sys.platform != "linux":
        raise SystemExit("the scripts need fork and powercap's layout: run them on Linux")
    main()
