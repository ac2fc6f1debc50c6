"""The ladder: what is kept and why, by figures made by hand; and climbed, killed and resumed."""

import json
import math
import random
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy import stats

import zoo
from benchmarks.ladder import options, protocol, rungs, table
from benchmarks.ladder.protocol import Result, climb
from benchmarks.ladder.rule import ON_ONE_REPEAT, judge
from energy.analysis.compare.result import Noise

ROOT = Path(__file__).parents[2]
SMALL = ("--epochs=2", "--image-size=16", "--batch-size=32", "--energy-idle=0", "-p", "no:cacheprovider")
ORDER = ("cache", "bce", "workers_2", "pin_memory", "novograd_amsgrad", "plateau")


# The rule


def test_with_seeds_a_rung_is_kept_if_a_paired_t_test_of_the_logarithms_says_so():
    draw = random.Random(0)
    verdicts = set()
    for _ in range(300):
        held = [draw.uniform(0.5, 2.0) for _ in range(3)]
        tried = [figure * math.exp(draw.gauss(0.06, 0.04)) for figure in held]
        gains = [math.log(b / a) for a, b in zip(held, tried, strict=True)]
        significant = stats.ttest_1samp(gains, 0.0, alternative="greater").pvalue < 0.05

        verdict = judge(held, tried)

        assert verdict.kept == (significant and sum(gains) / 3 > math.log(1.01))
        assert verdict.gain == pytest.approx(math.exp(sum(gains) / 3) - 1)
        verdicts.add((significant, verdict.kept))
    assert {(True, True), (False, False)} <= verdicts


def test_seeds_that_differ_from_each_other_do_not_hide_a_gain_that_all_of_them_have():
    held, tried = [0.5, 1.0, 2.0], [0.55, 1.11, 2.18]
    assert stats.ttest_ind(tried, held, alternative="greater").pvalue > 0.4

    assert judge(held, tried).kept


def test_a_sure_gain_of_one_per_cent_or_less_is_not_worth_it():
    verdict = judge([1.0, 1.0, 1.0], [1.009, 1.009, 1.009])

    assert (verdict.kept, verdict.why) == (False, "gains 1% or less")
    assert judge([1.0, 1.0, 1.0], [1.011, 1.011, 1.011]).kept


@pytest.mark.parametrize(("tried", "kept"), [(1.052, False), (1.055, True)])
def test_with_one_seed_the_noise_of_calibrate_decides(tried, kept):
    # t(0.95, 9) = 1.8331 from Student's table; 1.8331 * sqrt(2) * 0.02 = 0.05185, as a factor 1.0532
    verdict = judge([1.0], [tried], Noise(0.02, 9, "calibrate"))

    assert verdict.kept == kept
    assert verdict.needed == pytest.approx(0.0532, abs=1e-4)
    assert "2.0%" in verdict.why


@pytest.mark.parametrize(("tried", "kept"), [(1.052, False), (1.055, True)])
def test_seeds_that_agree_do_not_hide_the_noise_that_a_rung_s_windows_share(tried, kept):
    verdict = judge([1.0, 2.0, 3.0], [tried, 2 * tried, 3 * tried], Noise(0.02, 9, "calibrate"))  # as above

    assert verdict.kept == kept
    assert verdict.needed == pytest.approx(0.0532, abs=1e-4)
    assert "the energy's noise (2.0%)" in verdict.why


def test_seeds_that_disagree_by_more_than_the_energy_s_noise_decide():
    assert (
        judge([1.0, 1.0, 1.0], [0.7, 1.1, 1.6], Noise(0.02, 9, "calibrate")).why
        == "within the noise of 3 repeats"
    )


def test_with_one_seed_and_no_noise_a_rung_is_kept_and_called_uncertain():
    assert judge([1.0], [1.02]).why == ON_ONE_REPEAT
    assert judge([1.0], [1.02]).kept
    assert not judge([1.0], [1.005]).kept
    assert judge([1.0], [0.9]).why == "no gain"


