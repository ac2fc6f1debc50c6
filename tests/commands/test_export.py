"""`python -m energy export`: what is printed, what is written, and what is refused."""

import json

import pytest

from energy.__main__ import main
from energy.records.storage.store import Store
from tests.command_line import mistake
from tests.simulated.exports import mixed_run, repeated
from tests.simulated.records import record, run

CPU = "epyc-2c-cpu-91bc"


@pytest.fixture(autouse=True)
def _outside_github(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A results folder of two runs in the current folder."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "results")
    store.write(run([repeated("unet-baseline", [12.0, 12.5])], day=2), "base")
    store.write(run([repeated("unet-baseline", [12.0, 12.5]), record("enet-baseline")], day=3), "head")
    return store


def test_the_newest_run_is_printed(store, joulebench):
    code, out, err = joulebench("export", "markdown")

    assert (code, err) == (0, "")
    assert out.startswith(f"✓ **2 cases: 2 ok** – `{CPU}`, `{CPU}/0002_head`")


def test_a_run_is_named_as_for_show(store, joulebench):
    assert "0001_base" in joulebench("export", "csv", "0001")[1]
    assert "0002_head" in joulebench("export", "csv", "head")[1]


def test_a_base_is_compared_with(store, joulebench):
    code, out, _ = joulebench("export", "markdown", "head", "--base", "base")

    assert code == 0
    assert out.startswith("– **1 no-baseline, 1 unchanged")
    assert f"base {CPU}/0001_base" in out


def test_two_files_need_a_place(store, joulebench, tmp_path):
    line = mistake(joulebench("export", "github_action_benchmark"))

    assert (
        "2 files (.smaller.json, .bigger.json): give a folder or the beginning of their names by -o" in line
    )


@pytest.mark.parametrize(
    ("output", "written"),
    [
        ("out/night", ["out/night.smaller.json", "out/night.bigger.json"]),
        ("results", ["results/energy.smaller.json", "results/energy.bigger.json"]),
    ],
)
def test_two_files_are_written_by_stem_or_into_a_folder(store, joulebench, tmp_path, output, written):
    code, out, _ = joulebench("export", "github_action_benchmark", "-o", output)

    assert (code, out.split()) == (0, written)
    assert all(json.loads((tmp_path / path).read_text()) for path in written)


def test_one_file_is_written_as_it_is_named_and_nothing_else(store, joulebench, tmp_path):
    code, out, _ = joulebench("export", "openmetrics", "-o", "out/metrics.txt")

    assert (code, out) == (0, "out/metrics.txt\n")
    assert (tmp_path / "out/metrics.txt").read_text().endswith("# EOF\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["metrics.txt"]


def test_a_place_that_cannot_be_written_is_told(store, joulebench, tmp_path):
    (tmp_path / "file").write_text("")

    assert "cannot be written" in mistake(joulebench("export", "csv", "-o", "file/x.csv"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("marcdown",), "unknown format 'marcdown'; did you mean markdown?"),
        (("csv", "0009"), "unknown run '0009'"),
        (("csv", "--base", "base"), "--base means nothing to csv; leave it out"),
        (("csv", "--max-bytes", "9"), "--max-bytes means nothing to csv"),
        (("markdown", "--case", "x"), "--case means nothing to markdown"),
        (("markdown", "--max-bytes", "9"), "--max-bytes 9 is too little"),
        (("markdown", "--base", "bas"), "did you mean base"),
        (("model_card",), "no grid factor given"),
        (("emissions_csv", "--grid-g-per-kwh", "-1"), "--grid-g-per-kwh -1.0: expected grams"),
        (("emissions_csv", "--grid-g-per-kwh", "nan"), "expected grams of CO2 per kWh"),
        ((), "the following arguments are required: FORMAT"),
    ],
)
def test_a_mistake_is_one_line(store, joulebench, arguments, told):
    if arguments == ("model_card",):
        arguments = ("model_card", "base")

    assert told in mistake(joulebench("export", *arguments))


def test_a_plain_file_is_refused(store, joulebench, tmp_path):
    plain = run([record()])
    del plain["energy"]
    (tmp_path / "plain.json").write_text(json.dumps(plain))

    assert "holds no energy records" in mistake(joulebench("export", "csv", "plain.json"))


def test_bencher_prints_the_command_beside_the_text(store, joulebench):
    _, out, err = joulebench("export", "bencher")

    assert json.loads(out)["unet-baseline"]
    assert err.startswith(f"joulebench: upload by: joulebench export bencher {CPU}/0002_head | bencher run ")


def test_in_a_github_job_markdown_is_appended_to_its_summary(store, joulebench, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    _, out, err = joulebench("export", "markdown")

    assert summary.read_text() == f"before\n{out}"
    assert err == f"joulebench: appended to the job's summary, {summary}\n"


def test_other_formats_leave_the_summary_alone(store, joulebench, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    _, _, err = joulebench("export", "model_card", "base", "--grid-g-per-kwh", "475")

    assert err == ""
    assert not (tmp_path / "summary.md").exists()


def test_a_summary_never_grows_over_what_github_takes(store, joulebench, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (2**20 - 700))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    code, out, err = joulebench("export", "markdown")

    assert (code, "appended" in err) == (0, True)
    assert len(out.encode()) > 700
    assert 2**20 - 700 < summary.stat().st_size <= 2**20


def test_a_full_summary_is_left_alone_and_told(store, joulebench, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * 2**20)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    code, out, err = joulebench("export", "markdown")

    assert (code, bool(out)) == (0, True)
    assert "not appended to the job's summary" in err
    assert summary.stat().st_size == 2**20


def test_a_summary_in_no_folder_is_a_mistake(store, joulebench, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))

    assert "cannot be written: No such file" in mistake(joulebench("export", "markdown"))


def test_failures_are_exported_from_a_stored_file(tmp_path, joulebench):
    Store(tmp_path).write(run([one["extra_info"]["energy"] for one in mixed_run()["benchmarks"]]))

    code, out, _ = joulebench("export", "junit", "--storage", str(tmp_path))

    assert code == 0
    assert '<testsuites name="epyc-2c-cpu-91bc/0001_01234567" tests="6" failures="1" errors="2">' in out


def test_the_help_names_every_format(joulebench, capsys):
    with pytest.raises(SystemExit) as end:
        main(["export", "--help"])

    assert end.value.code == 0
    assert "markdown, model_card, openmetrics" in " ".join(capsys.readouterr().out.split())
