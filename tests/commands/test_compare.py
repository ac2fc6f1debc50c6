"""`python -m energy compare`: the sides that a user names, and what is pooled, warned of and refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from energy.__main__ import main
from energy.analysis.gates.reference import find_side
from energy.records.metrics import summarise_metric
from energy.records.storage.store import Store
from tests.simulated.records import domain, failed, record, run

CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"


def of_case(name="unet-baseline", kilojoules=(12.3, 12.4, 12.2), dice=(0.85, 0.84, 0.86), **changes):
    """Return a record with these figures, one per seed."""
    seconds = [10 * value for value in kilojoules]
    figures = {"total_kj": kilojoules, "dice": dice, "seconds": seconds}
    metrics = {metric: summarise_metric(metric, values) for metric, values in figures.items()}
    whole = {
        "metrics": metrics,
        "budget": record()["budget"] | {"seeds": list(range(len(kilojoules)))},
        "domains": [domain([1000 * value for value in kilojoules])],
        "epochs": record()["epochs"] * len(kilojoules),
        "reference": None,
    }
    return record(name, **whole | changes)


def slower(factor, **changes):
    return of_case(kilojoules=[factor * value for value in (12.3, 12.4, 12.2)], **changes)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A results folder of three runs of one machine, and one of another."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "results")
    store.write(run([of_case(), of_case("unet-bf16")], CPU, day=2), "main")
    store.write(run([slower(1.2), of_case("unet-bf16")], CPU, day=3), "pull")
    store.write(run([slower(1.01), of_case("unet-bf16")], CPU, day=4), "main")
    store.write(run([of_case()], GPU, day=1), "main")
    return store


def side(store, name, fingerprint=None):
    with store.index() as index:
        return find_side(store, index, name, fingerprint)


@pytest.mark.parametrize(
    "base", [f"{CPU}/0001", "results/epyc-2c-cpu-91bc/0001_main.json", f"{CPU}/0001_main"]
)
def test_two_runs_are_compared_however_they_are_named(store, joulebench, base):
    code, out, err = joulebench("compare", base, "pull")

    assert (code, err) == (0, "")
    assert out.startswith("1 regression, 1 unchanged – epyc-2c-cpu-91bc, n = 3")
    assert f"base {CPU}/0001_main (2026-01-02, 01234567) → head {CPU}/0002_pull" in out
    assert "12.3 → 14.8" in out


def test_a_number_of_the_base_means_the_heads_machine(store, joulebench):
    assert f"base {CPU}/0001_main" in joulebench("compare", "0001", "pull")[1]


def test_a_saved_name_is_the_newest_run_of_that_name_on_the_heads_machine(store, joulebench):
    assert f"base {CPU}/0003_main" in joulebench("compare", "main", "pull")[1]


def test_without_a_head_the_newest_run_is_compared(store, joulebench):
    assert f"→ head {CPU}/0003_main" in joulebench("compare", "pull")[1]


def test_a_glob_pools_the_repeats_of_all_runs_that_fit(store, joulebench):
    code, out, _ = joulebench("compare", "*main", "pull")

    assert code == 0
    assert f"base 2 runs, {CPU}/0001_main to {CPU}/0003_main" in out
    assert "n = 3 to 6" in out
    assert f"warning: pooled: {CPU}/0001_main, {CPU}/0003_main" in out


def test_pooled_runs_hold_the_repeats_of_both_in_order(store):
    pooled = side(store, f"{CPU}/000[13]")

    first = pooled.run.cases[0]
    expected = [12.3, 12.4, 12.2, *(1.01 * value for value in (12.3, 12.4, 12.2))]
    assert first.values["total_kj"] == pytest.approx(expected)
    assert first.seeds == (0, 1, 2, 0, 1, 2)
    assert [path.name for path in pooled.paths] == ["0001_main.json", "0003_main.json"]


def of_seeds(*seeds, dice=0.85, kilojoules=12.0):
    """Return a record whose figures of seed n are n hundredths more."""
    more = [seed / 100 for seed in seeds]
    figures = of_case(kilojoules=[kilojoules + each for each in more], dice=[dice + each for each in more])
    return figures | {"budget": record()["budget"] | {"seeds": list(seeds)}}


def test_a_run_of_seed_0_is_compared_with_seed_0_of_one_of_three(store, joulebench):
    store.write(run([of_seeds(0)], CPU, day=5), "one")
    store.write(run([of_seeds(2, 1, 0)], CPU, day=6), "three")

    code, out, _ = joulebench("compare", "one", "three", "--metrics", "total_kj,dice")
    found = json.loads(joulebench("compare", "one", "three", "--json")[1])

    assert code == 0
    assert "warning: seeds 0 of 0, 1, 2 in 1 of 1 cases: other repeats are left out" in out
    assert "n = 1" in out
    assert [change["head"] for change in found["cases"][0]["changes"].values()] == [[12.0], [0.85]]


def test_a_gate_judges_a_run_of_more_seeds_than_its_baseline_has(store, joulebench):
    """Of seed 0 it is 10 % worse; other cases tell the noise."""
    others = [of_case(f"unet-t{number}") for number in range(6)]
    store.write(run([of_seeds(0), *others], CPU, day=5), "one")
    store.write(run([of_seeds(0, 1, 2, kilojoules=13.2), *others], CPU, day=6), "three")

    code, out, _ = joulebench("check", "three", "--compare", "one", "--fail", "total_kj:5%")

    assert code == 10
    assert "10 regression: unet-baseline total_kj: worse by 10 %, seeds 0 of 0, 1, 2, the limit is 5 %" in out


def test_runs_of_other_seeds_are_pooled_as_repeats_of_one_case(store):
    store.write(run([of_seeds(0)], CPU, day=5), "seeds")
    store.write(run([of_seeds(1, 2)], CPU, day=6), "seeds")

    (pooled,) = side(store, "*seeds").run.cases

    assert pooled.seeds == (0, 1, 2)
    assert pooled.values["dice"] == pytest.approx((0.85, 0.86, 0.87))


def test_a_case_that_failed_or_has_other_keys_is_left_out_of_the_pool_with_a_note(store):
    other = of_case("unet-bf16") | {"keys": record("unet-bf16")["keys"] | {"case": "another"}}
    store.write(run([failed("unet-baseline"), other], CPU, day=5), "night")
    store.write(run([of_case(), of_case("unet-bf16")], CPU, day=6), "night")

    pooled = side(store, "*night")

    assert len(pooled.run.cases[0].values["total_kj"]) == 3
    assert len(pooled.run.cases[1].values["total_kj"]) == 3
    assert (
        "unet-baseline: 1 of 2 runs left out (failed, invalid, or of other keys, kind or boundary)"
        in pooled.notes
    )
    assert (
        "unet-bf16: 1 of 2 runs left out (failed, invalid, or of other keys, kind or boundary)"
        in pooled.notes
    )


def test_a_flagged_case_is_left_out_of_the_pool(store):
    invalid = of_case(validity={"ok": False, "invalid": ["throttled"], "notes": []})
    for cases in ([invalid], [of_case()]):
        store.write(run(cases, CPU, day=5), "night")

    pooled = side(store, "*night")

    assert len(pooled.run.cases[0].values["total_kj"]) == 3
    assert pooled.run.cases[0].invalid == ()


def test_runs_with_two_cases_of_one_name_are_not_pooled(store, joulebench):
    for _ in range(2):
        store.write(run([of_case(), of_case()], CPU, day=5), "twice")

    code, _, err = joulebench("compare", "*twice", "pull")

    assert code == 4
    assert "unet-baseline: several cases of one run have this name" in err


def test_a_glob_over_several_machines_means_the_heads_or_is_refused(store, joulebench):
    assert [run.name for run in side(store, "*main", CPU).paths] == ["0001_main.json", "0003_main.json"]

    code, _, err = joulebench("compare", "pull", "*main")

    assert code == 4
    assert "means several runs" in err


def test_other_hardware_is_shown_and_not_judged(store, joulebench):
    code, out, _ = joulebench("compare", f"{GPU}/0001", "pull")

    assert code == 0
    assert "2 no-baseline" in out
    assert f"not judged: other hardware or meters: {GPU} in the base, {CPU} in the head" in out


def test_earlier_runs_tell_the_noise_of_a_run_with_one_repeat(store, joulebench):
    once = run([of_case(kilojoules=[12.3], dice=[0.85])], CPU, day=5)
    more = run([of_case(kilojoules=[18.0], dice=[0.85])], CPU, day=6)
    store.write(once, "once")
    store.write(more, "more")

    out = joulebench("compare", "once", "more", "--metrics", "total_kj")[1]

    assert out.startswith("1 regression")
    assert "repeats of 3 earlier runs" in out


def test_a_calibrated_machine_needs_no_history(tmp_path, monkeypatch, joulebench):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "results")
    for kilojoules in (12.3, 18.0):
        store.write(run([of_case(kilojoules=[kilojoules], dice=[0.85])], CPU))
    noise = {"schema": 1, "work": {"seconds": 10.0}, "metrics": {"total_kj": {"noise": 0.01, "n": 20}}}
    (store.root / CPU / "noise.json").write_text(json.dumps(noise))

    out = joulebench("compare", "0001", "0002")[1]

    assert out.startswith("1 regression")
    assert "calibrate: 20 windows of 10 s of fixed work" in out


def test_a_damaged_noise_file_is_one_line(store, joulebench):
    (store.root / CPU / "noise.json").write_text("{")

    code, _, err = joulebench("compare", "main", "pull")

    assert (code, err.count("\n")) == (4, 1)
    assert "noise.json: not usable" in err


def test_a_damaged_file_that_is_not_asked_for_is_a_warning(store, joulebench):
    (store.root / CPU / "0009_broken.json").write_text("{")

    code, out, _ = joulebench("compare", "main", "pull")

    assert code == 0
    assert "warning: left out of the noise:" in out
    assert "0009_broken.json" in out


def test_the_chosen_metrics_are_compared_in_their_order(store, joulebench):
    out = joulebench("compare", "main", "pull", "--metrics", "dice, total_kj")[1]

    assert [word for word in out.splitlines()[3].split("  ") if word.strip() in ("Dice", "total kJ")]
    assert out.index("Dice") < out.index("total kJ")


def test_json_is_the_whole_comparison(store, joulebench):
    found = json.loads(joulebench("compare", f"{CPU}/0001", "pull", "--json")[1])

    assert [row["verdict"] for row in found["cases"]] == ["regressed", "unchanged"]
    assert found["cases"][0]["changes"]["total_kj"]["change"] == pytest.approx(0.2)
    assert found["head"]["run"] == f"{CPU}/0002_pull"


def test_a_baseline_is_found_by_its_name(store, joulebench):
    main(["baseline", "set", "golden", f"{CPU}/0001"])

    code, out, _ = joulebench("compare", "golden", "pull")

    assert code == 0
    assert f"base {CPU}/0001_main" in out
    assert "golden is the baseline of that name" in out


def test_plain_pytest_benchmark_files_are_compared_by_seconds(tmp_path, joulebench):
    for name, factor in (("a", 1.0), ("b", 1.5)):
        rounds = [factor * value for value in (1.0, 1.01, 0.99)]
        entry = {"name": "test_sort", "fullname": "tests/test_a.py::test_sort", "group": None, "params": None,
                 "stats": {"data": rounds, "mean": sum(rounds) / 3}}  # fmt: skip
        plain = {"benchmarks": [entry], "datetime": "2026-01-02T03:04:05", "version": "5.3.1",
                 "machine_info": {}, "commit_info": {"id": "abc", "dirty": False}}  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(plain))

    code, out, _ = joulebench("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"))

    assert code == 0
    assert out.startswith("1 regression – unknown hardware, n = 3, noise of seconds ±1.0 %")
    assert "+50.0 % [" in out
    assert "plain pytest-benchmark: hardware and keys are not known" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare"], "the following arguments are required: A"),
        (["compare", "mian", "pull"], "unknown run 'mian'; did you mean main"),
        (["compare", "main", "pull", "--metrics", "dise"], "unknown metric 'dise'; did you mean dice"),
        (["compare", "main", "pull", "--metrics", "codecarbon_kj"], "codecarbon_kj is a witness"),
        (["compare", "main", "pull", "--metrics", ""], "unknown metric ''"),
        (["compare", "nothing*", "pull"], "unknown run 'nothing*'"),
        (["compare", "a", "b", "--storage", "nowhere"], "no results in nowhere; run a benchmark first"),
    ],
)
def test_a_mistake_is_one_line_with_a_way_out(store, joulebench, arguments, words):
    code, _, err = joulebench(*arguments)

    assert (code, err.count("\n")) == (4, 1)
    assert words in err


def test_every_committed_run_compared_with_itself_is_unchanged(joulebench):
    paths = [stored.path for stored in Store(Path(__file__).parents[2] / "results").runs()]

    for path in paths:
        found = json.loads(joulebench("compare", str(path), str(path), "--json")[1])
        good = [row for row in found["cases"] if row["problem"] is None]
        # A ladder's joules stand in the records of its rungs, which are compared.
        assert {row["verdict"] for row in good if row["task"] != "ladder"} == {"unchanged"}
        assert {row["verdict"] for row in good if row["task"] == "ladder"} <= {"inconclusive", "unchanged"}
    assert paths


def test_the_list_of_commands_imports_no_statistics():
    code = "import sys; from energy import commands; commands._overview(); print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)

    assert done.stdout.strip() == b"False"
