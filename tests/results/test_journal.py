"""The journal: durable, exclusive, and readable after a crash at any time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from membench.core.errors import JournalError, OutputError
from membench.results.case_result import CaseResult
from membench.results.journal.reading import JournalEvent, read_journal
from membench.results.journal.writing import Journal
from membench.results.plan import Plan

MakePlan = Callable[..., Plan]
MakeUnit = Callable[..., CaseResult]

MACHINE = {"slug": "box-1", "cpu": {"usable": 2}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.journal"


@pytest.fixture
def journal(path: Path, make_plan: MakePlan) -> Iterator[Journal]:
    with Journal.create(path, make_plan(), MACHINE) as journal:
        yield journal


def test_what_was_written_is_read(
    path: Path, journal: Journal, make_plan: MakePlan, make_unit: MakeUnit
) -> None:
    journal.note("round", {"round": 1, "order": ["a", "b"], "clock": float("nan")})
    journal.append(make_unit(1))
    journal.append(make_unit(2))
    contents = read_journal(path)  # reads the journal while it is open, as a progress display may
    assert contents.plan == make_plan()
    assert contents.machine == MACHINE
    assert contents.units == (make_unit(1), make_unit(2))
    assert contents.notes == (
        JournalEvent("round", {"round": 1, "order": ["a", "b"], "clock": "nan"}),
    )
    assert contents.length == path.stat().st_size
    first = json.loads(path.read_text().splitlines()[0])
    assert first["schema"] == "membench.journal/1"


def test_the_last_unit_of_a_round_and_case_wins(
    path: Path, journal: Journal, make_unit: MakeUnit
) -> None:
    for unit in (make_unit(1, 10.0), make_unit(2), make_unit(1, 30.0)):
        journal.append(unit)
    assert read_journal(path).units == (make_unit(2), make_unit(1, 30.0))


def test_resuming_goes_on_where_it_ended(path: Path, journal: Journal, make_unit: MakeUnit) -> None:
    journal.append(make_unit(1))
    journal.close()
    resumed, contents = Journal.resume(path)
    with resumed:
        assert contents.units == (make_unit(1),)
        resumed.append(make_unit(2))
    assert read_journal(path).units == (make_unit(1), make_unit(2))


def test_a_journal_torn_at_any_byte_of_its_last_line(
    path: Path, journal: Journal, make_unit: MakeUnit
) -> None:
    journal.append(make_unit(1))
    journal.close()
    good = path.read_bytes()
    resumed, _ = Journal.resume(path)
    with resumed:
        resumed.append(make_unit(2))
    whole = path.read_bytes()
    for end in range(len(good), len(whole)):
        path.write_bytes(whole[:end])
        contents = read_journal(path)
        assert contents.units == (make_unit(1),)
        assert contents.length == len(good)
    for torn in (whole[:-20], whole[:-20] + b"\n", good + b"\0" * 99, good + b"[1]\n"):
        path.write_bytes(torn)
        resumed, contents = Journal.resume(path)
        with resumed:
            assert path.read_bytes() == good
            resumed.append(make_unit(2))
        assert path.read_bytes() == whole


def test_a_journal_torn_before_its_plan_was_written(path: Path, journal: Journal) -> None:
    journal.close()
    whole = path.read_bytes()
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        with pytest.raises(JournalError, match="has no plan"):
            Journal.resume(path)


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, b"{", "is damaged at line 1: the line is not a JSON object"),
        (2, b'{"unit":{"rou', "is damaged at line 2: the line is not a JSON object"),
        (2, b'{"unit":{"round":1}}', "is damaged at line 2: CaseResult: 'case' is missing"),
        (2, b"[]", "is damaged at line 2: the line is not a JSON object"),
        (3, b'{"note":{}}', "is damaged at line 3: JournalEvent: 'kind' is missing"),
        (1, b'{"schema":"membench.journal/2"}', "is a membench.journal/2, which this version"),
        (1, b'{"schema":"other/1"}', "is not a journal of membench"),
        (1, b'{"schema":"membench.journal/1"}', "is damaged at line 1: the line has no plan"),
    ],
)
def test_damage_in_the_middle_is_named(
    path: Path, journal: Journal, make_unit: MakeUnit, number: int, line: bytes, message: str
) -> None:
    journal.append(make_unit(1))
    journal.append(make_unit(2))
    journal.close()
    lines = path.read_bytes().splitlines()
    lines[number - 1] = line
    path.write_bytes(b"\n".join([*lines, b""]))
    before = path.read_bytes()
    with pytest.raises(JournalError) as refused:
        Journal.resume(path)
    assert str(refused.value).startswith(f"{path} {message}")
    assert path.read_bytes() == before


def test_records_of_a_later_version_are_passed_over(
    path: Path, journal: Journal, make_unit: MakeUnit
) -> None:
    journal.append(make_unit(1))
    journal.close()
    with path.open("a") as file:
        file.write('{"weather":"fine"}\n')
    assert read_journal(path).units == (make_unit(1),)


def test_an_existing_journal_is_not_overwritten(
    path: Path, journal: Journal, make_plan: MakePlan
) -> None:
    journal.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="exists") as refused:
        Journal.create(path, make_plan(), MACHINE)
    assert "--resume" in refused.value.hint
    assert path.read_bytes() == before


RESUME = """
import pathlib, sys
from membench.core.errors import JournalError
from membench.results.journal.writing import Journal
try:
    journal, contents = Journal.resume(pathlib.Path(sys.argv[1]))
    print("resumed", len(contents.units))
