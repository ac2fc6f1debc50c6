"""The report in a browser: headless Chromium, driven by Playwright.

Skipped where there is no Chromium; `.ci/run` installs Debian's.
"""

import contextlib
import json
import random
import shutil
from pathlib import Path

import pytest

from energy.__main__ import main
from energy.records.metrics import summarise_metric
from energy.records.storage import gather
from energy.records.storage.store import Store
from energy.report import groups
from energy.report.page import build, choosing, drawing, page
from tests.commands.test_serve import begin, end_case, serving
from tests.simulated.records import domain, failed, modelled, record, run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

RESULTS = Path(__file__).parents[2] / "results"
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
MACHINES = {"h200-700w-3f2a": ("NVIDIA H200", 700.0), "a100-400w-77aa": ("NVIDIA A100", 400.0)}


def trained(case, dice, kj, share=None):
    """A training that reached a Dice for some kilojoules, with all that charts want."""
    figures = {"dice": dice, "total_kj": kj, "kj_per_epoch": kj / 2, "seconds": 10 * kj, "mean_watts": 100.0}
    figures |= {"dice_loss_vs_unet_pct": 100 * (0.9 - dice) / 0.9, "dice_per_kj": dice / kj}
    metrics = {name: summarise_metric(name, [value]) for name, value in figures.items()}
    parts = [domain([1000 * kj])] if share is None else [modelled([1000 * kj])]
    return record(case, metrics=metrics, domains=parts)


def fill(root):
    """Two GPUs, figures from a seed, and the newest committed results of each CPU."""
    chance = random.Random(7)
    for day, (fingerprint, (name, watts)) in enumerate(MACHINES.items(), start=2):
        cases = [trained("unet-baseline", 0.9, 20.0)]
        for arch in ("enet", "cgnet", "segnet"):
            for technique in ("baseline", "novograd"):
                cases.append(trained(f"{arch}-{technique}", chance.uniform(0.3, 0.95), chance.uniform(1, 30)))
        invalid = trained("sqnet-baseline", 0.94, 0.5) | {
            "validity": {"ok": False, "invalid": ["throttled"], "notes": []}
        }
        data = run([*cases, invalid, failed("unet-muon")], fingerprint, day)
        data["energy"]["hardware"] = {"gpus": [{"name": name, "power_limit_watts": watts}], "cpu": "x"}
        Store(root).write(data)
    newest = {path.parent.name: path for path in sorted(RESULTS.glob("*/[0-9]*_*.json"))}
    for machine, path in newest.items():
        (root / machine).mkdir()
        shutil.copy(path, root / machine)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("browser") / "results"
    fill(root)
    return root


@pytest.fixture(scope="module")
def write_report(results):
    """Write the report as images, or the one whose charts answer; drawn once, since that takes seconds."""
    runs, unusable = gather.read_runs([results])
    made = groups.of_runs(runs)
    begun = drawing.begin(made, runs, interactive=True)
    images = drawing.as_drawings(begun)

    def write(name, interactive=False):
        path = results.parent / f"{name}.html"
        live = page.Live(page.bundle("interactive.js"), drawing.specs(begun)) if interactive else None
        contents = page.contents(made, runs, unusable)
        build.write(page.fill_page(contents, images, command="joulebench report", live=live), path)
        return path

    return write


@pytest.fixture(scope="module")
def report(write_report):
    return write_report("report")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, report):
    """Open a page; give it, with what it asked for and what it said on the console."""
    with contextlib.ExitStack() as stack:

        def call(path=report, url=None, **options):
            context = browser.new_context(viewport=DESKTOP, **options)
            stack.callback(context.close)
            page = context.new_page()
            page.asked, page.said = [], []
            page.on("request", lambda request: page.asked.append(request.url))
            page.on("console", lambda message: page.said.append(message.text))
            page.on("pageerror", lambda error: page.said.append(str(error)))
            page.on("dialog", lambda dialog: page.said.append(f"dialog {dialog.message}"))
            page.goto(url or path.as_uri())
            return page

        yield call


