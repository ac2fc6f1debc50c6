"""Charts as SVG for the page, and as SVG and PNG for papers, by vl-convert, without a browser."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from energy.report.charts._chart import Chart
from energy.report.charts._look import VARIABLES
from energy.report.charts._spec import INSIDE

SVG = "http://www.w3.org/2000/svg"
TEXT = f"{{{SVG}}}text"
XLINK = "http://www.w3.org/1999/xlink"
VL_VERSION = "6.4"
PNG_SCALE = 2.0

# Attributes of single marks for assistive technology: an image is one thing, and its table has the rest.
_ARIA = ("role", "aria-roledescription", "aria-hidden")

_PARTS = ("concat", "layer")

_GEOMETRY = frozenset({"transform", "d", "x", "y", "x1", "x2", "y1", "y2", "width", "height"})
# What marks inherit from their group, if they do not say otherwise (SVG 2, appendix "Property index").
_INHERITED = (
    "fill", "fill-opacity", "stroke", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
    "stroke-miterlimit", "stroke-opacity", "stroke-width", "font-family", "font-size", "font-style",
    "font-weight", "paint-order", "text-anchor",
)  # fmt: skip
_LONG = re.compile(r"-?\d+\.\d{3,}")


def svg(chart: Chart, theme: Literal["page", "paper"] = "page") -> str:
    """Return a chart as SVG text.

    Args:
        chart: what to draw.
        theme: page: part of a page in light or dark, colours by its style's variables, no background;
            paper: a file of its own, dark on white.
    """
    root = _drawn(chart, theme)
    _name_apart(root, chart.name)
    for element in root.iter():
        _tell_on_hover(element)
        _shorten(element)
        _halo_below(element)
        if theme == "page":
            _colour_by_style(element)
    for group in root.iter(f"{{{SVG}}}g"):
        _share(group)
    _describe(root, chart)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)  # readers of HTML know it by this prefix only
    return ElementTree.tostring(root, encoding="unicode")


def vega(chart: Chart) -> str:
    """Return a chart as a specification of Vega, as JSON."""
    import vl_convert

    compiled = vl_convert.vegalite_to_vega(dict(chart.spec), vl_version=VL_VERSION)
    return json.dumps(compiled, allow_nan=False, separators=(",", ":"))


def png(chart: Chart, scale: float = PNG_SCALE) -> bytes:
    """Return a chart as PNG, dark on white, `scale` pixels to a unit of the SVG."""
    return _pixels(svg(chart, "paper"), scale)


def _pixels(vector: str, scale: float) -> bytes:
    import vl_convert

    return bytes(vl_convert.svg_to_png(vector, scale=scale))


def figures(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write NAME.svg and NAME.png of each chart into `folder`, which is made; OSError if it cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for chart in charts:
        drawn = svg(chart, "paper")
        vector, pixels = folder / f"{chart.name}.svg", folder / f"{chart.name}.png"
        vector.write_text(drawn + "\n", encoding="utf-8")
        pixels.write_bytes(_pixels(drawn, PNG_SCALE))
        written += [vector, pixels]
    return written


def _drawn(chart: Chart, theme: str) -> ElementTree.Element:
    import vl_convert

    headings: list[str] = []
    spec = _unmeasured(chart.spec, headings)
    if theme == "paper":
        spec["background"] = "white"
    text = vl_convert.vegalite_to_svg(json.dumps(spec, allow_nan=False), vl_version=VL_VERSION)
    root = ElementTree.fromstring(text)  # noqa: S314 (vl-convert wrote it)
    for group in root.iter(f"{{{SVG}}}g") if headings else ():
        if "role-title" in group.get("class", "").split():
            _head(group, headings)
    return root


def _unmeasured(view: Mapping[str, Any], headings: list[str]) -> dict[str, Any]:
    """Return a view with short texts in place of those that fit into its frame.

    vl-convert measures each text letter by letter, for which it opens the font's file anew four times if that
    is one of the system's: two milliseconds for a name, more than half of the time of a large report. The
    layout asks only for what may leave the frame. So texts inside are empty, and their words the labels of
    their marks; lines of a heading, which has been cut to the frame's width, are their places in `headings`,
    which gets them.
    """
    short: dict[str, Any] = {
        key: [_unmeasured(part, headings) for part in view[key]] for key in _PARTS if key in view
    }
    if "title" in view and isinstance(view.get("width"), int):
        lines = {key: _places(view["title"][key], headings) for key in ("text", "subtitle")}
        short["title"] = {**view["title"], **lines}
    if view.get("name", "").startswith(INSIDE):
        words = {"text": {"value": ""}, "description": view["encoding"]["text"]}
        short["mark"] = {key: value for key, value in view["mark"].items() if key != "aria"}
        short["encoding"] = {**view["encoding"], **words}
    return {**view, **short}


def _places(lines: str | Sequence[str], headings: list[str]) -> str | list[str]:
    """Add lines to the headings, and return their places there."""
    if isinstance(lines, str):
        return _places([lines], headings)[0] if lines else lines
    headings += lines
    return [str(place) for place in range(len(headings) - len(lines), len(headings))]


def _head(group: ElementTree.Element, headings: Sequence[str]) -> None:
    """Write the lines of a heading where their places stand; they need no words on hover."""
    for element in group.iter():
        element.attrib.pop("aria-label", None)
        if element.text and element.text.isdecimal():
            element.text = headings[int(element.text)]


def _describe(root: ElementTree.Element, chart: Chart) -> None:
    """Make it one image with a title and a description."""
    ids = {part: f"{chart.name}-{part}" for part in ("title", "desc")}
    root.set("role", "img")
    root.set("aria-labelledby", " ".join(ids.values()))
    for place, (part, text) in enumerate((("title", chart.title), ("desc", chart.description))):
        element = ElementTree.Element(f"{{{SVG}}}{part}", {"id": ids[part]})
        element.text = text
        root.insert(place, element)


def _tell_on_hover(element: ElementTree.Element) -> None:
    """Turn the label of a mark into a title, which browsers show to a pointer without any script.

    That of an empty text is the text; see `_unmeasured`.
    """
    label = element.attrib.pop("aria-label", None)
    is_mark = element.attrib.get("role") == "graphics-symbol"
    for name in _ARIA:
        element.attrib.pop(name, None)
    if label and is_mark and element.tag == TEXT:
        element.text = label
    elif label and is_mark:
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = label
        element.insert(0, title)


def _name_apart(root: ElementTree.Element, name: str) -> None:
    """Give ids the chart's name and numbers of its own.

    A page has many charts, and an id once; and Vega counts on from chart to chart, so that the same chart
    would be another file the second time.
    """
    found = [element.get("id", "") for element in root.iter() if "id" in element.attrib]
    names = {given: f"{name}-{number}" for number, given in enumerate(found, start=1)}
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, names[value])
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#([^)]+)\)", lambda link: f"url(#{names[link[1]]})", value))


def _shorten(element: ElementTree.Element) -> None:
    """Write places to a hundredth of a pixel, and no opacity of 1: Vega's files are half as long again."""
    if element.get("opacity") == "1":
        del element.attrib["opacity"]
    for key in _GEOMETRY & element.attrib.keys():
        element.set(key, _LONG.sub(lambda number: f"{float(number[0]):.2f}", element.attrib[key]))


def _share(group: ElementTree.Element) -> None:
    """Write on a group what most of its marks have in common; Vega writes it on each, a third of a file."""
    marks = list(group)
    if len(marks) < 2 or any(mark.tag == group.tag for mark in marks):
        return
    for name in _INHERITED:
        values = Counter(mark.get(name) for mark in marks)
        if None in values:
            continue
        ((commonest, _),) = values.most_common(1)
        group.set(name, str(commonest))
        for mark in marks:
            if mark.get(name) == commonest:
                del mark.attrib[name]


def _halo_below(element: ElementTree.Element) -> None:
    """Draw the outline of a text before the text: Vega knows no other order than over it."""
    if element.tag == TEXT and "stroke" in element.attrib:
        element.set("paint-order", "stroke")


def _colour_by_style(element: ElementTree.Element) -> None:
    for key in ("fill", "stroke"):
        variable = VARIABLES.get(element.get(key, "").lower())
        if variable:
            element.set(key, f"var({variable}, {element.get(key)})")