@pytest.mark.parametrize("tried", [0.0, None])
def test_a_rung_without_dice_or_joules_is_dropped_and_says_so(tried):
    verdict = judge([1.0, 1.0], [1.5, tried])

    assert (verdict.kept, verdict.gain) == (False, None)
    assert verdict.why == f"Dice/kJ is 1.5, {'unknown' if tried is None else '0'}"


def test_nothing_is_compared_with_a_dice_of_0():
    with pytest.raises(ValueError, match="figures above 0"):
        judge([0.0], [1.0])


# The climb


def recipe(technique):
    return zoo.recipe("unet", technique)


def climbed(figures, *order):
    """Climb over figures by combination; return the rungs, and what was measured in order."""
    measured = []

    def measure(wanted):
        measured.append(wanted.technique)
        found = figures[wanted.technique]
        return found if isinstance(found, Result) else Result((0.8,), (0.8 / found,), (found,))

    return list(climb(order, recipe, measure)), measured


def test_what_gains_is_built_upon_and_what_does_not_is_dropped():
    figures = {"baseline": 1.0, "cache": 2.0, "cache+augment": 1.9, "cache+plateau": 2.5}

    rungs, measured = climbed(figures, "cache", "augment", "plateau")

    assert measured == ["baseline", "cache", "cache+augment", "cache+plateau"]
    assert [rung.verdict for rung in rungs] == ["start", "kept", "dropped", "kept"]
    assert [rung.gain for rung in rungs] == [None, *map(pytest.approx, (1.0, -0.05, 0.25))]
    assert protocol.kept(rungs) == "cache+plateau"


@pytest.mark.parametrize(
    ("six", "then", "kept"),
    [(3.0, "cache+workers_6", "cache+workers_6"), (1.5, "cache+workers_4", "cache+workers_4")],
)
def test_what_contradicts_something_held_is_tried_in_its_place(six, then, kept):
    figures = {"baseline": 1.0, "cache": 1.5, "cache+workers_4": 2.0, "cache+workers_6": six}
    figures[f"{then}+augment"] = 0.1

    rungs, measured = climbed(figures, "cache", "workers_4", "workers_6", "augment")

    assert measured[3:] == ["cache+workers_6", f"{then}+augment"]
    assert rungs[3].replaces == ("workers_4",)
    assert protocol.kept(rungs) == kept


def test_a_rung_that_breaks_or_cannot_be_is_passed_by():
    figures = {
        "baseline": 1.0,
        "cache": Result(failed="diverged: nan"),
        "bf16": Result(skipped="no bfloat16 here"),
        "augment": 1.2,
    }

    rungs, _ = climbed(figures, "cache", "bf16", "augment")

    assert [(rung.verdict, rung.why) for rung in rungs[1:3]] == [
        ("failed", "diverged: nan"),
        ("skipped", "no bfloat16 here"),
    ]
    assert protocol.kept(rungs) == "augment"


def test_what_could_not_act_is_dropped_however_good_its_figures_are():
    idle = Result((0.8,), (0.1,), (8.0,), without_effect=("plateau: patience 5, 2 epochs",))

    rungs, _ = climbed({"baseline": 1.0, "plateau": idle, "cache": 1.2}, "plateau", "cache")

    assert (rungs[1].verdict, rungs[1].why) == ("dropped", "no effect here: plateau: patience 5, 2 epochs")
    assert protocol.kept(rungs) == "cache"


def test_a_combination_that_makes_no_sense_is_skipped_with_its_reason():
    def strict(technique):
        if technique == "cache+augment+plateau":  # each two of them are fine
            raise ValueError("the three of them make no sense")
        return recipe(technique)

    measure = {"baseline": 1.0, "cache": 2.0, "cache+augment": 3.0}
    rungs = list(
        climb(
            ("cache", "augment", "plateau"),
            strict,
            lambda wanted: Result((0.8,), (1.0,), (measure[wanted.technique],)),
        )
    )

    assert (rungs[-1].verdict, rungs[-1].why) == ("skipped", "the three of them make no sense")