def slid(page, slider, positions, column):
    """Move a slider to each position; return what then stands in a column of the table of choices."""
    return page.evaluate(
        """([slider, positions, column]) => positions.map((position) => {
            const it = document.querySelector(slider);
            it.value = position;
            it.dispatchEvent(new Event("input"));
            const rows = document.querySelectorAll("#chosen tbody tr");
            return Array.from(rows, (row) => row.cells[column].innerText);
        })""",
        [slider, positions, column],
    )


def shown(page, selector):
    """Count the elements that are to be seen."""
    return page.eval_on_selector_all(selector, "all => all.filter((one) => one.checkVisibility()).length")


def column(page, table, number):
    return page.eval_on_selector_all(
        f"{table} tbody tr", f"rows => rows.map(row => row.cells[{number}].innerText.trim())"
    )


def test_the_page_opens_without_an_error_and_without_a_request(opened, report):
    page = opened()

    assert page.said == []
    assert page.asked == [report.as_uri()]
    assert page.evaluate("document.cookie") == ""


@pytest.mark.slow
def test_every_chart_is_drawn(opened, results):
    page = opened()

    charts = page.locator(".chart > svg").all()
    names = page.eval_on_selector_all("figure", "all => all.map(one => one.id)")
    boxes = [chart.bounding_box() for chart in charts]
    marks = [chart.locator("path, text, rect, image").count() for chart in charts]
    assert len(charts) == len(names) >= 3
    assert {"dice_vs_kj_per_epoch", "dice_vs_total_kj"} <= {name.split("-")[0] for name in names}
    assert all(box["width"] > 150 and box["height"] > 80 for box in boxes), dict(
        zip(names, boxes, strict=True)
    )
    assert all(count > 10 for count in marks)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.slow
def test_text_in_charts_stands_out_from_the_page(opened, scheme):
    page = opened(color_scheme=scheme)

    ink, card = page.evaluate(
        """() => { const chart = document.querySelector(".chart"), title = chart.querySelector("svg text");
        return [getComputedStyle(title).fill, getComputedStyle(chart).backgroundColor]; }"""
    )

    assert contrast(ink, card) >= 4.5


def contrast(one, other):
    """Return the contrast ratio of WCAG 2.2 of two colours "rgb(r, g, b)"."""
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    shares = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_sliders_answer_as_python_does(opened, results):
    page = opened()
    made = groups.of_runs(gather.read_runs([results])[0])
    # A group that offers nothing to choose (a ladder, runs that all failed) has no line.
    options = list(filter(None, map(choosing.candidates, made)))
    assert len(options) > 3

    limits = [step / 200 for step in range(0, 201, 4)]
    answers = slid(page, "#least-dice", limits, 2)
    for limit, answer in zip(limits, answers, strict=True):
        winners = (choosing.cheapest(known, limit) for known in options)
        assert answer == [winner.entry.case if winner else "no case reaches it" for winner in winners]

    known_kj = [option.kj for known in options for option in known if option.kj > 0]
    least, most = min(known_kj) / 1.05, max(known_kj) * 1.05
    positions = list(range(0, 1001, 20))
    answers = slid(page, "#most-kj", positions, 5)
    for position, answer in zip(positions, answers, strict=True):
        winners = (choosing.best(known, least * (most / least) ** (position / 1000)) for known in options)
        assert answer == [winner.entry.case if winner else "no case is that cheap" for winner in winners]
    assert len(set(map(tuple, answers))) > 3


def test_python_and_javascript_choose_alike_also_among_equals(opened):
    page = opened()
    chance = random.Random(3)
    levels = [0.0, 0.1, 0.1 + 0.2, 0.3, 0.7, 0.9, 1.0, 12.5]

    for _ in range(60):
        figures = [(chance.choice(levels), chance.choice(levels)) for _ in range(chance.randrange(7))]
        options = [choosing.Candidate(None, dice, kj) for dice, kj in figures]
        limit = chance.choice(levels)
        theirs = page.evaluate(
            """([figures, limit]) => { const options = figures.map(([dice, kj]) => ({ dice, kj }));
            return ["cheapest", "best"].map((name) => options.indexOf(choosing[name](options, limit))); }""",
            [figures, limit],
        )
        ours = [choosing.cheapest(options, limit), choosing.best(options, limit)]
        places = [next((n for n, one in enumerate(options) if one is chosen), -1) for chosen in ours]
        assert theirs == places, (figures, limit)


