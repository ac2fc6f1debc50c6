"""The report as a file: what its tables say, what it may load, what it does with what it cannot use."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.__main__ import main
from energy.measuring import machine
from energy.records.metrics import summarise_metric
from energy.records.storage import gather
from energy.records.storage.store import Store
from energy.report import groups
from energy.report.charts import _workers
from energy.report.page import build, choosing, overview
from tests.simulated import reports
from tests.simulated.pages import parsed
from tests.simulated.records import COMMIT, block, domain, failed, modelled, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"
H200 = {"gpus": [{"name": "NVIDIA H200", "power_limit_watts": 700.0}], "cpu": "AMD EPYC", "cores": 96}


def trained(case, dice, kj, **changes):
    """A training of one seed that reached a Dice for some kilojoules."""
    figures = {"dice": [dice], "total_kj": [kj], "kj_per_epoch": [kj / 2], "seconds": [10 * kj]}
    metrics = {name: summarise_metric(name, values) for name, values in figures.items()}
    return record(case, metrics=metrics, domains=[domain([1000 * kj])], **changes)


def on_gpu(records):
    data = run(records, GPU, day=4)
    data["energy"]["hardware"] = H200
    return data


def fill(root):
    """Make a results folder: five cases on a CPU, one failed and one invalid, and two on a GPU."""
    store = Store(root)
    invalid = trained("enet-cache", 0.99, 0.1, validity={"ok": False, "invalid": ["throttled"], "notes": []})
    cases = [trained("unet-baseline", 0.9, 10.0), trained("enet-baseline", 0.88, 2.0)]
    cases += [trained("cgnet-baseline", 0.6, 1.0), invalid, failed("unet-bf16")]
    store.write(run(cases, CPU, day=3), "main")
    store.write(on_gpu([trained("unet-baseline", 0.91, 4.0), trained("enet-baseline", 0.7, 3.0)]))
    return store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return fill(tmp_path / "results")


@pytest.fixture
def report(capsys):
    def call(*arguments):
        code = main(["report", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    fill(folder / "results")
    assert main(["report", str(folder / "results"), "-o", str(folder / "report.html")]) == 0
    return parsed((folder / "report.html").read_text())


def results_in(html):
    return json.loads(re.search(r'<script type="application/json" id="results">(.*?)</script>', html)[1])


def test_it_says_what_it_wrote(store, report, no_charts):
    code, out, err = report("results", "-o", "here/page.html")

    assert (code, err) == (0, "")
    assert re.fullmatch(r"here/page.html: 7 cases of 2 runs, \d+ charts, \d+\.\d MiB\n", out)
    assert (store.root.parent / "here" / "page.html").is_file()


def test_the_same_results_make_the_same_page_byte_for_byte(store, report):
    report("-o", "page.html")
    first = (store.root.parent / "page.html").read_bytes()
    report("-o", "page.html")

    assert (store.root.parent / "page.html").read_bytes() == first


@pytest.mark.parametrize(
    ("more", "processes", "here"), [(0, 2, False), (1, 2, True), (0, 1, True)], ids=["many", "few", "alone"]
)
@pytest.mark.slow
def test_many_results_are_drawn_by_other_processes_if_the_caller_has_some(
    store, monkeypatch, more, processes, here
):
    page = build.report(["results"], build.Choices("it"))
    drawn_here = []
    alone = _workers.alone
    monkeypatch.setattr(_workers, "alone", lambda work, some: drawn_here.extend(some) or alone(work, some))
    held = sum(path.stat().st_size for path in gather.list_files(["results"]))
    monkeypatch.setattr(build, "MANY_BYTES", held + more)

    made = build.report(["results"], build.Choices("it", processes=processes))

    assert made.html == page.html
    assert len(drawn_here) == (len(made.drawn.charts) if here else 0)


def test_the_command_asks_for_as_many_processes_as_there_are_cores_and_four_at_most(
    store, report, no_charts, monkeypatch
):
    asked = []
    real = build.report
    monkeypatch.setattr(
        build, "report", lambda sources, how: asked.append(how.processes) or real(sources, how)
    )
    for cores in (1, 3, 64):
        monkeypatch.setattr(machine, "physical_cores", lambda cores=cores: cores)
        report()

    assert asked == [1, 3, 4]


def test_a_case_stands_in_the_table_of_its_machine_with_its_figures(page):
    rows = page.table("case", "Dice", "kJ/epoch", "total kJ")

    assert [row[:1] + row[3:4] for row in rows[:4]] == [
        ["enet-cache", "0.100"],
        ["cgnet-baseline", "1.00"],
        ["enet-baseline", "2.0"],
        ["unet-baseline", "10.0"],
    ]


def test_a_failed_case_has_no_figure_and_stands_with_its_reason(page):
    (failure,) = [row for row in page.table("case", "Dice") if row[0] == "unet-bf16"]
    problems = {row[0]: row[1:] for row in page.table("case", "machine", "what", "why")}

    assert failure[1].startswith("oom [")
    assert set(failure[2:]) <= {"–", ""}
    assert problems["unet-bf16"][1] == "oom"
    assert "tried to allocate 2 GiB" in problems["unet-bf16"][2]
    assert problems["enet-cache"][1:] == ["invalid", "throttled"]
    assert len(problems) == 2


def test_a_gpu_is_named_with_its_enforced_power_limit_and_its_meters(page):
    rows = page.table("machine", "joules")

    assert {row[0] for row in rows} == {f"NVIDIA H200 at 700 W{GPU}", f"AMD EPYC, 2 cores{CPU}"}
    assert {row[1] for row in rows} == {"measuredrapl"}


def test_flagged_and_failed_cases_are_never_chosen(page):
    chosen = {cell for row in page.table("limit", "train") for cell in row}

    assert "enet-cache" not in chosen
    assert "unet-bf16" not in chosen


def test_the_table_of_choices_answers_without_a_script(page):
    rows = next(rows for rows in page.tables if rows[0][:2] == ["limit", "train"])[1:]

    assert [row[:2] for row in rows] == [
        ["Dice 0.5 to 0.6", "cgnet-baseline"],
        ["Dice 0.7 to 0.85", "enet-baseline"],
        ["Dice 0.9", "unet-baseline"],
        ["Dice 0.925 to 0.95", "none"],
    ]


def test_every_section_and_table_can_be_named_by_a_screen_reader(page):
    assert page.named("html") == [{"lang": "en"}]
    assert [len(page.named(tag)) for tag in ("h1", "main", "header", "footer", "nav")] == [1] * 5
    assert all("aria-labelledby" in section for section in page.named("section"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {name for _, a in page.tags for name in (a.get("aria-labelledby") or "").split()}
    assert named <= set(ids)
    assert {link["href"][1:] for link in page.named("a")} <= set(ids)
    assert all(header.get("scope") in ("col", "row") for header in page.named("th"))


def test_it_loads_nothing_and_runs_only_its_own_scripts(page):
    addresses = [
        a[name] for _, a in page.tags for name in ("src", "href", "action", "xlink:href") if name in a
    ]
    (policy,) = [a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = [text for tag, text in page.texts if tag == "script" and '"use strict"' in text]

    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts} == allowed


def test_the_data_in_the_page_are_those_of_the_records(store, report, no_charts):
    report()
    data = results_in((store.root.parent / "report.html").read_text())

    (cpu,) = [group for group in data["groups"] if group["fingerprint"] == CPU]
    figures = {case["case"]: dict(zip(cpu["metrics"], case["means"], strict=True)) for case in cpu["cases"]}
    assert figures["enet-baseline"]["dice"] == 0.88
    assert figures["enet-baseline"]["total_kj"] == 2.0
    assert figures["unet-bf16"] == dict.fromkeys(cpu["metrics"])
    options = {cpu["cases"][option[0]]["case"] for option in cpu["options"]}
    assert options == {"unet-baseline", "enet-baseline", "cgnet-baseline"}


def test_measured_and_modelled_stand_in_tables_of_their_own(tmp_path):
    half = trained("enet-baseline", 0.8, 0.001) | {"domains": [modelled([1.0])]}
    Store(tmp_path).write(run([trained("unet-baseline", 0.9, 1.0), half]))

    made = groups.of_runs(gather.read_runs([tmp_path])[0])

    assert {(group.kind, group.entries[0].case) for group in made} == {
        ("measured", "unet-baseline"),
        ("modelled", "enet-baseline"),
    }


def test_other_budgets_and_other_data_are_never_compared(tmp_path):
    budget = record()["budget"]
    for day, changes in enumerate(
        (
            {},
            {"budget": {**budget, "epochs": 50}},
            {"budget": {**budget, "image_size": 256}},
            {"keys": {**record()["keys"], "data": "0ther"}},
            {"task": "inference"},
            {"budget": {**budget, "seeds": [5]}},
        ),
        start=1,
    ):
        Store(tmp_path).write(run([trained("unet-baseline", 0.9, 1.0, **changes)], day=day))

    made = groups.of_runs(gather.read_runs([tmp_path])[0])

    assert [len(group.entries) for group in made] == [1] * 5


def test_the_newest_record_of_a_case_stands_and_an_interrupted_one_replaces_none(tmp_path):
    store = Store(tmp_path)
    error = {"type": "KeyboardInterrupt", "message": "", "seconds": 1.0}
    store.write(run([trained("unet-baseline", 0.5, 1.0), trained("enet-baseline", 0.5, 1.0)], day=1))
    store.write(run([trained("unet-baseline", 0.9, 2.0), failed("enet-baseline")], day=2))
    store.write(run([failed("unet-baseline", "interrupted") | {"error": error}], day=3))

    (group,) = groups.of_runs(gather.read_runs([tmp_path])[0])

    entries = {entry.case: entry for entry in group.entries}
    assert entries["unet-baseline"].mean("dice") == 0.9
    assert entries["enet-baseline"].record["status"] == "oom"


def sentences(path):
    """Return what stands at the top of a page made of one results folder."""
    return overview.lead(groups.of_runs(gather.read_runs([path])[0]))


def test_the_page_begins_with_the_cheapest_case_that_keeps_u_nets_dice(store):
    told, gpu, cpu = sorted(sentences(store.root), key=lambda text: text.startswith(("AMD", "NVIDIA")))

    if gpu.startswith("AMD"):
        gpu, cpu = cpu, gpu
    assert "the energy is measured" in told
    assert (
        "enet-baseline reaches Dice 0.880 (U-Net 0.900) for 20 % of U-Net's kilojoules (measured, machine)"
        in cpu
    )
    assert "One seed:" in cpu
    assert "different runs" not in cpu
    assert "no case keeps 95 % of U-Net's Dice for less energy" in gpu


def test_cases_of_different_runs_are_compared_with_a_warning(tmp_path):
    store = Store(tmp_path)
    store.write(run([trained("unet-baseline", 0.9, 10.0)], day=1))
    store.write(run([trained("enet-baseline", 0.9, 1.0)], day=2))

    assert "The two are of different runs" in sentences(tmp_path)[1]


def test_the_unets_repeats_of_other_seeds_are_not_held_against_a_case_of_one(tmp_path):
    """Over seeds 0 to 2 U-Net has Dice 0.6; the case ran seed 0 alone, where U-Net has 0.8."""
    unet = reports.trained("unet-baseline", [0.8, 0.5, 0.5], [20.0, 40.0, 40.0])
    worse = reports.trained("enet-baseline", [0.7], [1.0])
    better = reports.trained("segnet-baseline", [0.78], [4.0])
    Store(tmp_path).write(run([unet, worse, better], day=1))

    (said,) = sentences(tmp_path)[1:]

    assert "segnet-baseline reaches Dice 0.780 (U-Net 0.800) for 20 % of U-Net's kilojoules" in said
    assert "One seed:" in said
    assert "Only the seeds that both have are compared (0)." in said


def test_a_unet_that_learned_nothing_praises_no_other_case(tmp_path):
    Store(tmp_path).write(run([trained("unet-baseline", 0.0, 10.0), trained("enet-baseline", 0.0, 1.0)]))

    assert "U-Net has Dice 0, with which nothing can be compared" in sentences(tmp_path)[1]


def test_a_number_that_no_float_holds_makes_a_file_unusable(store, report, no_charts):
    data = run([trained("unet-baseline", 0.9, 1.0)], CPU)
    data["benchmarks"][0]["extra_info"]["energy"]["metrics"]["total_kj"]["mean"] = 10**400
    (store.root / CPU / "0009_x.json").write_text(json.dumps(data))

    code, out, _ = report()

    assert code == 0
    assert "0009_x.json: total_kj: a number beyond 1e308" in out


def test_a_table_says_that_its_cases_are_of_several_runs_and_sets_of_libraries(store, report, no_charts):
    other = record()["keys"] | {"software": "0ther"}
    store.write(run([trained("dabnet-baseline", 0.7, 0.5, keys=other)], CPU, day=5))

    report()

    told = parsed((store.root.parent / "report.html").read_text()).text("p")
    (runs,) = [text for text in told if "2 runs" in text]
    assert f"{CPU}/0001_main, {CPU}/0002_01234567" in runs
    assert len([text for text in told if "2 sets of libraries" in text]) == 1


def test_damaged_and_newer_files_are_listed_with_their_reason(store, report, no_charts):
    (store.root / CPU / "0009_x.json").write_text("{")
    newer = run([record()], CPU)
    newer["energy"]["schema"] = 2
    (store.root / CPU / "0010_x.json").write_text(json.dumps(newer))

    code, out, _ = report()

    page = parsed((store.root.parent / "report.html").read_text())
    listed = [text for text in page.text("li") if "_x.json" in text]
    assert code == 0
    assert "damaged" in listed[0]
    assert "newer joulebench" in listed[1]
    assert out.count("not used: ") == 2


@pytest.mark.parametrize("content", [None, "{", json.dumps({"benchmarks": [], "commit_info": COMMIT})])
def test_nothing_usable_is_a_mistake_with_what_to_do(tmp_path, monkeypatch, report, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / CPU).mkdir(parents=True)
    if content:
        (tmp_path / "results" / CPU / "0001_x.json").write_text(content)

    code, out, err = report()

    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert re.search("run a benchmark|damaged", err)
    assert not (tmp_path / "report.html").exists()


def test_a_name_that_means_nothing_is_a_mistake(store, report):
    code, _, err = report("reslts")

    assert code == 4
    assert "reslts" in err


def test_without_the_extra_it_says_what_to_install(store, report, monkeypatch):
    monkeypatch.setattr(build, "EXTRA", ("jinja2", "not_there"))

    code, _, err = report()

    assert (code, err) == (4, 'joulebench: a report needs not_there: pip install "joulebench[report]"\n')


def test_a_page_that_cannot_be_written_is_a_mistake(store, report, no_charts):
    code, _, err = report("-o", "results")

    assert code == 4
    assert err.startswith("joulebench: results cannot be written")


def test_an_unfinished_run_of_a_journal_is_shown_as_such(store, report, no_charts):
    from energy.records.storage import journal

    path = store.journal(CPU)
    time = "2026-01-09T00:00:00+00:00"
    journal.append_event(
        path, {"event": "start", "run": "c0ffee", "time": time, "energy": block(finished=None)}
    )
    journal.append_event(
        path, {"event": "case", "run": "c0ffee", "record": trained("dabnet-baseline", 0.7, 0.5)}
    )

    report()

    page = parsed((store.root.parent / "report.html").read_text())
    assert "dabnet-baseline" in [row[0] for row in page.table("case", "Dice")]
    assert any("(did not end)" in row[0] for row in page.table("run", "stored"))


OPTIONS = st.lists(
    st.builds(
        choosing.Candidate,
        st.none(),
        st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.71, 0.9, 1.0]),
        st.sampled_from([0.0, 0.1, 0.2, 1.0, 3.0, 1000.0]),
    ),
    max_size=8,
)


@given(OPTIONS, st.floats(0, 1))
def test_the_cheapest_keeps_the_limit_and_nothing_that_keeps_it_is_cheaper(options, limit):
    chosen = choosing.cheapest(options, limit)

    enough = [option for option in options if option.dice >= limit]
    assert (chosen is None) == (not enough)
    assert chosen is None or chosen.dice >= limit
    assert all((chosen.kj, -chosen.dice) <= (option.kj, -option.dice) for option in enough)


@given(OPTIONS, st.floats(0, 2000))
def test_the_best_keeps_the_limit_and_nothing_that_keeps_it_is_better(options, limit):
    chosen = choosing.best(options, limit)

    affordable = [option for option in options if option.kj <= limit]
    assert (chosen is None) == (not affordable)
    assert chosen is None or chosen.kj <= limit
    assert all((-chosen.dice, chosen.kj) <= (-option.dice, option.kj) for option in affordable)


@given(OPTIONS)
def test_the_steps_answer_as_the_question_does_at_every_limit(options):
    for steps, question in (
        (choosing.dice_steps(options), choosing.cheapest),
        (choosing.kj_steps(options), choosing.best),
    ):
        for step in steps:
            assert [question(options, limit) for limit in step.limits] == [step.winner] * 2
