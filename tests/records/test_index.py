"""The index answers as the files do: of this very state of them, and without reading them again."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.records.metrics import METRICS, summarise_metric
from energy.records.schema import RecordError
from energy.records.storage import index
from energy.records.storage.runfile import StoreError, read_run
from energy.records.storage.store import Store
from energy.records.summary import CaseSummary, RunSummary, pack_values, summarise_run, unpack_values
from tests.audit import many_results
from tests.simulated.records import domain, failed, modelled, record, run

RESULTS = Path(__file__).parents[2] / "results"
CPU, GPU = "epyc-2c-cpu-91bc", "h200-700w-3f2a"


@pytest.fixture
def store(tmp_path):
    """Two machines; good, failed, invalid and unknown figures; a plain file of pytest-benchmark."""
    store = Store(tmp_path / "results")
    unknown = record("cgnet-baseline", domains=[domain([None], reason="lost")])
    unknown["metrics"]["total_kj"] = summarise_metric("total_kj", [None], "lost")
    invalid = record(
        "enet-baseline", validity={"ok": False, "invalid": ["throttled"], "notes": []}, code="c0de"
    )
    store.write(run([record(), failed("unet-bf16"), unknown], CPU), "first")
    store.write(run([invalid, record(domains=[domain([1.0]), modelled([2.0])])], CPU), "second")
    store.write(run([record()], GPU), "third")
    plain = run([record()])
    del plain["energy"]
    (store.root / CPU / "0003_plain.json").write_text(json.dumps(plain))
    _age(store)
    return store


def _age(store):
    """Make the files older than a tick of the clock, as all but the newest are."""
    for stored in store.runs():
        before = stored.path.stat().st_mtime_ns - 10**9
        os.utime(stored.path, ns=(before, before))


@pytest.fixture
def unread(store, monkeypatch):
    """A results folder that is in the index, and whose run files nobody may read."""
    with store.index() as whole:
        for stored in store.runs():
            whole.summary(stored.path)
    monkeypatch.setattr(index, "_read", lambda path: pytest.fail(f"{path} was read again"))
    return store


def from_file(path):
    return summarise_run(read_run(path), path)


def database(store):
    (path,) = (store.root / ".index").glob("*.sqlite")
    return path


def test_the_index_says_of_each_file_what_the_file_says(unread):
    for stored in unread.runs():
        assert unread.summary(stored.path) == from_file(stored.path)


def test_the_index_says_of_the_committed_results_what_they_say(tmp_path, monkeypatch):
    store = Store(tmp_path)
    for path in RESULTS.glob("*/*.json"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    _age(store)
    paths = [stored.path for stored in store.runs()]
    first = list(map(store.summary, paths))
    monkeypatch.setattr(index, "_read", lambda path: pytest.fail(f"{path} was read again"))

    assert list(map(store.summary, paths)) == first == list(map(from_file, paths))
    assert len(first) >= 2


@pytest.mark.parametrize("metric", ["total_kj", "dice", "co2_g"])
def test_a_column_has_what_the_summaries_have(unread, metric):
    with unread.index() as whole:
        for stored in unread.runs():
            found = whole.column(stored.path, metric)

            expected = from_file(stored.path)
            assert [own for _, own in found.per_case()] == [
                case.values.get(metric, ()) for case in expected.cases
            ]
            assert [case.identity for case in found.cases] == [case.identity for case in expected.cases]
            assert found.run.commit == expected.commit


def test_a_choice_of_metrics_leaves_out_all_others_from_index_and_file_alike(store):
    path = store.runs()[0].path

    with store.index() as whole:
        first, again = (whole.summary(path, ["dice"]) for _ in range(2))

    assert first == again
    assert [set(case.values) for case in first.cases] == [{"dice"}, set(), {"dice"}]


VALUES = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(METRICS)), VALUES.map(tuple), max_size=3), max_size=5))
def test_any_figures_come_back_as_they_were_stored(tmp_path_factory, cases):
    path = tmp_path_factory.mktemp("any") / "a" / "0001_x.json"
    path.parent.mkdir()
    path.touch()
    os.utime(path, (1, 1))
    told = tuple(
        CaseSummary(
            f"c{n}", "t", "ok", seeds=(n,), keys={"data": "d"}, values=values, invalid=("a",), notes=("b",)
        )
        for n, values in enumerate(cases)
    )
    whole = RunSummary(path, "a/0001_x", "a", "2026", "c0", True, False, told)
    answers = [whole]  # the file is read once

    with pytest.MonkeyPatch.context() as patch, index.Index(path.parent.parent) as stored:
        patch.setattr(index, "_read", lambda _: answers.pop())

        assert [stored.summary(path), stored.summary(path)] == [whole, whole]


def test_a_run_is_in_the_index_as_soon_as_it_is_written(tmp_path, monkeypatch):
    store = Store(tmp_path / "results")
    path = store.write(run([record()]))
    monkeypatch.setattr(index, "_read", lambda path: pytest.fail("read again"))

    assert store.summary(path).cases[0].values["total_kj"] == (12.3,)


def test_looking_for_a_case_reads_only_the_file_that_has_it(unread):
    keys = record()["keys"]

    found = unread.latest_case("unet-baseline", keys)

    assert found.run.reference == f"{GPU}/0001"
    assert unread.latest_case("unet-baseline", keys | {"data": "another"}) is None


def test_a_file_that_was_changed_in_place_is_read_again(unread, monkeypatch):
    """Same size, same time of change: what `rsync --times --inplace` leaves."""
    monkeypatch.undo()
    path = unread.runs()[0].path
    before = path.stat()
    path.write_text(path.read_text().replace("12.3", "45.6"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    found = unread.summary(path)

    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert found.cases[0].values["total_kj"] == (45.6,)


def test_what_is_known_of_other_files_stays_when_one_changes(unread, monkeypatch):
    changed, *others = (stored.path for stored in unread.runs())
    changed.write_text(changed.read_text().replace("12.3", "45.6"))
    os.utime(changed, ns=(10**18, 10**18))  # not in this tick, so that the index takes it up
    monkeypatch.setattr(index, "_read", from_file)
    unread.summary(changed)
    monkeypatch.setattr(index, "_read", lambda path: pytest.fail(f"{path} was read again"))

    assert [unread.summary(path) for path in others] == list(map(from_file, others))
    assert unread.summary(changed) == from_file(changed)


def test_a_file_written_in_this_very_tick_is_not_taken_up(store, monkeypatch):
    """A clock so coarse that the file may change once more, and look the same."""
    path = store.runs()[0].path
    monkeypatch.setattr(index, "_stamp", lambda path: "the same")
    monkeypatch.setattr(index, "TICK_NS", 10**15)
    path.write_text(path.read_text().replace("12.3", "45.6"))
    first = store.summary(path)
    path.write_text(path.read_text().replace("45.6", "78.9"))

    again = store.summary(path)

    assert [found.cases[0].values["total_kj"] for found in (first, again)] == [(45.6,), (78.9,)]


def test_a_file_that_is_gone_is_missing_and_can_be_forgotten(unread):
    first, *rest = (stored.path for stored in unread.runs())
    first.unlink()

    with pytest.raises(StoreError, match="cannot be read"):
        unread.summary(first)
    with unread.index() as whole:
        whole.summary(rest[0])
        whole.keep_only(rest)
    with closing(sqlite3.connect(database(unread))) as connection:
        (left,) = connection.execute("SELECT count(DISTINCT path) FROM summary").fetchone()
    assert left == len(rest)


def test_a_damaged_run_file_is_refused_each_time_and_taken_once_it_is_mended(store):
    path = store.runs()[0].path
    whole = path.read_text()
    path.write_text(whole.replace('"status": "ok"', '"status": "fine"'))

    for _ in range(2):
        with pytest.raises(RecordError, match='"fine" is not one of'):
            store.summary(path)
    path.write_text(whole)

    assert store.summary(path) == from_file(path)


DAMAGE = {
    "another figure": "UPDATE summary SET data = zeroblob(length(data)) WHERE metric = 'total_kj'",
    "no packed text": "UPDATE summary SET data = 'text'",
    "figures gone": "DELETE FROM summary WHERE metric = 'total_kj'",
    "cases gone": "DELETE FROM summary WHERE metric = ''",
    "the figures of another run": "UPDATE summary SET data = (SELECT min(data) FROM summary)",
    "the table gone": "DROP TABLE summary",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_index_that_was_tampered_with_is_made_anew(store, damage):
    for stored in store.runs():
        store.summary(stored.path)
    with closing(sqlite3.connect(database(store))) as connection, connection:
        connection.execute(DAMAGE[damage])

    found = [store.summary(stored.path) for stored in store.runs()]

    assert found == [from_file(stored.path) for stored in store.runs()]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no database at all" * 100),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[:2000] + b"\xff" * 9000 + path.read_bytes()[11000:]),
    ],
    ids=["garbage", "empty", "cut off", "overwritten"],
)
def test_a_damaged_index_is_made_anew_and_kept(store, spoil, monkeypatch):
    paths = [stored.path for stored in store.runs()]
    for path in paths:
        store.summary(path)
    spoil(database(store))

    for _ in range(2):
        assert [store.summary(path) for path in paths] == [from_file(path) for path in paths]
    monkeypatch.setattr(index, "_read", lambda path: pytest.fail("the new index was not kept"))
    assert [store.summary(path) for path in paths] == [from_file(path) for path in paths]


def test_where_the_index_cannot_be_written_the_files_are_read_and_the_user_is_told_once(store):
    (store.root / ".index").rename(store.root / ".gone")
    (store.root / ".index").write_text("a file where the folder should be")
    told = []

    with Store(store.root, told.append).index() as whole:
        found = [whole.summary(stored.path) for stored in store.runs()]

    assert found == [from_file(stored.path) for stored in store.runs()]
    assert len(told) == 1
    assert "cannot be used" in told[0]


@pytest.fixture
def read_only(unread, monkeypatch):
    """The same folder, on a disk that cannot be written."""
    uri = f"{database(unread).as_uri()}?mode=ro"
    monkeypatch.setattr(index, "_connect", lambda _: sqlite3.connect(uri, uri=True, isolation_level=None))
    return unread


def test_an_index_that_can_only_be_read_is_still_believed(read_only):
    assert [read_only.summary(stored.path) for stored in read_only.runs()] == [
        from_file(stored.path) for stored in read_only.runs()
    ]


def test_beside_an_index_that_can_only_be_read_a_changed_file_is_read_each_time(read_only, monkeypatch):
    monkeypatch.setattr(index, "_read", from_file)
    changed, *others = (stored.path for stored in read_only.runs())
    changed.write_text(changed.read_text().replace("12.3", "45.6"))
    os.utime(changed, ns=(10**18, 10**18))
    before, told = database(read_only).read_bytes(), []

    with Store(read_only.root, told.append).index() as whole:
        found = [whole.summary(path) for path in (changed, *others, changed)]

    assert found == [from_file(path) for path in (changed, *others, changed)]
    assert database(read_only).read_bytes() == before
    assert len(told) == 1
    assert "readonly" in told[0]


def test_an_index_that_another_process_holds_does_not_stop_anybody(store, monkeypatch):
    store.summary(store.runs()[0].path)
    monkeypatch.setattr(index, "WAIT_SECONDS", 0.05)
    told = []
    with closing(sqlite3.connect(database(store), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with Store(store.root, told.append).index() as whole:
            found = [whole.summary(stored.path) for stored in store.runs()]

    assert found == [from_file(stored.path) for stored in store.runs()]
    assert len(told) == 1
    assert "locked" in told[0]


READER = """
import json, sys
from pathlib import Path
from energy.records.storage.store import Store
from energy.records.summary import summarise_run
store = Store(Path(sys.argv[1]))
with store.index() as whole:
    for stored in store.runs() * 3:
        assert whole.summary(stored.path) == summarise_run(json.loads(stored.path.read_bytes()), stored.path)
