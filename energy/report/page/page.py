"""The page: templates filled with tables, charts and data, in one string of HTML."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy._version import __version__
from energy.records.metrics import METRICS
from energy.records.storage.gather import FoundRun, Unusable
from energy.report.charts._look import VARIABLES
from energy.report.groups import Group
from energy.report.page import choosing, data, overview, runs, tables
from energy.report.words import clipped

TEMPLATES = Path(__file__).with_name("templates")
# Rows of the tables of failures, of runs and of unusable files, which have no natural end.
MOST_ROWS = 200


@dataclass(frozen=True)
class Drawing:
    """A chart as the page shows it: SVG text, and the figures behind it as rows of text."""

    name: str
    title: str
    description: str
    svg: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rows_left: int = 0


@dataclass(frozen=True)
class Drawings:
    """All charts: those of the study, the others, and why there are no more (name and reason)."""

    study: tuple[Drawing, ...] = ()
    others: tuple[Drawing, ...] = ()
    not_drawn: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Live:
    """What charts need to answer to a pointer: a script, and each one's specification of Vega, as JSON."""

    script: str
    specs: Mapping[str, str]


@dataclass(frozen=True)
class Contents:
    """What the page tells without a chart: names and values of its template, and the results as JSON."""

    context: Mapping[str, Any]
    results: str


def contents(groups: Sequence[Group], found: Sequence[FoundRun], unusable: Sequence[Unusable]) -> Contents:
    """Return what the page tells without a chart.

    Args:
        groups: what its tables show.
        found: the runs that they are from.
        unusable: files that could not be read.
    """
    problems, commands = tables.problems(groups), runs.commands(found)
    context = {
        "title": _title(groups),
        "lead": overview.lead(groups),
        "overviews": overview.overviews(groups),
        "choices": choosing.choices(groups),
        "tables": [tables.of_group(group) for group in groups],
        "problems": problems[:MOST_ROWS],
        "problems_left": max(0, len(problems) - MOST_ROWS),
        "unusable": [clipped(file.reason, 500) for file in unusable[:MOST_ROWS]],
        "unusable_left": max(0, len(unusable) - MOST_ROWS),
        "runs": [runs.describe_run(run) for run in found[-MOST_ROWS:]],
        "runs_left": max(0, len(found) - MOST_ROWS),
        "commands": commands[:MOST_ROWS],
        "commands_left": max(0, len(commands) - MOST_ROWS),
        "metrics": METRICS.values(),
        "joulebench": __version__,
    }
    return Contents(context, data.as_json(groups))


def fill_page(
    contents: Contents,
    drawings: Drawings,
    *,
    command: str,
    live: Live | None = None,
    version: str | None = None,
) -> str:
    """Return the page as HTML.

    Args:
        contents: what it tells without a chart.
        drawings: its charts.
        command: what made this page.
        live: makes charts answer to a pointer where scripts may run; None: they are images.
        version: of a served page, which looks for a newer one of itself; None: a page by itself.
    """
    scripts = [_text("choosing.js"), _text("page.js"), *_reload(version)]
    blocks = {"results": contents.results}
    if live is not None:
        scripts.append(live.script)
        joined = ",".join(f"{json.dumps(name)}:{spec}" for name, spec in live.specs.items())
        blocks |= {"specs": data.inside_html(f"{{{joined}}}"), "colours": json.dumps(dict(VARIABLES))}
    context = {
        **contents.context,
        "study": [_drawn(drawing) for drawing in drawings.study],
        "charts": [_drawn(drawing) for drawing in drawings.others],
        "not_drawn": drawings.not_drawn,
        "command": clipped(command, 500),
    }
    return _filled("page.html", context, blocks, scripts, version)


def waiting(sources: str, version: str) -> str:
    """Return the served page of a folder that holds no result yet."""
    context = {"sources": clipped(sources, 500)}
    return _filled("waiting.html", context, {}, _reload(version), version)


def bundle(name: str) -> str:
    """Return a script of ours with what it needs of Vega and Vega-Embed, as vl-convert ships them."""
    import vl_convert

    bundle = str(vl_convert.javascript_bundle(_text(name)))
    return bundle.replace("</script", "<\\/script")  # the end of the element, whatever string it stands in


def _reload(version: str | None) -> list[str]:
    return [] if version is None else [_text("reload.js")]


def _title(groups: Sequence[Group]) -> str:
    cases = sum(len(group.entries) for group in groups)
    machines = len({group.fingerprint for group in groups})
    return f"joulebench: {_count(cases, 'case')} on {_count(machines, 'machine')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def _drawn(drawing: Drawing) -> Mapping[str, Any]:
    from markupsafe import Markup

    # ElementTree wrote it and escaped every text; tests/report/test_browser.py opens hostile records.
    return {**vars(drawing), "svg": Markup(drawing.svg)}  # noqa: S704 -- escaped, as above


def _filled(
    template: str,
    context: Mapping[str, Any],
    blocks: Mapping[str, str],
    scripts: Sequence[str],
    version: str | None,
) -> str:
    """Fill the templates; scripts and data are ours and go in as they are."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Our own style and scripts, and JSON in which nothing can end its element: see `data.inside_html`.
    page = environment.get_template(template).render(
        **context,
        version=version,
        style=Markup(_text("page.css")),  # noqa: S704 -- our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 -- our own files
        blocks={name: Markup(block) for name, block in blocks.items()},  # noqa: S704 -- escaped JSON
        policy=_policy(scripts, version is not None),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _policy(scripts: Sequence[str], served: bool) -> str:
    """Return the content security policy: these scripts and no other; no address but, if served, our own."""
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    ask = "connect-src 'self'; " if served else ""
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; "
        f"{ask}base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
