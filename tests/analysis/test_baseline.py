"""Baselines: what may become one, that none changes by itself, and the commands that pin and unpin."""

import json
from pathlib import Path

import pytest

from energy.analysis.gates import baseline as baselines
from energy.analysis.gates.reference import find_side
from energy.analysis.gates.selection import Selection, make_relative, read_selection
from energy.records.keys import make_case_key, read_first_defaults, short_hash
from energy.records.schema import RecordError
from energy.records.storage.runfile import StoreError
from energy.records.storage.store import Store
from energy.records.summary import summarise_run
from tests.simulated.records import failed, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty results folder in the current folder."""
    monkeypatch.chdir(tmp_path)
    return Store(Path("results"))


def saved(store, *records, name=None, fingerprint=CPU, **block):
    """Save a run of these records, or of one good case, with changes to its file-level block."""
    data = run(list(records) or [record()], fingerprint)
    data["energy"] |= block
    return store.write(data, name)


def test_a_baseline_is_the_figures_of_the_run_it_was_made_from(store):
    path = saved(store, record(), record("unet-bf16"), failed("unet-fp16"))

    pinned = baselines.pin_run(store, "main", path, force=True)

    assert baselines.find_pin(store.root, "main", CPU).run == summarise_run(store.load(path), path)
    assert pinned.path == store.root / CPU / "baselines" / "main.json"
    assert baselines.read_pin(pinned.path).nodes["unet-bf16", "training"].endswith("test_training[unet-bf16]")
    assert pinned.overlooked == ("failed: unet-fp16 oom",)


def test_a_baseline_outlives_its_run_file(store):
    path = saved(store)
    before = baselines.pin_run(store, "main", path).run
    path.unlink()

    after = baselines.find_pin(store.root, "main", CPU).run

    assert after.cases == before.cases
    assert after.reference == before.reference


def test_a_baseline_of_before_has_todays_keys_while_its_run_file_is_there(store):
    """Case keys once held the seeds; the file has what is needed to make them anew, the baseline has not."""
    recipe, budget = {"arch": "unet"}, record()["budget"]
    old = short_hash({"recipe": recipe, "budget": budget, "target_dice": 0.8})
    was = record(recipe=recipe, setup=[{"target_dice": 0.8}], keys=record()["keys"] | {"case": old})
    path = saved(store, was)
    pinned = baselines.pin_run(store, "main", path)
    data = json.loads(pinned.path.read_text())
    data["run"]["cases"][0]["keys"]["case"] = old
    data["digest"] = baselines._digest_of(data)
    pinned.path.write_text(json.dumps(data))

    with_file = baselines.find_pin(store.root, "main", CPU).run.cases[0].keys["case"]
    path.unlink()
    alone = baselines.find_pin(store.root, "main", CPU).run.cases[0].keys["case"]

    assert with_file == make_case_key(recipe, read_first_defaults(), 1, budget, 0.8)
    assert alone == old


def test_saving_a_run_moves_no_baseline(store):
    first = baselines.pin_run(store, "main", saved(store))
    saved(store, name="main")

    assert baselines.find_pin(store.root, "main", CPU).run == first.run


def test_a_baseline_belongs_to_its_hardware(store):
    for fingerprint in (CPU, GPU):
        baselines.pin_run(store, "main", saved(store, fingerprint=fingerprint))

    assert baselines.find_pin(store.root, "main", CPU).run.fingerprint == CPU
    assert baselines.find_pin(store.root, "main", GPU).run.fingerprint == GPU
    assert baselines.find_pin(store.root, f"{GPU}/main").run.fingerprint == GPU
    assert baselines.find_pin(store.root, f"{GPU}/main", CPU) is None
    assert baselines.find_pin(store.root, "main", "a100-400w-0000") is None
    assert baselines.name_elsewhere(store.root, "main") == f"main is pinned for {CPU}, {GPU}"
    with pytest.raises(StoreError, match=f"means several: {CPU}/main, {GPU}/main"):
        baselines.find_pin(store.root, "main")


def test_compare_finds_a_baseline_by_its_name(store):
    baselines.pin_run(store, "release", saved(store))

    with store.index() as index:
        assert find_side(store, index, "release", CPU).run.reference == f"{CPU}/0001_01234567"


@pytest.mark.parametrize(
    ("records", "block", "dirty", "why"),
    [
        ([record(), failed("unet-fp16")], {}, False, "failed: unet-fp16 oom"),
        (
            [record(validity={"ok": False, "invalid": ["throttled"], "notes": []})],
            {},
            False,
            "invalid: unet-baseline throttled",
        ),
        ([record()], {"finished": None}, False, "it was interrupted"),
        ([record()], {}, True, "the checkout held changes"),
        (
            [record()],
            {"gated": {"base": None, "gates": [], "exit_code": 10, "findings": []}},
            False,
            "its own gates ended with 10, regression",
        ),
    ],
)
def test_what_speaks_against_a_run_keeps_it_from_becoming_a_baseline_unless_forced(
    store, records, block, dirty, why
):
    data = run(records)
    data["energy"] |= block
    data["commit_info"] = data["commit_info"] | {"dirty": dirty}
    path = store.write(data)

    with pytest.raises(StoreError, match=why) as refused:
        baselines.pin_run(store, "main", path)

    assert "--force pins it all the same" in str(refused.value)
    assert baselines.list_pins(store.root) == []
    assert any(why in text for text in baselines.pin_run(store, "main", path, force=True).overlooked)


@pytest.mark.parametrize("code", [0, 11, 12])
def test_what_could_not_be_told_does_not_keep_a_run_from_becoming_one(store, code):
    gated = {"base": None, "gates": [], "exit_code": code, "findings": []}

    baselines.pin_run(store, "main", saved(store, gated=gated))


def test_a_run_without_a_good_case_or_without_hardware_cannot_be_forced(store):
    bad = saved(store, failed("unet-fp16"))
    plain = run([record()])
    del plain["energy"]
    (store.root / CPU / "0002_plain.json").write_text(json.dumps(plain))

    with pytest.raises(StoreError, match="it has no good case"):
        baselines.pin_run(store, "main", bad, force=True)
    with pytest.raises(StoreError, match="a plain pytest-benchmark file"):
        baselines.pin_run(store, "main", store.root / CPU / "0002_plain.json", force=True)


@pytest.mark.parametrize("name", ["0007", "1st", "../main", "a/b", "", "ma in", ".main"])
def test_a_name_that_may_be_a_run_or_a_path_is_refused(store, name):
    with pytest.raises(StoreError, match="expected a letter"):
        baselines.pin_run(store, name, saved(store))


def test_a_run_file_that_changed_after_it_was_pinned_is_noticed(store):
    path = saved(store)
    baselines.pin_run(store, "main", path)

    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert baselines.find_pin(store.root, "main", CPU) is not None  # as a checkout on Windows writes it

    path.write_text(path.read_text().replace("12.3", "13.9"))
    with pytest.raises(RecordError, match=r"changed since the baseline main was made from it"):
        baselines.find_pin(store.root, "main", CPU)


def test_an_edited_or_damaged_baseline_is_noticed(store):
    pinned = baselines.pin_run(store, "main", saved(store)).path
    text = pinned.read_text()

    for damaged, told in [
        (text.replace("12.3", "13.9"), "edited since it was pinned"),
        (text[:-40], "damaged, no baseline"),
        ("[]", "damaged, or not ours"),
        (text.replace('"sources"', '"courses"', 1), "edited since it was pinned"),
        (text.replace('"schema": 1', '"schema": 2', 1), "written by a newer joulebench"),
    ]:
        pinned.write_text(damaged)
        with pytest.raises(RecordError, match=told):
            baselines.find_pin(store.root, "main", CPU)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seeds", ["0"]),
        ("keys", [1]),
        ("values", {"dice": ["high"]}),
        ("values", {"dice": [[]]}),
        ("case", 3),
    ],
)
def test_a_baseline_of_other_types_behind_a_right_digest_is_damaged(store, field, value):
    own = baselines.pin_run(store, "main", saved(store))
    data = json.loads(own.path.read_text())
    data["run"]["cases"][0][field] = value
    data["digest"] = baselines._digest_of(data)
    own.path.write_text(json.dumps(data))

    with pytest.raises(RecordError, match="damaged, no baseline"):
        baselines.read_pin(own.path)


def test_a_run_file_from_elsewhere_is_pinned_by_its_figures(store, tmp_path):
    path = saved(store)
    artefact = tmp_path / path.name
    artefact.write_text(path.read_text().replace("12.3", "13.9"))

    baselines.pin_run(store, "main", artefact)

    assert baselines.find_pin(store.root, "main", CPU).run.cases[0].values["total_kj"] == (13.9,)


# The command


def test_baseline_set_show_and_rm(store, joulebench):
    saved(store, record(), record("unet-bf16"))
    saved(store)

    code, out, _ = joulebench("baseline", "set", "main", "0001")
    assert code == 0
    assert f"{CPU}/main is {CPU}/0001_01234567 (2026-01-02, 01234567, 2 of 2 cases good)" in out
    code, out, _ = joulebench("baseline", "set", "main")
    assert code == 0
    assert f"before it was {CPU}/0001_01234567" in out
    assert "no longer in it: unet-bf16" in out
    assert joulebench("baseline", "show")[1].startswith(f"{CPU}/main: {CPU}/0002_01234567")
    assert joulebench("baseline", "rm", "main")[0] == 0
    assert (
        joulebench("baseline", "show")[1]
        == "nothing is pinned in results; pin a run: baseline set main RUN\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set",), "needs a NAME"),
        (("rm",), "needs a NAME"),
        (("rm", "nobody"), f"no baseline 'nobody' in results; pinned are {CPU}/main, {GPU}/main"),
        (("rm", "main"), f"main is pinned for {CPU}, {GPU}; say which by --hardware"),
        (("show", "nobody"), "no baseline 'nobody'"),
        (("show", "main", "0001"), "baseline show takes no RUN"),
        (("set", "main", "0009"), "unknown run '0009'"),
        (("pin", "main"), "invalid choice"),
    ],
)
def test_a_mistake_with_baselines_is_one_line_and_4(store, joulebench, arguments, told):
    for fingerprint in (CPU, GPU):
        baselines.pin_run(store, "main", saved(store, fingerprint=fingerprint))

    code, _, err = joulebench("baseline", *arguments)

    assert (code, err.count("\n")) == (4, 1)
    assert told in err


def test_a_damaged_baseline_can_be_set_anew_and_is_named_by_show(store, joulebench):
    path = baselines.pin_run(store, "main", saved(store)).path
    path.write_text("{")

    code, _, err = joulebench("baseline", "show")
    assert (code, "damaged, no baseline" in err) == (4, True)
    assert joulebench("baseline", "set", "main", "0001")[0] == 0
    assert joulebench("baseline", "show")[0] == 0


# What was asked for


ASKED = Selection(("benchmarks", "tests/test_a.py::test_x"), ("benchmarks/old",), frozenset({"unet-bf16"}))


@pytest.mark.parametrize(
    ("case", "node", "asked"),
    [
        ("unet", "benchmarks/test_training.py::test_training[unet]", True),
        ("unet-bf16", "benchmarks/test_training.py::test_training[unet-bf16]", False),
        ("unet", "benchmarks/old/test_training.py::test_training[unet]", False),
        ("unet", "benchmarks_of_others/test_training.py::test_training[unet]", False),
        ("x", "tests/test_a.py::test_x", True),
        ("x", "tests/test_a.py::test_x[1]", True),
        ("xy", "tests/test_a.py::test_xy", False),
        ("x", "tests/test_b.py::test_x", False),
        ("unet", None, False),
    ],
)
def test_a_case_is_asked_for_if_its_test_would_be_collected_and_nothing_leaves_it_out(case, node, asked):
    assert ASKED.asks_for(case, node) == asked
    assert read_selection(json.loads(json.dumps(ASKED.as_json()))).asks_for(case, node) == asked


def test_without_arguments_everything_is_asked_for():
    for selection in (
        Selection(),
        Selection(make_relative(["."], Path("/p"), Path("/p"))),
        read_selection(None),
    ):
        assert selection.asks_for("unet", "anywhere/test_a.py::test_b")
