"""A CPU with or without bf16 instructions, for `pytest -p tests.simulated.cpu --cpu-bf16 yes|no`.

What torch says of the instructions is the one thing that is replaced; it goes on computing as it can.
"""

import pytest

WITHOUT = {"avx2": True, "avx512_bf16": False, "amx_bf16": False, "bf16": False}
WITH = WITHOUT | {"avx512_bf16": True}


def replace_instructions(patch: pytest.MonkeyPatch, has_bf16: bool) -> None:
    """Let torch say that the CPU has bf16 instructions, or none."""
    import torch

    found = WITH if has_bf16 else WITHOUT
    patch.setattr(torch.cpu, "get_capabilities", lambda: dict(found), raising=False)


def pytest_addoption(parser):
    parser.addoption("--cpu-bf16", choices=("yes", "no"), required=True, help="what torch says of the CPU")


def pytest_collection_finish(session):
    """Not before: a suite is collected without torch."""
    if not session.config.option.collectonly:
        patch = pytest.MonkeyPatch()
        replace_instructions(patch, session.config.getoption("cpu_bf16") == "yes")
        session.config.add_cleanup(patch.undo)
