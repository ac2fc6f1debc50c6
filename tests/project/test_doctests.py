"""Every example in a docstring of `energy` does what it shows."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import sys

import pytest

import energy

PROMPT = ">>>"
# Where the examples measure, and so need a meter that works on every machine of this kind.
LINUX_ONLY = {"energy"}


def modules():
    """Return the names of all modules of `energy`, itself first; `__main__` is one like any other."""
    found = pkgutil.walk_packages(energy.__path__, "energy.")
    return ["energy", *(module.name for module in found)]


def examples(module):
    """Return the examples that doctest finds in a module, by the name of their docstring."""
    found = doctest.DocTestFinder(exclude_empty=True).find(module)
    return [test for test in found if test.examples]


def prompts(source):
    """Count the prompts in all strings of a source, wherever they stand."""
    strings = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return sum(
        line.lstrip().startswith(PROMPT)
        for text in strings
        if isinstance(text, str)
        for line in text.splitlines()
    )


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_do_what_they_show(name, capsys):
    if name in LINUX_ONLY and sys.platform != "linux":
        pytest.skip("the example measures by the process table of Linux")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)

    for test in examples(module):
        runner.run(test)

    assert runner.failures == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", modules())
def test_no_example_stands_where_nobody_runs_it(name):
    module = importlib.import_module(name)

    run = sum(len(test.examples) for test in examples(module))

    assert run == prompts(inspect.getsource(module))


def test_an_example_that_lies_is_caught():
    module = type(energy)("liar")
    module.__doc__ = ">>> 1 + 1\n3\n"
    runner = doctest.DocTestRunner(verbose=False)

    (test,) = examples(module)
    runner.run(test, out=lambda text: None)

    assert runner.failures == 1


def test_the_public_interface_has_examples():
    assert sum(len(test.examples) for test in examples(energy)) > 5
