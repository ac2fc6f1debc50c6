"""The options of a run, and what they come to: each is checked before anything is measured."""

from __future__ import annotations

import math
import re
import shlex
import sys

import pytest

from energy.measuring.run import Settings
from energy.plugin.items import path_from_here, storage
from energy.records.storage.store import check_name
from energy.report.terminal import table

MOST_WATTS = 100_000.0
MOST_IDLE_SECONDS = 86_400
FOLDERS = re.compile(r"(?<![\w.])(?:/[^/\s]+)*/(?=[^/\s])")


def add_options(parser: pytest.Parser) -> None:
    """Define the options, in pytest-benchmark's words."""
    group = parser.getgroup("energy", "joules, and what they buy")
    option = group.addoption
    option(
        "--energy-meters",
        metavar="LIST",
        default="auto",
        help="for example nvml,rapl (default: all that work)",
    )
    option(
        "--energy-outside",
        metavar="SOURCE",
        help="a meter of the whole machine: the file that its logger writes, or '!COMMAND' that prints watts "
        "(words before it: 'accuracy=0.1%% tz=UTC spl.txt', see METERS.md)",
    )
    option(
        "--energy-cpu-watts",
        metavar="IDLE,FULL",
        help="watts of all processors of this machine, idle and at full load, where no counter shows them",
    )
    option("--energy-storage", metavar="DIR", help="folder of the results (default: results/ of the project)")
    option("--energy-save", metavar="NAME", help="save the run as NNNN_NAME.json")
    option("--energy-autosave", action="store_true", help="save the run as NNNN_COMMIT.json")
    option("--energy-json", metavar="PATH", help="write the run to this file, too")
    option("--energy-resume", action="store_true", help="go on with the last unfinished run")
    option(
        "--energy-dry-run", action="store_true", help="list the cases with predicted minutes and kJ; run none"
    )
    option(
        "--energy-idle",
        metavar="SECONDS",
        type=float,
        default=5.0,
        help="idle power is measured so long first",
    )
    option("--energy-columns", metavar="LIST", help="columns of the table, by metric name")
    option("--energy-sort", metavar="COLUMN", help="column by which the table is sorted")
    parser.addini(
        "energy_grid_g_per_kwh", "grams of CO2 per kWh of the grid that feeds this machine, for co2_g"
    )


def read_settings(config: pytest.Config) -> Settings:
    """Return what the user asked of the run; ValueError names the option that cannot be meant."""
    option = config.getoption
    if not 0 <= option("energy_idle") <= MOST_IDLE_SECONDS:  # false for NaN, too
        raise ValueError(
            f"--energy-idle {option('energy_idle'):g}: expected seconds, 0 (none) to {MOST_IDLE_SECONDS}"
        )
    if option("energy_save") is not None:
        check_name(option("energy_save"))
    return Settings(
        meters=option("energy_meters"),
        outside=option("energy_outside"),
        idle_seconds=option("energy_idle"),
        storage=storage(config),
        save=bool(option("energy_save") or option("energy_autosave")),
        name=option("energy_save"),
        json_path=path_from_here(config, option("energy_json")) if option("energy_json") else None,
        resume=option("energy_resume"),
        grid_g_per_kwh=_grid_g_per_kwh(config.getini("energy_grid_g_per_kwh")),
        # Records are shared: of a path only its last part goes into them.
        cpu_watts=_cpu_watts(option("energy_cpu_watts")),
        command=shlex.join(["pytest", *(FOLDERS.sub("", word) for word in sys.argv[1:])]),
    )


def _cpu_watts(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        idle, full = map(float, text.split(","))
    except ValueError:
        idle = full = math.nan
    if not (0 < idle < full < MOST_WATTS):
        raise ValueError(
            f"--energy-cpu-watts {text}: expected the watts of all processors of this machine, when idle and "
            "at full load, such as 12,95"
        )
    return idle, full


def _grid_g_per_kwh(text: str) -> float | None:
    if not text:
        return None
    try:
        grams = float(text)
    except ValueError:
        grams = math.nan
    if not (math.isfinite(grams) and grams >= 0):
        raise ValueError(f"energy_grid_g_per_kwh = {text}: expected grams of CO2 per kWh, e.g. 475")
    return grams


def table_choices(config: pytest.Config) -> tuple[tuple[str, ...] | None, str | None]:
    """Return the columns of the table and the one it is sorted by; ValueError names one that is unknown."""
    columns, sort = config.getoption("energy_columns"), config.getoption("energy_sort")
    return table.parse_columns(columns) if columns else None, table.parse_sort(sort) if sort else None
