"""The folders import only what they may: the rule that keeps `energy` usable in any project."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"energy", "zoo", "fixtures", "benchmarks"}
MAY_IMPORT = {
    "energy": {"energy"},
    "zoo": {"zoo"},
    "fixtures": {"fixtures"},
    "benchmarks": OURS,
}
# What the instrument must do without, so that a project that sorts lists can use it.
NOT_IN_ENERGY = {"torch", "monai", "torchvision", "timm", "segmentation_models_pytorch", "nibabel"}


def imported(path: Path) -> set[str]:
    """Return the top-level names that a file imports, at its top or inside its functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_the_folders_it_may(folder):
    for path in (ROOT / folder).rglob("*.py"):
        assert imported(path) & OURS <= MAY_IMPORT[folder], path


def test_energy_imports_no_deep_learning_library():
    for path in (ROOT / "energy").rglob("*.py"):
        assert not imported(path) & NOT_IN_ENERGY, path


@pytest.mark.parametrize("module", ["energy", "energy.plugin", "zoo", "fixtures"])
def test_importing_a_package_loads_nothing_heavy(module):
    heavy = NOT_IN_ENERGY | {"scipy", "pandas", "codecarbon", "pynvml"}
    script = f"import sys\nimport {module}\nprint(sorted(set({sorted(heavy)!r}) & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert loaded.stdout.strip() == "[]"
