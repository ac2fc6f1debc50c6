"""Charts as SVG and PNG: well-formed, described, in both themes, the same each time, safe with any record."""

import json
import multiprocessing
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import altair
import jsonschema_rs
import pytest
import vl_convert

from energy.report import charts
from energy.report.charts import _look, _render, _workers, dice_vs_total_kj, overlays, parts
from energy.report.model import Figure, Model, Point
from tests.simulated.pages import looks
from tests.simulated.records import domain
from tests.simulated.reports import (
    MEASURED,
    cases,
    found,
    model_of,
    panel,
    point,
    saved,
    series,
    three_machines,
    trained,
)  # fmt: skip

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "</title></svg><script>alert(1)</script><img src=x onerror=alert(2)>'\"&\u2028\x00\x1b]0;x\x07\u202e${7}"
)

MARKS = {f"{SVG}{name}" for name in ("path", "text", "line", "rect")}
TAGS = {
    "svg", "g", "path", "text", "tspan", "line", "rect", "title", "desc", "image", "defs", "clipPath",
    "linearGradient", "stop",
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """One chart of every kind, and more of some."""
    model = three_machines()
    folder = saved(tmp_path_factory.mktemp("overlays") / "p")
    pair = model_of(found(cases(), "h200-a"), found(cases(factor=2.0), "h200-b"))
    some = charts.draw(Model(model.panels, (series(),), folder)).charts
    return (*some, *(chart for chart in charts.draw(pair).charts if chart.name.startswith("slope")))


@pytest.fixture(scope="module")
def pages(drawn):
    return {chart.name: _render.svg(chart) for chart in drawn}


@pytest.fixture(scope="module")
def papers(drawn):
    return {chart.name: _render.svg(chart, "paper") for chart in drawn}


@pytest.fixture(scope="module")
def of_vega(drawn):
    """The charts as Vega draws them alone, which measures every text."""
    specs = {chart.name: json.dumps({**chart.spec, "background": "white"}) for chart in drawn}
    return {
        name: vl_convert.vegalite_to_svg(spec, vl_version=_render.VL_VERSION) for name, spec in specs.items()
    }


def test_there_is_a_chart_of_every_kind(drawn):
    assert {chart.name.partition("-")[0] for chart in drawn} == set(charts.names())


@pytest.fixture(scope="module")
def vega_lite():
    """The schema that Altair ships, compiled: its own validation of these charts takes half a minute."""

    def with_addresses(part):
        return part | {"$ref": quote(part["$ref"], safe="#/")} if "$ref" in part else part

    path = Path(altair.vegalite.v6.schema.__file__).with_name("vega-lite-schema.json")
    return jsonschema_rs.validator_for(json.loads(path.read_text(), object_hook=with_addresses))


def test_every_specification_is_valid_vega_lite(drawn, vega_lite):
    for chart in drawn:
        problems = [
            (str(problem.instance_path), problem.message[:200])
            for problem in vega_lite.iter_errors(chart.spec)
        ]

        assert problems == [], chart.name


def test_the_schema_knows_a_specification_that_is_none(drawn, vega_lite):
    (one,) = (chart.spec for chart in drawn if chart.name == "ladder")
    layer = {**one["layer"][0], "mark": {"type": "pint"}}

    assert not vega_lite.is_valid({**one, "layer": [layer]})


def test_every_row_of_every_table_has_as_many_cells_as_titles(drawn):
    for chart in drawn:
        assert chart.rows, chart.name
        assert {len(row) for row in chart.rows} == {len(chart.titles)}, chart.name
        assert all(isinstance(cell, str) for row in chart.rows for cell in row)


def test_every_chart_is_one_image_with_a_title_and_a_description(drawn, pages):
    for chart in drawn:
        root = ElementTree.fromstring(pages[chart.name])
        title, description = (root.find(f"{SVG}{part}") for part in ("title", "desc"))

        assert root.get("role") == "img"
        assert "aria-roledescription" not in pages[chart.name]
        assert pages[chart.name].count(" role=") == 1
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert (title.text, description.text) == (chart.title, chart.description)
        assert len(chart.description) > 60


def test_no_id_stands_twice_in_a_page_and_every_reference_is_to_one(pages):
    for name, text in pages.items():
        assert all(found.startswith(f"{name}-") for found in re.findall(r' id="([^"]+)"', text))
    ids = [found for text in pages.values() for found in re.findall(r' id="([^"]+)"', text)]
    references = {found for text in pages.values() for found in re.findall(r"url\(#([^)]+)\)", text)}

    assert len(set(ids)) == len(ids)
    assert references <= set(ids)


def test_no_chart_runs_or_loads_anything(pages):
    for name, text in pages.items():
        tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(text).iter()}
        without_pictures = re.sub(r"base64,[^\"]+", "", text)

        assert tags <= TAGS, name
        assert set(re.findall(r"//[\w.]+", without_pictures)) <= {"//www.w3.org"}, name
        assert not re.search(r"\son\w+=|javascript:", text)