except JournalError as error:
    print(error)
"""


def test_a_second_process_is_refused_until_the_first_lets_go(path: Path, journal: Journal) -> None:
    def second() -> str:
        command = [sys.executable, "-c", RESUME, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert second() == f"another run is writing {path}\n"
    journal.close()
    assert second() == "resumed 0\n"


FULL = """
import pathlib, resource, sys
from membench.core.errors import OutputError
from membench.results.journal.writing import Journal
from membench.results.case_result import CaseResult
from membench.core.terms import Status

path = pathlib.Path(sys.argv[1])
journal, _ = Journal.resume(path)
limit = path.stat().st_size + 1000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
unit = lambda reason: CaseResult(1, "ddr/a", Status.FAILED, "2026-01-31T08:00:00Z", reason)
before = path.stat().st_size
for attempt in range(2):
    try:
        journal.append(unit("x" * 2000))
    except OutputError as error:
        print(error, "|", error.hint)
    assert path.stat().st_size == before
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(unit("short"))
"""


def test_a_full_disk_costs_one_record_and_no_journal(path: Path, journal: Journal) -> None:
    journal.close()
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == second
    assert first.startswith(f"cannot write {path}: File too large | ")
    assert first.endswith("then continue the run with --resume")
    assert [unit.reason for unit in read_journal(path).units] == ["short"]


def test_no_journal_where_none_can_be(tmp_path: Path, make_plan: MakePlan) -> None:
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "none" / "r.journal", tmp_path / "file" / "r.journal"):
        with pytest.raises(OutputError, match=f"cannot write {path}"):
            Journal.create(path, make_plan(), MACHINE)


CREATE_FULL = """
import pathlib, resource, sys
from membench.core.errors import OutputError
from membench.results.journal.writing import Journal
from membench.core.plain import load
from membench.results.plan import Plan
import json
import os
plan = load(Plan, json.loads(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    Journal.create(pathlib.Path(sys.argv[1]), plan, {})
except OutputError as error:
    print(error)
"""


def test_a_journal_that_cannot_hold_its_plan_leaves_no_file(
    path: Path, journal: Journal, tmp_path: Path
) -> None:
    plan = json.dumps(json.loads(path.read_text())["plan"])
    other = tmp_path / "other.journal"
    done = subprocess.run(
        [sys.executable, "-B", "-c", CREATE_FULL, str(other), plan],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"cannot write {other}: File too large\n"
    assert not other.exists()


def test_resuming_nothing(path: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no .*nothing to resume"):
        Journal.resume(path)
    with pytest.raises(JournalError, match="cannot read"):
        Journal.resume(tmp_path)


def test_removing_and_closing_twice(path: Path, journal: Journal) -> None:
    journal.remove()
    journal.close()
    assert not path.exists()


EDITS: dict[str, list[object]] = {
    "rounds": [0, -1, 10**6, 10**30],
    "seed": [-1, 2**64],
    "timeout": [0, -5.0, "inf", "nan", 1e308],
    "disk_budget": [-1, 2**70],
    "run_id": ["", "../x", "a\u0000b"],
    "machine": ["", "Not A Slug"],
    "started": ["yesterday", "2026"],
    "cases": [[]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in EDITS.items() for value in values]
)
def test_an_edited_plan_is_refused_in_one_line(
    path: Path, journal: Journal, field: str, value: object
) -> None:
    journal.close()
    content = json.loads(path.read_text())
    content["plan"][field] = value
    path.write_text(json.dumps(content) + "\n")
    with pytest.raises(JournalError, match="damaged at line 1") as error:
        read_journal(path)
    assert len(str(error.value).splitlines()) == 1


CASE_EDITS: dict[str, list[object]] = {
    "id": ["", "\u202e"],
    "version": [0, 2**70],
    "seconds": [-1, "inf", "nan"],
    "memory": [-1],
    "disk": [2**63],
    "gpu": [-1, 10**6],
    "rounds": [-1, 10**6],
    "params": [{"n": 10**30}],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in CASE_EDITS.items() for value in values]
)
def test_an_edited_case_is_refused_in_one_line(
    path: Path, journal: Journal, field: str, value: object
) -> None:
    journal.close()
    content = json.loads(path.read_text())
    content["plan"]["cases"][0][field] = value
    path.write_text(json.dumps(content) + "\n")
    with pytest.raises(JournalError, match="damaged at line 1") as error:
        read_journal(path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "line", [b"[" * 5000, b'{"a":' * 100_000, b'{"unit": ' + b"9" * 5000 + b"}"]
)
def test_a_line_that_nobody_wrote_is_named(path: Path, journal: Journal, line: bytes) -> None:
    journal.close()
    with path.open("ab") as file:
        file.write(line + b'\n{"note": {"kind": "a"}}\n')
    with pytest.raises(JournalError, match="damaged at line 2"):
        read_journal(path)


def test_a_link_to_a_journal_is_none(path: Path, journal: Journal) -> None:
    journal.close()
    before = path.read_bytes()
    link = path.with_name("link.journal")
    link.symlink_to(path)
    for read in (read_journal, Journal.resume):
        with pytest.raises(JournalError, match=r"link\.journal is a symbolic link"):
            read(link)
    assert path.read_bytes() == before


def test_a_pipe_is_no_journal_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    for read in (read_journal, Journal.resume):
        with pytest.raises(JournalError):
            read(path)
