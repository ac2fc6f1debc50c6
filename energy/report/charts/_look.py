"""How charts look: colours, sizes, axes. One place, so that all of them look alike.

Colours of marks are those of Okabe and Ito (2008), "Color Universal Design", without the yellow, which nobody
sees on white. A colour never stands alone: shapes, labels or places say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INK = "#1a1a1a"
SOFT = "#555555"
LINE = "#cfcfca"
PAPER = "#fefefe"

BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
ORANGE = "#e69f00"

# The page's style sets these anew where it is dark; see templates/page.css.
VARIABLES: Mapping[str, str] = {
    INK: "--chart-ink",
    SOFT: "--chart-soft",
    LINE: "--chart-line",
    PAPER: "--chart-paper",
    BLUE: "--chart-blue",
    VERMILION: "--chart-vermilion",
}

# In an order in which neighbours are unlike in lightness, too. The sky blue is left out: on dark pages it
# would look like the blue, which is lightened there.
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE)

FONT = "sans-serif"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def config() -> dict[str, Any]:
    """Return what all specifications share.

    No text has a limit in pixels: to see whether it keeps one, vl-convert sets it again and again, which took
    a third of its time. Numbers and legends are short; names and headings are cut by `_spec`.
    """
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 13}
    return {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": LINE},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "gridColor": LINE,
            "gridOpacity": 0.6,
            "domainColor": SOFT,
            "tickColor": SOFT,
            "labelLimit": 0,
        },
        "legend": {
            **text,
            "labelLimit": 0,
            "titleLimit": 0,
            "titleFontWeight": "normal",
            "symbolSize": 110,
            "orient": "bottom",
            "columns": 3,
        },
        "title": {
            "color": INK,
            "subtitleColor": SOFT,
            "fontSize": 14,
            "subtitleFontSize": 12,
            "anchor": "start",
        },
        "header": {"labelColor": INK, "titleColor": INK},
        "text": {"color": INK, "fontSize": 11},
    }