def test_measured_and_modelled_never_share_a_line_of_the_choice(opened, results):
    page = opened()

    lines = page.eval_on_selector_all("#chosen tbody tr", "rows => rows.map(row => row.cells[0].innerText)")
    kinds = column(page, "#chosen", 1)

    # The GPUs of `fill` are metered; the machines of the committed results have no meter.
    assert (
        sorted(kind for line, kind in zip(lines, kinds, strict=True) if "NVIDIA" in line) == ["measured"] * 2
    )
    assert {kind for line, kind in zip(lines, kinds, strict=True) if "NVIDIA" not in line} == {"modelled"}


def test_the_sliders_move_by_keyboard_and_say_their_figure(opened):
    page = opened()
    before = page.inner_text("#least-dice-is")
    page.focus("#least-dice")
    for _ in range(4):
        page.keyboard.press("ArrowRight")

    assert float(page.inner_text("#least-dice-is")) == pytest.approx(float(before) + 0.02)
    assert page.get_attribute("#most-kj", "aria-valuetext").endswith(" kJ")


def test_a_table_sorts_by_click_and_by_keyboard_with_unknown_last(opened):
    page = opened()
    failed = page.get_by_role("rowheader", name="unet-muon", exact=True)
    data = page.locator("section[aria-labelledby=cases] table").filter(has=failed).first
    kilojoules = [title.strip() for title in data.locator("thead th").all_inner_texts()].index("total kJ")
    header = data.locator("thead th").nth(kilojoules)

    header.locator("button").click()
    rising = figures_of(data, kilojoules)
    header.locator("button").focus()
    page.keyboard.press("Enter")
    falling = figures_of(data, kilojoules)

    known = [figure for figure in rising if figure is not None]
    assert header.get_attribute("aria-sort") == "descending"
    assert rising == sorted(known) + [None] * (len(rising) - len(known))
    assert falling == sorted(known, reverse=True) + [None] * (len(rising) - len(known))
    assert len(known) > 5
    assert None in rising
    assert rising != falling


def figures_of(table, number):
    return table.evaluate(
        """(table, number) => Array.from(table.tBodies[0].rows, (row) => row.cells[number].dataset.v)
        .map((text) => text === undefined ? null : Number(text))""",
        number,
    )