def test_places_are_written_to_a_hundredth_of_a_pixel(pages):
    for text in pages.values():
        assert not re.search(r'(?:transform|d|[xy][12]?|width|height)="[^"]*\d\.\d{3}', text)


def test_only_overlays_hold_an_image(pages):
    assert [name for name, text in pages.items() if "<image" in text] == ["overlays"]


def test_a_page_colours_texts_by_its_style_and_a_paper_does_not(drawn, pages, papers):
    for chart in drawn:
        paper = papers[chart.name]

        for colour, variable in _look.VARIABLES.items():
            assert f'"{colour}"' not in pages[chart.name]
            assert f'"{colour}"' in paper or f"var({variable}" not in pages[chart.name]
        assert "var(" not in paper
        assert 'fill="white"' in paper
        assert 'fill="white"' not in pages[chart.name]


def luminance(colour):
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def themes():
    """Custom properties of the page's style, light and dark."""
    style = (Path(charts.__file__).parents[1] / "page" / "templates" / "page.css").read_text()
    return [
        {name: value if len(value) == 7 else "#" + "".join(2 * sign for sign in value[1:]) for name, value in
         re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", block)}
        for block in re.findall(r":root\s*{([^}]*)}", style)
    ]  # fmt: skip


def test_texts_of_charts_can_be_read_in_light_and_dark():
    light, dark = themes()

    for theme in (light, dark):
        for text in ("chart-ink", "chart-soft"):
            assert contrast(theme[text], theme["card"]) >= 4.5
        for mark in ("chart-blue", "chart-vermilion"):
            assert contrast(theme[mark], theme["card"]) >= 3.0


def test_the_page_knows_every_variable_of_the_charts():
    for theme in themes():
        assert {variable.removeprefix("--") for variable in _look.VARIABLES.values()} <= set(theme)


def test_a_chart_is_the_same_file_each_time(tmp_path):
    made = []
    for name in ("a", "b"):
        some = [
            chart
            for chart in charts.draw(three_machines()).charts
            if chart.name in ("dice_vs_total_kj", "radar-a")
        ]
        made.append([path.read_bytes() for path in _render.figures(some, tmp_path / name)])

    assert made[0] == made[1]
    assert len(made[0]) == 4
    assert [made[0][1][:8], made[0][3][:8]] == [b"\x89PNG\r\n\x1a\n"] * 2


@pytest.mark.slow
def test_charts_drawn_by_several_processes_are_those_of_one_to_the_byte(drawn, pages):
    with _workers.together(2) as each:
        assert dict(zip(pages, each(_render.svg, drawn), strict=True)) == pages


def test_a_drawing_process_that_is_killed_costs_time_and_no_chart():
    some = dice_vs_total_kj.draw(model_of(found(cases())))

    with _workers.together(2) as each:
        for child in multiprocessing.active_children():
            child.kill()
        assert list(each(_render.svg, some)) == list(map(_render.svg, some))


def test_what_cannot_be_drawn_is_an_error_of_several_processes_too():
    broken = replace(dice_vs_total_kj.draw(model_of(found(cases())))[0], spec={"mark": 5})

    with pytest.raises(ValueError, match="conversion failed"), _workers.together(2) as each:
        list(each(_render.svg, [broken]))


def texts_of(root):
    """The texts of a drawing: numbers of their place, and words; in their order."""
    for one in root.iter(f"{SVG}text"):
        words = [part.text for part in (one, *one.iter(f"{SVG}tspan")) if part.text]
        yield [float(number) for number in re.findall(r"-?[\d.]+", one.get("transform"))], words


@pytest.mark.slow
def test_texts_that_nobody_measures_have_the_words_and_the_places_that_measured_ones_have(
    drawn, pages, of_vega
):
    for chart in drawn:
        measured, ours = (ElementTree.fromstring(made[chart.name]) for made in (of_vega, pages))
        expected = list(texts_of(measured))

        assert ours.get("viewBox") == measured.get("viewBox"), chart.name
        for (place, words), (true_place, true_words) in zip(texts_of(ours), expected, strict=True):
            assert words == true_words
            assert place == pytest.approx(true_place, abs=0.006)
    assert expected


def test_few_letters_of_a_chart_of_names_are_measured(drawn, monkeypatch):
    asked = []
    real = vl_convert.vegalite_to_svg
    monkeypatch.setattr(
        vl_convert, "vegalite_to_svg", lambda spec, **how: asked.append(spec) or real(spec, **how)
    )
    (chart,) = (one for one in drawn if one.name == "dice_vs_total_kj")

    _render.svg(chart)
    measured = ElementTree.fromstring(real(asked[0], vl_version=_render.VL_VERSION))
    words = [word for _, words in texts_of(measured) for word in words]

    labels = {row["text"] for name, rows in chart.spec["datasets"].items() for row in rows if "text" in row}
    assert labels
    assert labels.isdisjoint(words)
    assert not any("NVIDIA" in word for word in words)


@pytest.mark.slow
def test_marks_look_as_they_were_drawn_and_a_group_says_once_what_they_have_in_common(drawn, papers, of_vega):
    def look(attributes):
        names = [name for name in attributes if name.startswith(("fill", "stroke", "font"))]
        return {name: re.sub(r"url\(.*", "a gradient", attributes[name]) for name in names}

    said, said_alone = 0, 0
    for chart in drawn:
        marks, marks_alone = (
            [
                (one, look(its))
                for one, its in looks(ElementTree.fromstring(made[chart.name]))
                if one.tag in MARKS
            ]
            for made in (papers, of_vega)
        )

        assert [shown for _, shown in marks] == [shown for _, shown in marks_alone]
        said += sum(len(look(one.attrib)) for one, _ in marks)
        said_alone += sum(len(look(one.attrib)) for one, _ in marks_alone)
    assert said < said_alone / 2


def test_a_label_is_drawn_once_and_its_halo_lies_below_it(drawn, pages):
    for chart in drawn:
        data = chart.spec["datasets"]
        labels = [row["text"] for name in data if name.startswith("labels") for row in data[name]]
        shown = looks(ElementTree.fromstring(pages[chart.name]))
        with_halo = [
            (one.text, look)
            for one, look in shown
            if one.tag == f"{SVG}text" and one.text and "stroke" in look
        ]

        assert sorted(text for text, _ in with_halo) == sorted(labels)
        assert {look["paint-order"] for _, look in with_halo} == ({"stroke"} if labels else set())
    assert "paint-order" in pages["dice_vs_total_kj"]


def test_names_and_headings_that_are_too_long_are_cut_where_they_stand_and_whole_in_the_table():
    network = "network_" * 6
    long = f"{network}-baseline"
    told = found([trained(long, [0.5], [2.0]), trained("unet-baseline", [0.9], [20.0])])
    told.data["energy"]["hardware"] = {
        "gpus": [{"name": "a GPU of a long name " * 5, "power_limit_watts": 7.0}]
    }
    model = model_of(told)

    (chart,) = parts.draw(model)
    texts = [one.text for one in ElementTree.fromstring(_render.svg(chart)).iter(f"{SVG}text") if one.text]

    assert long in {cell for row in chart.rows for cell in row}, chart.rows
    assert [text for text in texts if text.startswith("network_")] == [f"{network[:22]} … {network[-9:]}"]
    (title,) = (text for text in texts if "a GPU" in text)
    assert " … " in title
    assert len(title) <= 660 / 8


def test_a_picture_has_two_pixels_to_a_unit_of_the_drawing():
    (chart,) = dice_vs_total_kj.draw(model_of(found(cases())))
    pixels = _render.png(chart)

    width = int.from_bytes(pixels[16:20], "big")
    drawing = ElementTree.fromstring(_render.svg(chart, "paper"))

    assert width == pytest.approx(2 * float(drawing.get("width")), abs=2)


def test_a_hollow_mark_is_drawn_hollow_and_says_why_on_hover():
    (chart,) = dice_vs_total_kj.draw(model_of(found(cases())))
    root = ElementTree.fromstring(_render.svg(chart))

    marks = {
        title.text.partition(":")[0]: (look.get("fill-opacity"), title.text)
        for mark, look in looks(root)
        if mark.tag == f"{SVG}path"
        for title in mark.findall(f"{SVG}title")
    }

    assert marks["sqnet-baseline"][0] == "0"
    assert "throttled" in marks["sqnet-baseline"][1]
    assert {marks[case][0] for case in marks if case != "sqnet-baseline"} == {"1"}


def test_records_that_hold_scripts_and_controls_are_drawn_as_text():
    name = HOSTILE + "x" * 1_000_000
    odd = [trained(f"{HOSTILE}{n}-{name}", [0.5 + n / 10], [2.0 + n]) for n in range(3)]
    for case in odd:
        case["domains"] = [domain([2000.0], source=HOSTILE, domain=HOSTILE)]
        case["validity"] = {"ok": False, "invalid": [name] * 50, "notes": []}
        case["setup"] = [{"ladder": name}, name]
    unet = trained("unet-baseline", [0.9], [20.0]) | {"task": odd[0]["task"]}
    told = found([*odd, unet])
    told.data["energy"]["hardware"] = {"gpus": [{"name": name, "power_limit_watts": 7.0}]}

    for chart in charts.draw(model_of(told)).charts:
        text = _render.svg(chart)

        assert "<script" not in text
        assert "<img" not in text
        assert len(text) < 200_000
        ElementTree.fromstring(text)
        assert json.loads(json.dumps(chart.spec, allow_nan=False))


def test_figures_at_the_ends_of_what_a_float_holds_cost_no_chart():
    extreme = (5e-324, 1e-300, 0.0, -1e308, 1.7e308, 1e12, 1e-9)
    names = ("dice", "total_kj", "kj_per_epoch", "seconds", "mean_watts", "idle_kj", "peak_rss_mib")
    points = [
        Point(f"n{n}-baseline", f"n{n}", "baseline", figures={
            name: Figure(value, (-value, value), (value, value)) for name in names
        })
        for n, value in enumerate(extreme)
    ]  # fmt: skip
    unet = point("unet-baseline", **dict.fromkeys(names, 0.9))

    for chart in charts.draw(Model((panel([*points, unet]),))).charts:
        ElementTree.fromstring(_render.svg(chart))


@pytest.mark.slow
def test_five_machines_of_800_cases_are_drawn_small_and_soon():
    some = [
        point(
            f"net{n}-tech{n % 40}", dice=0.5 + n / 2000, total_kj=1.0 + n, seconds=2.0 + n, mean_watts=200.0,
            kj_per_epoch=0.1 + n, dice_loss_vs_unet_pct=1.0, peak_gpu_mib=100.0 + n,
        )
        for n in range(799)
    ]  # fmt: skip
    unet = point("unet-baseline", dice=0.9, total_kj=99.0, seconds=9.0, mean_watts=99.0, peak_gpu_mib=9.0)
    panels = tuple(panel([*some, unet], machine=f"machine {n}") for n in range(5))

    begun = time.process_time()
    texts = [_render.svg(chart) for chart in charts.draw(Model(panels)).charts]
    spent = time.process_time() - begun

    assert sum(map(len, texts)) < 3_500_000
    assert spent < 60  # 8 s on a quiet machine; a quadratic way takes minutes


def test_listing_the_charts_imports_neither_altair_nor_a_renderer():
    heavy = "{'altair', 'vl_convert', 'PIL', 'pandas'}"
    code = f"import sys, energy.report.charts as c; c.names(); print(sorted({heavy} & set(sys.modules)))"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_overlays_in_a_page_are_pictures_inside_of_it(tmp_path):
    (chart,) = overlays.draw(Model((), overlays=saved(tmp_path / "p")))

    text = _render.svg(chart)

    assert text.count('xlink:href="data:image/png;base64,') == 3
    assert MEASURED not in text
