"""The documents name what there is."""

import re
from pathlib import Path

import pytest

from tests import study

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "results").glob("*.md"), *(ROOT / "tests").rglob("*.md")]


@pytest.mark.parametrize("name", study.TECHNIQUES)
def test_every_technique_is_in_the_readme(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_in_a_document_lead_to_files(document):
    text = document.read_text()
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link}
    paths = set(re.findall(r"`((?:energy|zoo|fixtures|benchmarks|tests)/[a-z_/.]+)`", text))

    assert [link for link in links if not (document.parent / link).exists()] == []
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_walks_of_contributing_have_at_most_eight_files_each():
    walks = re.findall(
        r"^- \*\*A .*?\*\*: (.*?)(?=^- \*\*|^$)", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M
    )
    files = [re.findall(r"`([\w/]+\.py)`", walk) for walk in walks]

    assert [len(walk) <= 8 for walk in files] == [True] * 3
    known = {
        str(path.relative_to(ROOT)) for room in ("energy", "zoo") for path in (ROOT / room).rglob("*.py")
    }
    for name in {name for walk in files for name in walk}:
        assert any(path.endswith(f"/{name}") or path == name for path in known), name