@pytest.mark.slow
def test_without_javascript_all_tables_and_charts_are_there(opened):
    with_scripts, without = opened(), opened(java_script_enabled=False)

    assert shown(without, ".chart > svg") == shown(with_scripts, ".chart > svg") >= 3
    assert without.locator("table").count() == with_scripts.locator("table").count()
    assert without.locator("tbody tr").count() == with_scripts.locator("tbody tr").count()
    assert not without.locator("#chooser").is_visible()
    assert with_scripts.locator("#chooser").is_visible()
    answers = without.locator("section[aria-labelledby=choosing] details").first.locator("table")
    assert answers.count() == 2
    assert answers.first.is_visible()
    without.locator("figure summary").first.click()
    assert shown(without, "figure table") == 1


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
@pytest.mark.slow
def test_axe_finds_no_violation(opened, viewport, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(color_scheme=scheme)
    page.set_viewport_size(viewport)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = !one.closest('figure')")
    page.evaluate("document.querySelector('figure details').open = true")

    # What a chart is made of is no text to be read: it is an image with a title; its ink has a test above.
    inside_charts = {"exclude": [[".chart > svg > g"]]}
    found = Axe().run(page, context=inside_charts).response["violations"]

    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.slow
def test_no_page_is_wider_than_the_screen(opened, width):
    page = opened()
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_tab_leads_past_the_navigation(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_paper_has_all_rows_and_no_controls(opened):
    page = opened()
    page.emulate_media(media="print")

    clipped = page.eval_on_selector_all(
        ".tall", "all => all.filter((one) => one.scrollHeight > one.clientHeight + 1).length"
    )

    assert clipped == 0
    assert not page.locator("#chooser").is_visible()
    assert not page.locator("nav").is_visible()


@pytest.mark.slow
def test_interactive_charts_replace_the_images_without_a_request(opened, write_report):
    path = write_report("interactive", interactive=True)
    page = opened(path)
    images = page.locator(".chart > svg").count()
    page.locator(".chart > .live:not([hidden]) > svg, .chart > .live:not([hidden]) .chart-wrapper > svg").nth(
        images - 1
    ).wait_for()

    assert page.said == []
    assert page.asked == [path.as_uri()]
    assert shown(page, ".chart > svg") == 0


@pytest.mark.slow
def test_the_served_page_follows_the_run(opened, tmp_path):
    path = tmp_path / "epyc-2c-cpu-91bc" / "journal.jsonl"
    begin(path)
    with serving(tmp_path) as (url, _):
        page = opened(url=url)
        assert page.inner_text("h1") == "No result yet"
        end_case(path, "enet-cache")
        page.wait_for_selector("text=enet-cache", timeout=120_000)  # a page takes long beside other work

        assert page.said == []
        assert {asked.removeprefix(url) for asked in page.asked} <= {"", "version.txt", "favicon.ico"}


HOSTILE = (
    "\"><img src=x onerror=alert(1)><script>alert(2)</script>'`</script><!--&amp;{{7*7}}\u2028\u202e\x00"
)


def hostile(case):
    """A record whose every text is an attack, and which lacks what it may lack."""
    bad = trained(case, 0.5, 1.0)
    bad |= {"arch": HOSTILE, "technique": HOSTILE, "task": HOSTILE, "case": case + HOSTILE}
    bad["validity"] = {"ok": False, "invalid": [HOSTILE, "'onload='alert(3)"], "notes": []}
    bad["metrics"]["temp_rise_c"] = summarise_metric("temp_rise_c", [None], HOSTILE)
    bad["metrics"][HOSTILE] = {"unit": HOSTILE, "better": None, "values": [1], "mean": 1, "ci95": None}
    bad["domains"][0] |= {"source": HOSTILE, "device": HOSTILE, "domain": HOSTILE}
    bad["keys"] = dict.fromkeys(("hardware", "software", "data", "case"), HOSTILE)
    bad["reference"] = {"case": HOSTILE, "dice": [0.5], "origin": f"stored: {HOSTILE}"}
    bad["setup"] = [HOSTILE, {"applied": [HOSTILE]}, {"applied": {"without_effect": [HOSTILE, 5]}}]
    return bad


@pytest.mark.slow
def test_hostile_records_are_text_and_nothing_else(opened, tmp_path, capsys):
    error = {"type": HOSTILE, "message": HOSTILE, "seconds": 1.0}
    data = run([hostile("a"), hostile("b"), failed("c") | {"error": error}, record("m" * 1_000_000)])
    data["energy"] |= {"command": HOSTILE, "suite_version": HOSTILE, "meters": [HOSTILE]}
    data["energy"]["hardware"] = {"gpus": [{"name": HOSTILE, "power_limit_watts": HOSTILE}], "cpu": HOSTILE}
    data["commit_info"]["id"] = HOSTILE
    data["machine_info"]["python_version"] = HOSTILE
    (tmp_path / "run.json").write_text(json.dumps(data))
    (tmp_path / "broken<img src=x onerror=alert(4)>.json").write_text("{")
    path = tmp_path / "report.html"

    code = main(["report", str(tmp_path / "*.json"), "-o", str(path), "--interactive"])

    page = opened(path)
    page.wait_for_timeout(500)
    assert code == 0
    assert page.said == []
    assert page.asked == [path.as_uri()]
    assert page.locator("img[onerror]").count() == 0
    assert page.evaluate("document.scripts.length") == 6  # three blocks of data and ours
    assert "alert(2)" in page.inner_text("main")
    assert path.stat().st_size < 5 * 2**20
    assert "run.json" not in capsys.readouterr().out
