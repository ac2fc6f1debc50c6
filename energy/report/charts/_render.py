"""Charts as SVG for the page, and as SVG and PNG for papers, by vl-convert, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from energy.report.charts._chart import Chart
from energy.report.charts._look import VARIABLES

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
VL_VERSION = "6.4"
PNG_SCALE = 2.0

# Attributes of single marks for assistive technology: an image is one thing, and its table has the rest.
_ARIA = ("role", "aria-roledescription", "aria-hidden")

_GEOMETRY = frozenset({"transform", "d", "x", "y", "x1", "x2", "y1", "y2", "width", "height"})
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
    _describe(root, chart)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)  # readers of HTML know it by this prefix only
    return ElementTree.tostring(root, encoding="unicode")


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

    spec = {**chart.spec, "background": "white"} if theme == "paper" else chart.spec
    text = vl_convert.vegalite_to_svg(json.dumps(spec, allow_nan=False), vl_version=VL_VERSION)
    return ElementTree.fromstring(text)  # noqa: S314 (vl-convert wrote it)


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
    """Turn the label of a mark into a title, which browsers show to a pointer without any script."""
    label = element.attrib.pop("aria-label", None)
    is_mark = element.attrib.get("role") == "graphics-symbol"
    for name in _ARIA:
        element.attrib.pop(name, None)
    if label and is_mark:
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


def _halo_below(element: ElementTree.Element) -> None:
    """Draw the outline of a text before the text: Vega knows no other order than over it."""
    if element.tag == f"{{{SVG}}}text" and "stroke" in element.attrib:
        element.set("paint-order", "stroke")


def _colour_by_style(element: ElementTree.Element) -> None:
    for key in ("fill", "stroke"):
        variable = VARIABLES.get(element.get(key, "").lower())
        if variable:
            element.set(key, f"var({variable}, {element.get(key)})")