"""


def test_two_processes_may_fill_the_index_at_once(store):
    for number in range(30):
        store.write(run([record(f"unet-{number}-{i}") for i in range(3)]))
    _age(store)
    database(store).unlink()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", READER, str(store.root)]
    readers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]

    answers = [reader.communicate(timeout=60)[0] for reader in readers]

    assert ([reader.returncode for reader in readers], answers) == ([0, 0], [b"", b""])


def test_a_number_that_no_float_holds_stays_out_of_the_index_and_exact(store):
    data = run([record()])
    params = data["benchmarks"][0]["extra_info"]["energy"]["metrics"]
    params["params"] = summarise_metric("params", [2**53 + 1])
    path = store.write(data)

    assert [store.summary(path).cases[0].values["params"] for _ in range(2)] == [(2**53 + 1,)] * 2


def test_nan_in_a_file_is_refused(store):
    path = store.runs()[0].path
    path.write_text(path.read_text().replace("12.3", "NaN", 1))

    with pytest.raises(RecordError, match="NaN; expected null"):
        store.summary(path)


def test_the_index_ignores_itself_and_disturbs_no_list(unread):
    folder = unread.root / ".index"

    assert (folder / ".gitignore").read_text() == "*\n"
    assert len(list(folder.glob("*.sqlite"))) == 1
    assert {stored.fingerprint for stored in unread.runs()} == {CPU, GPU}


def test_what_other_code_has_summarised_is_read_again(store, monkeypatch):
    path = store.runs()[0].path
    store.summary(path)
    monkeypatch.setattr(index, "_version", lambda: "of another commit")
    read = []
    monkeypatch.setattr(index, "_read", lambda path: read.append(path) or from_file(path))

    assert [store.summary(path) for _ in range(2)] == [from_file(path)] * 2
    assert read == [path]


def test_a_file_outside_of_the_results_folder_is_read_each_time(store, tmp_path):
    path = tmp_path / "elsewhere.json"
    path.write_text(json.dumps(run([record()])))

    assert store.summary(path) == from_file(path)


def test_without_a_results_folder_a_file_elsewhere_is_read_and_nothing_is_said(store, tmp_path):
    path, said = store.runs()[0].path, []

    with index.Index(tmp_path / "nowhere", said.append) as nowhere:
        assert nowhere.summary(path).cases

    assert said == []
    assert not (tmp_path / "nowhere").exists()


def test_packing_keeps_unknown_values_and_their_places():
    counts, values = pack_values([(1.0, None), (), (None,), (3.0,)])

    assert list(counts) == [2, 0, 1, 1]
    assert unpack_values(values) == (1.0, None, None, 3.0)


@pytest.mark.parametrize("full", [False, True])
def test_the_files_by_which_scale_is_measured_are_valid_runs(tmp_path, full):
    written = list(many_results._write(tmp_path, 2, 3, full))

    store = Store(tmp_path / "results")
    found = [store.summary(stored.path) for stored in store.runs()]
    assert [len(run.cases) for run in found] == [3, 3]
    assert found[0].cases[0].values["total_kj"] != found[1].cases[0].values["total_kj"]
    assert len(written[0]) / 3 > (10_000 if full else 2_000)