def test_a_ladder_without_a_first_rung_is_an_error():
    with pytest.raises(RuntimeError, match="no first rung: baseline: oom"):
        climbed({"baseline": Result(failed="oom: too big")}, "cache")


def test_the_study_s_order_is_made_of_techniques_that_exist_and_each_makes_sense():
    for name in protocol.study_order():
        recipe(name)
    assert set(protocol.STUDY_ORDER) == set(protocol.study_order())


def test_the_table_shows_every_rung_with_its_figures():
    rungs, _ = climbed(
        {"baseline": 1.0, "workers_4": 2.0, "workers_6": Result(skipped="why not")}, "workers_4", "workers_6"
    )
    shown = "\n".join(
        table.lines(
            {
                "arch": "unet",
                "seeds": [0],
                "rule": "A rule.",
                "kept": "workers_4",
                "rungs": json.loads(json.dumps([vars(rung) for rung in rungs])),
            }
        )
    )

    assert "baseline" in shown
    (kept,) = (line.split() for line in shown.splitlines() if line.startswith("+ workers_4"))
    assert kept[2:7] == ["0.800", "0.400", "2.00", "+100.0%", "+1.0%"]
    assert "+ workers_6 (not workers_4)" in shown
    assert "skipped: why not" in shown
    assert shown.endswith("unet, seed 0; kept: workers_4\nA rule.")


def test_a_choice_is_without_effect_if_it_had_none_with_any_seed():
    def seed(*reasons):
        return {"applied": {"without_effect": list(reasons)}}

    metrics = {name: {"values": [1.0, 1.0]} for name in ("dice", "total_kj", "dice_per_kj")}
    idle, acted = "swa: averages 1 of 4 epochs", "plateau: never lowered the rate"
    record = {"status": "ok", "metrics": metrics, "setup": [seed(acted, idle), seed(idle)]}
    record["validity"] = {"ok": True, "invalid": [], "notes": []}

    assert rungs.read_result(record).without_effect == (idle,)


def test_a_rung_that_collapsed_ranks_nothing():
    facts = [{"collapsed": True, "applied": {"without_effect": []}}] * 2
    record = {"status": "ok", "metrics": {}, "setup": facts, "validity": {"notes": ["collapsed"]}}

    assert rungs.read_result(record) == Result(failed="2 of 2 collapsed")


def test_a_dry_run_predicts_each_technique_of_the_ladder_alone():
    item = SimpleNamespace(callspec=SimpleNamespace(params={"arch": "unet", "order": ("cache", "bf16")}))

    assert options.trainings(item) == [("unet", "baseline"), ("unet", "cache"), ("unet", "bf16")]


# As its user runs it


@pytest.fixture
def command(environment, torch_python):
    def run(*arguments, start=torch_python.run):
        return start("-m", "pytest", *arguments, *SMALL, cwd=ROOT, env=environment)

    return run


LADDERS = [
    (("benchmarks", "-k", "attention_squeeze"), []),
    (
        ("benchmarks", "-k", "attention_squeeze", "--ladder=attention_squeeze_unet"),
        ["attention_squeeze_unet"],
    ),
    (("benchmarks/test_ladder.py",), ["attention_squeeze_unet"]),
    (("benchmarks/test_ladder.py", "--ladder=unet"), ["unet"]),
]


def test_the_ladder_is_climbed_only_if_asked_for_and_last(run_several, torch_python):
    runs = run_several(
        torch_python, *[(*arguments, *SMALL, "--collect-only", "-q") for arguments, _ in LADDERS]
    )

    for (arguments, ladders), (_, text, _) in zip(LADDERS, runs, strict=True):
        cases = [line.partition("::")[2] for line in text.splitlines() if "::" in line]
        wanted = [f"test_ladder[{arch}-ladder]" for arch in ladders]
        assert cases, text
        assert [case for case in cases if "ladder" in case] == wanted, arguments
        assert cases[len(cases) - len(wanted) :] == wanted, arguments


