"""`python -m energy check`: the list to tick off, and gates on stored runs with the exit codes of a run."""

import json
from pathlib import Path

import pytest

from energy.__main__ import main
from energy.analysis.gates import baseline as baselines
from energy.records.metrics import summarise_metric
from energy.records.storage.store import Store
from tests.simulated.records import domain, failed, modelled, record, run

NOISE = (0.99, 1.0, 1.01)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A results folder with a baseline of four cases with three repeats."""
    monkeypatch.chdir(tmp_path)
    store = Store(Path("results"))
    baselines.pin_run(store, "main", saved(store))
    return store


@pytest.fixture
def check(capsys):
    def call(*arguments):
        code = main(["check", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def repeated(name, factor=1.0, **changes):
    """Return the record of a case with three repeats."""
    kj = [10.0 * factor * noise for noise in NOISE]
    figures = {
        "total_kj": summarise_metric("total_kj", kj),
        "dice": summarise_metric("dice", [0.8, 0.81, 0.82]),
        "seconds": summarise_metric("seconds", [100.0, 101.0, 99.0]),
    }
    whole = record(name, metrics=figures, domains=[domain([1000 * value for value in kj])], epochs=[])
    budget = {**whole["budget"], "seeds": [0, 1, 2]}
    reference = {"case": "unet-baseline", "dice": [0.8, 0.81, 0.82], "origin": "this run"}
    return {**whole, "budget": budget, "reference": reference, **changes}


def saved(store, factors=None, extra=(), names=("a", "b", "c", "d"), **block):
    records = [repeated(f"{name}-baseline", (factors or {}).get(name, 1.0)) for name in names]
    data = run([*records, *extra])
    data["energy"] |= block
    return store.write(data)


@pytest.mark.parametrize(
    ("factors", "arguments", "code"),
    [
        ({}, ["--fail", "total_kj:5%"], 0),
        ({"c": 1.1}, ["--fail", "total_kj:5%"], 10),
        ({"c": 1.1}, ["--fail", "total_kj:5%", "--fail", "total_kj@^c-:15%"], 0),
        ({"c": 1.1}, ["--fail", "total_kj<=10.5"], 10),
        ({"c": 1.1}, ["--fail", "dice:0.01", "--strict"], 0),
        ({"c": 1.1}, ["--baseline", "main"], 0),
        ({"c": 1.1}, ["--compare", "0002", "--fail", "total_kj:5%"], 0),
        ({"c": 1.1}, ["0001", "--fail", "total_kj:5%"], 0),
    ],
)
def test_a_stored_run_is_held_against_gates_as_a_run_in_progress_is(store, check, factors, arguments, code):
    saved(store, factors)

    found, out, err = check(*arguments)

    assert (found, err) == (code, "")
    assert f"(exit code {code})" in out or "no gate" in out


def test_cases_that_are_gone_failed_or_flagged_are_13_and_14(store, check):
    saved(store, names="abc")
    assert check("--fail", "total_kj:5%")[0] == 13

    saved(store, names="abc", extra=[failed("d-baseline")])
    assert check("--fail", "total_kj:5%")[0] == 13
    assert check("--fail", "total_kj@^a:5%")[0] == 0

    invalid = repeated("d-baseline", validity={"ok": False, "invalid": ["throttled"], "notes": []})
    saved(store, names="abc", extra=[invalid])
    assert check("--fail", "total_kj:5%")[0] == 14


def test_what_the_run_was_not_asked_for_is_not_missing(store, check):
    saved(
        store, names="abc", selection={"paths": ["benchmarks"], "ignored": [], "deselected": ["d-baseline"]}
    )

    code, out, _ = check("--fail", "total_kj:5%")

    assert code == 0
    assert "1 cases of the base were not asked for here: d-baseline" in out


def test_without_a_baseline_12_counts_in_a_strict_check_only(store, check):
    for path in baselines.list_pins(store.root):
        path.unlink()

    code, out, err = check("--fail", "total_kj:5%")
    assert (code, "no baseline 'main' for this hardware" in err) == (0, True)
    assert "12 no comparable baseline" in out
    assert check("--fail", "total_kj:5%", "--strict")[0] == 12


def test_the_project_sets_gates_for_check_too(store, check):
    saved(store, {"c": 1.1})
    Path("pyproject.toml").write_text('[tool.joulebench]\nfail = ["total_kj:5%"]\n')

    assert check()[0] == 10


def test_the_command_line_outweighs_the_project(store, check):
    saved(store, {"c": 1.1})
    Path("pyproject.toml").write_text('[tool.joulebench]\nfail = ["total_kj:5%"]\n')

    assert check("--fail", "total_kj:15%")[0] == 0


def test_a_strict_comparison_without_gates_wants_every_case(store, check):
    saved(store, names="abc")

    assert check("--baseline", "main")[0] == 0
    assert check("--baseline", "main", "--strict")[0] == 13


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.joulebench]\nfial = []\n", "unknown key 'fial'; did you mean fail?"),
        ('[tool.joulebench]\nfail = "total_kj:5%"\n', 'expected fail = ["kj_per_epoch:5%"]'),
        ("[tool.joulebench]\nfail = [5]\n", "5: expected"),
        ('[tool.joulebench]\nstrict = "yes"\n', "expected strict = true or false"),
        ("[tool.joulebench]\nbaseline = 1\n", 'expected baseline = "main"'),
        (
            '[tool.joulebench]\nfail = ["total_kk:5%"]\n',
            "gate 'total_kk:5%' (pyproject.toml): unknown metric",
        ),
        ("[tool.joulebench\n", "not TOML"),
        ("[tool]\njoulebench = 3\n", "3: expected a table"),
        ("tool = 3\n", "3: expected a table"),
        ("x = " + "[" * 5000, "not TOML"),
    ],
)
def test_a_mistake_in_the_project_is_one_line_and_4(store, check, text, told):
    Path("pyproject.toml").write_text(text)

    code, _, err = check()

    assert (code, err.count("\n")) == (4, 1)
    assert told in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fail", "total_kk:5%"], "did you mean total_kj"),
        (["--fail", "total_kj@segnet:5%"], "'segnet' fits none of the 4 cases"),
        (["--baseline", "nobody"], "no baseline 'nobody'; pinned are epyc-2c-cpu-91bc/main"),
        (["--compare", "nobody", "--fail", "total_kj:5%"], "unknown run 'nobody'"),
        (["0099"], "unknown run '0099'"),
        (["--baseline", "main", "--compare", "0001"], "not allowed with"),
    ],
)
def test_a_mistake_is_one_line_and_4(store, check, arguments, told):
    code, _, err = check(*arguments)

    assert (code, err.count("\n")) == (4, 1)
    assert told in err


def points(out):
    """Return the word of each point of the list."""
    lines = [
        line for line in out.splitlines() if ": " in line and line[:7].strip() in ("ok", "NOT OK", "unknown")
    ]
    return {line[8:].partition(":")[0]: line[:7].strip() for line in lines}


def test_the_list_of_a_good_run_is_ticked_off(store, check):
    code, out, _ = check()

    assert code == 0
    assert points(out) == {
        "came to its end": "ok",
        "a commit tells what was run": "ok",
        "every case ended well": "ok",
        "every record is valid": "ok",
        "what widens a band is noted": "ok",
        "the total energy is known": "ok",
        "the meters saw at least 99% of every window": "ok",
        "a second meter agrees within 5%": "unknown",
        "joules are measured": "ok",
        "idle power was measured first": "ok",
        "every case was repeated, n = 3 or more": "ok",
        "all cases share hardware, software and data": "ok",
    }


@pytest.mark.parametrize(
    ("point", "word", "made"),
    [
        ("came to its end", "NOT OK", {"block": {"finished": None}}),
        ("a commit tells what was run", "NOT OK", {"dirty": True}),
        ("every case ended well", "NOT OK", {"records": [failed("unet-fp16")]}),
        (
            "every record is valid",
            "NOT OK",
            {"records": [repeated("e", validity={"ok": False, "invalid": ["shared_device"], "notes": []})]},
        ),
        (
            "the total energy is known",
            "NOT OK",
            {"records": [record(metrics={"seconds": summarise_metric("seconds", [1.0])})]},
        ),
        (
            "the meters saw at least 99% of every window",
            "NOT OK",
            {"records": [record(domains=[domain([1.0], coverage=0.98)])]},
        ),
        (
            "the meters saw at least 99% of every window",
            "unknown",
            {"records": [record(domains=[domain([1.0], coverage=None)])]},
        ),
        (
            "a second meter agrees within 5%",
            "ok",
            {"records": [record(domains=[domain([1.0]), domain([1.04], witness=True, disagreement=[0.04])])]},
        ),
        (
            "a second meter agrees within 5%",
            "NOT OK",
            {"records": [record(domains=[domain([1.0]), domain([0.9], witness=True, disagreement=[-0.1])])]},
        ),
        ("joules are measured", "NOT OK", {"records": [record(domains=[modelled([1.0])])]}),
        ("idle power was measured first", "NOT OK", {"block": {"idle": None}}),
        ("every case was repeated, n = 3 or more", "NOT OK", {"records": [record()]}),
        (
            "all cases share hardware, software and data",
            "NOT OK",
            {"records": [repeated("e", keys={**record()["keys"], "software": "other"})]},
        ),
    ],
)
def test_the_list_says_what_may_not_be_relied_on(store, check, point, word, made):
    data = run([repeated("a-baseline"), *made.get("records", [])])
    data["energy"] |= made.get("block", {})
    data["commit_info"] = data["commit_info"] | {"dirty": made.get("dirty", False)}
    store.write(data)

    assert points(check()[1])[point] == word


@pytest.mark.parametrize(("extra", "code"), [([], 0), ([failed("e-baseline")], 13)])
def test_without_gates_the_run_itself_is_checked(store, check, extra, code):
    saved(store, extra=extra)
    assert check()[0] == code

    saved(store, extra=[repeated("e", validity={"ok": False, "invalid": ["throttled"], "notes": []}), *extra])
    assert check()[0] == (code or 14)


def test_a_plain_file_has_nothing_to_check(store, check):
    plain = run([record()])
    del plain["energy"]
    Path("plain.json").write_text(json.dumps(plain))

    code, _, err = check("plain.json")

    assert (code, "holds no energy records" in err) == (4, True)
