"""The README names what there is."""

from pathlib import Path

import pytest

import zoo
from tests import study

README = (Path(zoo.__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("name", study.TECHNIQUES)
def test_every_technique_is_in_the_readme(name):
    assert f"`{name}`" in README
