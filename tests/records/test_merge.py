"""Shards joined again are the run that was parted; what does not belong together is refused."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.__main__ import main
from energy.records import schema
from energy.records.metrics import summarise_metric
from energy.records.storage import runfile
from energy.records.storage.merge import MergeError, merge_runs
from tests.simulated.records import COMMIT, block, failed, record

NAMES = ["unet-baseline", "unet-cache", "enet-baseline", "enet-cache", "segnet-baseline"]
ONLY_OF_A_PART = ("run", "started", "finished", "command", "idle", "shard", "merged")


def run(records, number=1, count=1, collected=NAMES, commit=COMMIT, **changes):
    """Return the run file of one shard."""
    shard = {"number": number, "count": count, "cases": list(collected)}
    own = {"run": f"run{number}", "shard": shard} | changes
    made = runfile.as_pytest_benchmark(
        records, block(**own), commit=commit, time=f"2026-01-0{number}T00:00:00"
    )
    return json.loads(json.dumps(made))


def reference(**changes):
    """Return the record of a reference that a case asked for."""
    return record("unet-baseline", node=None, **changes)


def without(run):
    """Leave out what each run says of itself."""
    whole = {name: value for name, value in run.items() if name not in ("datetime", "energy")}
    return whole, {name: value for name, value in run["energy"].items() if name not in ONLY_OF_A_PART}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_shards_joined_are_the_run_that_was_parted(data):
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=2, unique=True))
    seeds = list(range(data.draw(st.integers(1, 3))))
    values = st.lists(st.floats(0.1, 100.0), min_size=len(seeds), max_size=len(seeds))
    records = []
    for name in names:
        kj = data.draw(values)
        metrics = {"total_kj": summarise_metric("total_kj", kj), "seconds": summarise_metric("seconds", kj)}
        budget = {"seeds": seeds}
        made = record(name, metrics=metrics, budget=budget, epochs=[], domains=[], reference=None)
        records.append(failed(name) | {"budget": budget} if data.draw(st.booleans()) else made)
    count = data.draw(st.integers(2, 4))
    owners = [data.draw(st.integers(1, count)) for _ in names]
    shards = {
        f"shard{number}.json": run(
            [record for record, owner in zip(records, owners, strict=True) if owner == number],
            number,
            count,
            names,
        )
        for number in data.draw(st.permutations(range(1, count + 1)))
    }

    whole = merge_runs(shards)

    assert without(whole) == without(run(records, collected=names))
    schema.check_run(whole, "merged")


def test_each_part_says_of_itself_what_it_said_as_a_run():
    first = run([record("unet-baseline")], 1, 2)
    second = run(
        [record("enet-cache")], 2, 2, idle=None, started="2026-01-01T00:00:00", finished="2026-02-02"
    )

    energy = merge_runs({"x/0001_a.json": first, "x/0002_b.json": second})["energy"]

    assert (energy["started"], energy["finished"]) == ("2026-01-01T00:00:00", "2026-02-02")
    assert energy["idle"] is None
    assert energy["command"] == "joulebench merge x/0001_a x/0002_b"
    assert [(part["run"], part["idle"], part["cases"]) for part in energy["merged"]] == [
        ("run1", first["energy"]["idle"], ["unet-baseline"]),
        ("run2", None, ["enet-cache"]),
    ]
    assert "shard" not in energy


def test_of_a_reference_trained_in_every_shard_the_case_that_was_asked_for_stays():
    asked = record("unet-baseline", recipe={"lr": 1.0})
    first = run([reference(), record("enet-cache")], 1, 3)
    second = run([asked, record("unet-cache")], 2, 3)
    third = run([reference(), record("segnet-baseline")], 3, 3)

    whole = merge_runs({"1": first, "2": second, "3": third})

    cases = [entry["extra_info"]["energy"] for entry in whole["benchmarks"]]
    assert [case["case"] for case in cases] == [
        "unet-baseline",
        "unet-cache",
        "enet-cache",
        "segnet-baseline",
    ]
    assert cases[0]["recipe"] == {"lr": 1.0}
    left_out = [part["left_out"] for part in whole["energy"]["merged"]]
    assert left_out == [["unet-baseline"], [], ["unet-baseline"]]


def test_of_two_references_the_first_that_went_well_stays_and_stands_first():
    broken = failed("unet-baseline") | {"node": None}
    first = run([broken, record("enet-cache")], 1, 2, ["unet-cache", "enet-cache"])
    second = run([reference(), record("unet-cache")], 2, 2, ["unet-cache", "enet-cache"])

    whole = merge_runs({"1": first, "2": second})

    cases = [entry["extra_info"]["energy"] for entry in whole["benchmarks"]]
    assert [(case["case"], case["status"]) for case in cases] == [
        ("unet-baseline", "ok"),
        ("unet-cache", "ok"),
        ("enet-cache", "ok"),
    ]
    assert [part["left_out"] for part in whole["energy"]["merged"]] == [["unet-baseline"], []]


def test_a_case_measured_in_two_runs_is_refused():
    runs = {"1": run([record()], 1, 2), "2": run([record(recipe={"lr": 2.0})], 2, 2)}

    with pytest.raises(MergeError, match="unet-baseline was measured in 1 and in 2"):
        merge_runs(runs)


def changed(where, value):
    def change(run):
        at = run
        for step in where[:-1]:
            at = at[step]
        at[where[-1]] = value

    return change


def in_record(name, value):
    return changed(("benchmarks", 0, "extra_info", "energy", name), value)


KEYS = {"hardware": "epyc-2c-cpu-91bc", "software": "5f0e", "data": "77ab", "case": "c"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(("energy", "fingerprint"), "h200-700w-1234"), "mixed hardware or meters"),
        (changed(("energy", "suite_version"), "9.9"), "mixed version of joulebench"),
        (changed(("energy", "grid_g_per_kwh"), 400.0), "mixed grid factor"),
        (changed(("commit_info", "id"), "f" * 40), "mixed commit"),
        (changed(("commit_info", "dirty"), True), "mixed commit"),
        (in_record("keys", KEYS | {"software": "other"}), "mixed keys, software of training"),
        (in_record("keys", KEYS | {"data": "other"}), "mixed keys, data of training"),
        (in_record("budget", {"epochs": 9, "seeds": [0]}), "mixed budget of training"),
        (changed(("energy", "shard"), None), "mixed shards"),
        (changed(("energy", "shard", "count"), 3), "mixed shards"),
        (changed(("energy", "shard", "cases"), ["another"]), "mixed shards"),
        (changed(("energy", "shard", "number"), 1), "the same shard, 1/2"),
        (changed(("energy", "run"), "run1"), "the same run"),
        (changed(("energy", "finished"), None), "interrupted"),
    ],
)
def test_what_does_not_belong_together_is_refused_by_name(change, said):
    runs = {"one.json": run([record("unet-cache")], 1, 2), "two.json": run([record("enet-cache")], 2, 2)}
    merge_runs(copy.deepcopy(runs))
    change(runs["two.json"])

    with pytest.raises(MergeError, match=said) as refused:
        merge_runs(runs)

    assert "two.json" in str(refused.value)


def test_shards_whose_references_are_of_different_code_are_refused():
    first = run([reference(code="one"), record("enet-cache", code="another")], 1, 2)
    second = run([reference(code="two"), record("unet-cache", code="a third")], 2, 2)

    with pytest.raises(MergeError, match=r"mixed code of unet-baseline: one in 1, two in 2"):
        merge_runs({"1": first, "2": second})


@pytest.mark.parametrize("state", [{"dirty": True}, {"id": "unversioned"}])
def test_of_a_checkout_that_no_commit_describes_a_common_case_must_tell_that_the_code_is_the_same(state):
    commit = COMMIT | state
    parts = [("enet-cache", "one"), ("unet-cache", "two")]
    bare = [run([record(name, code=code)], number, 2, commit=commit)
            for number, (name, code) in enumerate(parts, start=1)]  # fmt: skip
    with pytest.raises(MergeError, match=r"1 and 2 are of a checkout that no commit describes"):
        merge_runs(dict(zip("12", bare, strict=True)))

    beside = [run([reference(code="same"), record(name, code=code)], number, 2, commit=commit)
              for number, (name, code) in enumerate(parts, start=1)]  # fmt: skip
    merge_runs(dict(zip("12", beside, strict=True)))
    unknown = [run([record(name, code=None)], number, 2, commit=commit)
               for number, (name, _) in enumerate(parts, start=1)]  # fmt: skip
    merge_runs(dict(zip("12", unknown, strict=True)))


def test_shards_whose_references_have_other_seeds_are_refused():
    """Beside a case of another budget, which keeps the budgets of the shards from being compared."""
    short = record()["budget"] | {"epochs": 1}
    first = run([reference(), record("enet-cache", budget=short)], 1, 2)
    other = record()["budget"] | {"seeds": [1]}
    second = run([reference(budget=other), record("unet-cache", budget=short)], 2, 2)

    with pytest.raises(MergeError, match=r"mixed seeds of unet-baseline: \[0\] in 1, \[1\] in 2"):
        merge_runs({"1": first, "2": second})


def test_a_missing_shard_is_refused_unless_a_part_will_do():
    runs = {"1": run([record("unet-cache")], 1, 3), "2": run([record("enet-cache")], 3, 3)}

    with pytest.raises(MergeError, match="shard 2/3 is missing"):
        merge_runs(runs)
    assert len(merge_runs(runs, partial=True)["benchmarks"]) == 2


def test_an_interrupted_part_leaves_the_whole_interrupted():
    runs = {"1": run([record("unet-cache")], 1, 2), "2": run([record("enet-cache")], 2, 2, finished=None)}

    assert merge_runs(runs, partial=True)["energy"]["finished"] is None


def test_parts_that_were_no_shards_can_be_joined():
    first, second = (run([record(name)], number) for number, name in ((1, "unet-cache"), (2, "enet-cache")))
    for part in (first, second):
        del part["energy"]["shard"]

    whole = merge_runs({"1": first, "2": second})

    assert [entry["param"] for entry in whole["benchmarks"]] == ["unet-cache", "enet-cache"]


def test_tasks_that_differ_within_a_run_may_differ_between_runs():
    ladder = record("unet-ladder", task="ladder", budget={"epochs": 2, "seeds": []})
    runs = {"1": run([record("unet-cache"), ladder], 1, 2), "2": run([record("enet-cache")], 2, 2)}

    assert len(merge_runs(runs)["benchmarks"]) == 3


def test_a_suite_whose_cases_have_budgets_of_their_own_can_be_joined():
    long, short = ({"epochs": epochs, "seeds": [0]} for epochs in (9, 2))
    first = run([record("unet-cache", budget=long), record("unet-baseline", budget=short)], 1, 2)
    second = run([record("enet-cache", budget=short)], 2, 2)

    assert len(merge_runs({"1": first, "2": second})["benchmarks"]) == 3


def test_one_run_and_a_plain_file_are_refused():
    one = run([record()])
    plain = {name: value for name, value in one.items() if name != "energy"}

    with pytest.raises(MergeError, match="two or more"):
        merge_runs({"1": one})
    with pytest.raises(MergeError, match=r"2: a plain file"):
        merge_runs({"1": one, "2": plain})


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, name in ((1, "unet-cache"), (2, "enet-cache")):
        runfile.write_run(run([record(name)], number, 2), tmp_path / f"part{number}" / "run.json")
    return tmp_path


def test_the_command_writes_the_whole_and_says_where(stored, capsys):
    assert main(["merge", "part1/run.json", "part2/run.json", "-o", "whole.json"]) == 0

    assert capsys.readouterr().out == "2 runs, 2 cases: whole.json\n"
    assert len(json.loads((stored / "whole.json").read_text())["benchmarks"]) == 2
    assert not (stored / "results").exists()


def test_the_command_stores_the_whole_under_a_name(stored):
    assert main(["merge", "part1/run.json", "part2/run.json", "--save=night"]) == 0

    (path,) = stored.glob("results/*/*.json")
    assert path.name == "0001_night.json"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["part1/run.json"], "two or more"),
        (["part1/run.json", "part1/run.json"], "named twice"),
        (["part1/run.json", "part3/run.json"], "no results in results"),
        (["part1/run.json", "part2/run.json", "--save=a/b"], "--save"),
        ([], "RUN"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_4(stored, capsys, arguments, said):
    assert main(["merge", *arguments]) == 4

    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