WRONG = [
    ("--ladder=unett", "unet"),
    ("--ladder-order=cache,novograt", "did you mean"),
    ("--ladder-order=cache,cache", "name each once"),
    ("--ladder-order=baseline,cache", "first rung anyway"),
    ("--ladder-order=", "unknown technique ''"),
]


def test_a_wrong_option_is_named_before_anything_is_trained(run_several, torch_python):
    runs = run_several(torch_python, *[("benchmarks/test_ladder.py", *SMALL, option) for option, _ in WRONG])

    for (option, said), (code, text, _) in zip(WRONG, runs, strict=True):
        assert (code, said in text, "Traceback" in text) == (4, True, False), f"{option}: {text}"


@pytest.mark.slow
def test_a_ladder_that_was_killed_goes_on_with_the_rung_it_had_reached(
    command, torch_python, journalled, tmp_path
):
    storage = tmp_path / "results"
    arguments = (
        "benchmarks/test_ladder.py",
        f"--ladder-order={','.join(ORDER)}",
        f"--energy-storage={storage}",
        "-p",
        "tests.simulated.ladder_world",
    )
    killed = command(*arguments, start=torch_python.start)
    while len(finished := journalled(storage)) < 3:
        assert killed.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    finished = journalled(storage)
    assert finished[0]["case"] == "attention_squeeze_unet-baseline"
    assert not any(record["arch"] == "unet" for record in finished)
    assert not any(record["task"] == "ladder" for record in finished)

    resumed = command(*arguments, "--energy-resume")

    assert resumed.returncode == 0, resumed.stdout
    after = journalled(storage)
    good = [record["case"] for record in finished if record["status"] == "ok"]
    assert not set(good) & {record["case"] for record in after[len(finished) :]}  # none was trained again
    path = max(storage.glob("*/*.json"))
    cases = [case["extra_info"]["energy"] for case in json.loads(path.read_text())["benchmarks"]]
    records = {record["case"]: record for record in cases}
    assert len(records) == len(cases)
    whole = records["attention_squeeze_unet-ladder"]["metrics"]
    for metric in ("total_kj", "cpu_kj", "mean_watts"):
        assert (whole[metric]["mean"], whole[metric]["reason"]) == (None, "see the records of the rungs")
    assert whole["total_kj"]["band"] is None
    climb = records["attention_squeeze_unet-ladder"]["setup"][0]["ladder"]
    assert (climb["order"], climb["seeds"], climb["noise"]) == (list(ORDER), [0], None)
    assert "ln(Dice/kJ with the technique)" in climb["rule"]
    rungs = {rung["tried"]: rung for rung in climb["rungs"]}
    assert list(rungs) == ["baseline", *ORDER]
    assert rungs["bce"]["verdict"] == "failed"
    assert records[f"attention_squeeze_unet-{rungs['bce']['technique']}"]["status"] == "diverged"
    assert rungs["pin_memory"]["verdict"] == "skipped"
    assert rungs["plateau"]["why"] == "no effect here: plateau: patience 5, 2 epochs"
    for rung in climb["rungs"]:
        if rung["verdict"] in ("start", "kept", "dropped"):
            metrics = records[f"attention_squeeze_unet-{rung['technique']}"]["metrics"]
            assert rung["dice_per_kj"] == metrics["dice_per_kj"]["mean"]
    held = 0.0
    for rung in climb["rungs"]:
        if rung["verdict"] == "kept":
            assert rung["dice_per_kj"] > 1.01 * held
        if rung["verdict"] == "dropped" and "no effect" not in rung["why"]:
            assert rung["dice_per_kj"] <= 1.01 * held
        if rung["verdict"] in ("start", "kept"):
            held, kept = rung["dice_per_kj"], rung["technique"]
    assert climb["kept"] == kept
    assert records["attention_squeeze_unet-ladder"]["recipe"]["technique"] == kept
    assert f"kept: {kept}" in resumed.stdout
    assert "ladder of attention_squeeze_unet" in resumed.stdout
