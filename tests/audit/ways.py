"""The ways in which a script takes its window; each returns the tool's answer and the true joules."""

import json
import os
import socket
import time
from dataclasses import replace

from tests.audit.faces import Answer

LEAD_SECONDS = 1.25  # between opening the tools and the window
FIRST_SECONDS = 3.0  # of a window before the one that is judged
WORK_CPU_SECONDS = 1.0
SHORT_LIVED = 5  # workers that share it


def window(stage, tool):
    """Open, wait, begin; let it go wrong half-way; end."""
    script = stage.script
    script.before(stage)
    tool.open()
    stage.time.advance(LEAD_SECONDS)
    script.ready(stage)
    tool.begin()
    start = stage.time.now()
    stage.time.advance(script.seconds / 2)
    script.half_way(stage)
    stage.time.advance(start + script.seconds - stage.time.now())
    answer = tool.end()
    tool.close()
    return answer, stage.joules(start, start + script.seconds)


def second(stage, tool):
    """Measure once, close, and judge the next window of the same process."""
    tool.open()
    tool.begin()
    stage.time.advance(FIRST_SECONDS)
    tool.end()
    tool.close()
    stage.said.clear()
    return window(stage, tool)


def inner(stage, tool):
    """Open a window inside another and judge the inner one."""
    tool.open()
    tool.begin()
    stage.time.advance(stage.script.seconds)
    start = stage.time.now()
    answer = tool.inner(stage.script.seconds)
    truth = stage.joules(start, start + stage.script.seconds)
    stage.time.advance(stage.script.seconds)
    tool.end()
    tool.close()
    return answer, truth


def forked(stage, tool):
    """Fork in the middle of the window; the child ends the window too, and hands in what it gets."""
    tool.open()
    stage.time.advance(LEAD_SECONDS)
    tool.begin()
    start = stage.time.now()
    stage.time.advance(stage.script.seconds / 2)
    child = _in_child(tool)
    stage.time.advance(stage.script.seconds / 2)
    answer = tool.end()
    tool.close()
    billed = [joules for joules in (answer.joules, child.joules) if joules is not None]
    truth = stage.joules(start, start + stage.script.seconds)
    return replace(answer, joules=sum(billed) if billed else None, says=[*answer.says]), truth


def _in_child(tool):
    out, into = os.pipe()
    if os.fork() == 0:
        try:
            answer = tool.end()
        except Exception as refusal:
            answer = Answer(None, says=[str(refusal)])
        os.write(into, json.dumps([answer.joules, answer.says]).encode())
        os._exit(0)
    os.close(into)
    joules, says = json.loads(os.read(out, 65536))
    os.wait()
    return Answer(joules, says=says)


def two_at_once(stage, tool):
    """Let two measurements of the same device run side by side, and add up what they bill."""
    other = type(tool)(stage)
    for each in (tool, other):
        each.open()
    stage.time.advance(LEAD_SECONDS)
    start = stage.time.now()
    for each in (tool, other):
        each.begin()
    stage.time.advance(stage.script.seconds)
    answers = [each.end() for each in (tool, other)]
    for each in (tool, other):
        each.close()
    says = [word for answer in answers for word in answer.says]
    joules = [answer.joules for answer in answers]
    total = None if None in joules else sum(joules)
    return Answer(total, answers[0].seconds, None, says), stage.joules(start, start + stage.script.seconds)


def workers(stage, tool):
    """Let one worker do the work, then several that live for a moment; the second figure in % of the first.

    The one is there before the window begins and still there when it ends, so that nobody can miss it.
    """
    one = _worker()
    first = _worked(stage, tool, lambda: _work(one, WORK_CPU_SECONDS))
    _end(one)
    usual = [*stage.said]
    several = _worked(stage, tool, _short_lived)
    stage.said[:] = [word for word in stage.said if word not in usual]
    if not first.joules or several.joules is None:
        return several, 100.0
    return replace(several, joules=100 * several.joules / first.joules, band=None), 100.0


def _worked(stage, tool, work):
    tool.open()
    end = time.monotonic() + stage.script.seconds
    tool.begin()
    work()
    time.sleep(max(0.0, end - time.monotonic()))
    answer = tool.end()
    tool.close()
    return answer


def _short_lived():
    for _ in range(SHORT_LIVED):
        worker = _worker()
        _work(worker, WORK_CPU_SECONDS / SHORT_LIVED)
        _end(worker)


def _worker():
    """Fork a process that uses a CPU for as long as it is told to, and says when it has."""
    ours, theirs = socket.socketpair()
    if (worker := os.fork()) == 0:
        ours.close()
        while told := theirs.recv(64):
            end = time.process_time() + float(told)
            while time.process_time() < end:
                pass
            theirs.send(b"done")
        os._exit(0)
    theirs.close()
    return worker, ours


def _work(worker, cpu_seconds):
    worker[1].send(str(cpu_seconds).encode())
    worker[1].recv(64)


def _end(worker):
    worker[1].close()
    os.waitpid(worker[0], 0)


WAYS = {
    "window": window,
    "second": second,
    "inner": inner,
    "forked": forked,
    "two at once": two_at_once,
    "workers": workers,
}
