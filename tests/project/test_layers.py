"""What each room may import: it keeps `energy` usable in any project, and every change in one place.

A room is a folder, or a file that stands beside folders. The table says, for each, which rooms it may use
beside itself; what is measured flows downwards, so nothing imports what comes later.
"""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("energy", "zoo", "fixtures", "benchmarks", "tests")

# The ground floor of `energy`, for all its rooms; `energy` itself is the front, which nothing inside imports.
GROUND = {
    "energy.reading",
    "energy.fault",
    "energy.text",
    "energy.statistics",
    "energy._registry",
    "energy._version",
}
STORED = GROUND | {"energy.records", "energy.records.storage"}
FOUND = STORED | {"energy.analysis"}
SHOWN = FOUND | {"energy.report", "energy.exporters"}
MEASURED = STORED | {"energy.meters", "energy.measuring"}
RECIPES = {"zoo.recipes", "zoo._registry", "zoo.results"}
NETWORKS = RECIPES | {"zoo.device", "zoo.size", "zoo.model"}
MAY_IMPORT = {
    "energy": STORED | {"energy.meters"},
    "energy.__main__": {"energy.commands"},
    "energy.reading": {"energy.fault", "energy.statistics"},
    "energy.fault": set(),
    "energy.text": set(),
    "energy.statistics": set(),
    "energy._registry": {"energy.text"},
    "energy._version": set(),
    "energy.meters": GROUND,
    "energy.measuring": MEASURED,
    "energy.records": GROUND,
    "energy.records.storage": STORED,
    "energy.analysis": FOUND,
    "energy.report": SHOWN,
    "energy.exporters": SHOWN,
    "energy.plugin": MEASURED | SHOWN,
    "energy.commands": MEASURED | SHOWN,
    "zoo": {"zoo"},
    "zoo._entries": set(),
    "zoo._registry": {"zoo._entries"},
    "zoo.results": {"zoo.recipes"},
    "zoo.size": RECIPES,
    "zoo.architectures": set(),
    "zoo.extras": {"zoo.architectures"},
    "zoo.classifiers": set(),
    "zoo.techniques": {"zoo.recipes"},
    "zoo.recipes": {"zoo._registry"},
    "zoo.device": RECIPES,
    "zoo.model": NETWORKS,
    "zoo.feeding": RECIPES | {"zoo.device"},
    "zoo.evaluation": NETWORKS,
    "zoo.availability": NETWORKS,
    "zoo.training": NETWORKS | {"zoo.feeding", "zoo.evaluation", "zoo.availability"},
    "zoo.facts": {"zoo._registry", "zoo.size"},
    "zoo.__main__": {"zoo.facts"},
    "fixtures": {"fixtures"},
    "benchmarks": {"energy", "zoo", "fixtures"},
}
# What the instrument must do without, so that a project that sorts lists can use it.
NOT_IN_ENERGY = {"torch", "monai", "torchvision", "timm", "segmentation_models_pytorch", "nibabel"}


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> dict[str, Path]:
    """Return every module of the project by its dotted name, but for the tests."""
    return {name_module(path): path for folder in TOP[:-1] for path in (ROOT / folder).rglob("*.py")}


def imported(path: Path, at_the_top: bool = False) -> set[str]:
    """Return the dotted names that a file imports; `at_the_top`: not in functions, not for types alone."""
    tree = ast.parse(path.read_text())
    skipped = {id(node) for outer in later(tree) for node in ast.walk(outer)} if at_the_top else set()
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import hides which room it comes from"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = whole & modules().keys()
            names |= ours | ({node.module} if whole - ours else set())
    return names


def later(tree: ast.Module) -> list[ast.AST]:
    """Return the parts of a file that importing it does not run."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return functions + [
        node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]


def find_room(module: str, rooms: set[str]) -> str | None:
    """Return the innermost room that a module is in."""
    parts = module.split(".")
    heads = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((head for head in heads if head in rooms), None)


def find_trespasses(files: dict[str, Path], may_import: dict[str, set[str]]) -> list[str]:
    """Return what imports something of ours that the table does not allow its room."""
    found = []
    for module, path in sorted(files.items()):
        own = find_room(module, set(may_import))
        for target in sorted(imported(path)):
            if target.split(".")[0] not in TOP:
                continue
            room = find_room(target, set(may_import)) or target
            allowed = room == own or any(
                room == each or (each in ("energy", "zoo", "fixtures") and room.startswith(f"{each}."))
                for each in may_import[own]
            )
            # A front is imported by those outside; inside, `zoo` is the folder whose file this is.
            if not allowed or (own.startswith("energy.") and target == "energy"):
                found.append(f"{module} imports {target}")
    return found


def test_a_room_imports_only_the_rooms_it_may():
    assert find_trespasses(modules(), MAY_IMPORT) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("energy.records.metrics", "from energy.analysis import compare"),
        ("energy.meters.rapl", "import energy"),
        ("energy.analysis.gates.judge", "import pytest\nfrom energy.plugin import gating"),
        ("energy.statistics", "from energy.reading import Reading"),
        ("zoo.training.loop", "def f():\n    import energy.reading"),
        ("zoo.recipes.recipe", "from zoo.training import loop"),
        ("fixtures.phantom", "import zoo"),
        ("benchmarks.suite", "from tests.simulated import work_meter"),
    ],
)
def test_the_rule_goes_red_where_a_room_imports_upwards(tmp_path, module, line):
    path = tmp_path / "module.py"
    path.write_text(line)

    assert len(find_trespasses({module: path}, MAY_IMPORT)) == 1


def test_no_module_imports_itself_by_way_of_others():
    """Imports inside functions do not count: they are made when all modules are there."""
    graph = {
        name: imported(path, at_the_top=True) & modules().keys() - {name} for name, path in modules().items()
    }
    while leaves := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in leaves:
            del graph[name]

    assert graph == {}


def test_no_file_of_energy_stands_outside_the_rooms():
    rooms = {name.removeprefix("energy.") for name in MAY_IMPORT if name.startswith("energy.")} | {"__init__"}

    assert {path.stem for path in (ROOT / "energy").glob("*.py")} <= rooms
    assert {path.name for path in (ROOT / "energy").iterdir() if path.is_dir()} - {"__pycache__"} <= rooms


def test_energy_imports_no_deep_learning_library():
    for name, path in modules().items():
        if name.split(".")[0] == "energy":
            assert not {target.split(".")[0] for target in imported(path)} & NOT_IN_ENERGY, path


@pytest.mark.parametrize("module", ["energy", "energy.plugin", "zoo", "fixtures"])
def test_importing_a_package_loads_nothing_heavy(module):
    heavy = NOT_IN_ENERGY | {"scipy", "pandas", "codecarbon", "pynvml"}
    script = f"import sys\nimport {module}\nprint(sorted(set({sorted(heavy)!r}) & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert loaded.stdout.strip() == "[]"
