"""The folder is the registry: one file, one entry, found by its name; a leading `_` marks machinery.

Meters, commands, charts and exporters are found so.
"""

import importlib
import pkgutil
from types import ModuleType

from energy.text import explain_unknown


def list_entries(package: str) -> tuple[str, ...]:
    """Return the names of the entries of a package, sorted, without importing one."""
    found = (module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load_entry(package: str, kind: str, name: str) -> ModuleType:
    """Import one entry of a package, and no other.

    Raises:
        ValueError: there is no entry of that name; has the nearest names.
    """
    known = list_entries(package)
    if name not in known:
        raise ValueError(explain_unknown(kind, name, known))
    return importlib.import_module(f"{package}.{name}")
