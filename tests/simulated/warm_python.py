"""A Python that has its libraries imported and forks for each program: real processes without their start.

with WarmPython("torch", "monai") as python:
    done = python.run("-m", "pytest", cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout
    running = python.start("-m", "pytest", cwd=folder, env=environment)
    running.kill()

A program has its own process, folder, environment and modules beyond those libraries, and ends as any other.
One runs at a time.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300.0  # to fail rather than to hang
SERVER = """
import gc, importlib, json, os, runpy, signal, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where pytest was started in the background
os.chdir(task["cwd"])
os.environ.clear()
os.environ.update(task["env"])
for number, path in enumerate((os.devnull, *task["output"])):
    given = os.open(path, os.O_RDWR | os.O_APPEND)
    os.dup2(given, number)
    os.close(given)
sys.dont_write_bytecode = bool(task["env"].get("PYTHONDONTWRITEBYTECODE"))
sys.path[:2] = [task["cwd"], *filter(None, task["env"].get("PYTHONPATH", "").split(os.pathsep))]
kind, program, *sys.argv[1:] = task["arguments"]
if kind == "-m":
    runpy.run_module(program, run_name="__main__", alter_sys=True)
else:
    exec(program, {"__name__": "__main__"})
"""


class Running:
    """A program that was started."""

    def __init__(self, pid, answers):
        self.pid, self.returncode = pid, None
        self._answers = answers

    def poll(self):
        """Return the exit code, or None while the program runs."""
        return self.wait(0.0)

    def wait(self, seconds=PATIENCE_SECONDS):
        if self.returncode is None and select.select([self._answers], [], [], seconds)[0]:
            self.returncode = int(self._answers.readline())
        return self.returncode

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.wait()


class WarmPython:
    """Forks programs from a process that imports `modules`; the first program waits for that."""

    def __init__(self, *modules):
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *modules],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._is_ready = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def run(self, *arguments, cwd, env, merged=False):
        """Run `-m MODULE ...` or `-c CODE ...` to its end; return its code and output, as subprocess does."""
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            output = (out.name, out.name if merged else err.name)
            running = self.start(*arguments, cwd=cwd, env=env, output=output)
            if running.wait() is None:
                running.kill()
                raise subprocess.TimeoutExpired(arguments, PATIENCE_SECONDS, out.read())
            return subprocess.CompletedProcess(
                arguments, running.returncode, out.read().decode(), err.read().decode()
            )

    def start(self, *arguments, cwd, env, output=(os.devnull, os.devnull)):
        """Start a program; its output is appended to these files."""
        if not self._is_ready:
            assert self._server.stdout.readline() == b"ready\n"
            self._is_ready = True
        task = {"arguments": arguments, "cwd": str(cwd), "env": dict(env), "output": output}
        self._server.stdin.write(json.dumps(task).encode() + b"\n")
        return Running(int(self._server.stdout.readline()), self._server.stdout)
