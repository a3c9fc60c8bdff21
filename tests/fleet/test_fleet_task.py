"""The answer of a host on which membench cannot begin the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.core.errors import MembenchError
from membench.fleet import task
from membench.fleet.collect import keep


@pytest.fixture(autouse=True)
def outside_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "_Task", lambda request: None)


def failure(directory: Path, tmp_path: Path) -> str:
    """What the client shows for a host that cannot use ``directory``."""
    request = task.HostRequest("20261125T010349Z-6ba2", "node-1", (), str(directory))
    with pytest.raises(MembenchError) as caught:
        keep(tmp_path, "node-1", task.measure(request))
    return str(caught.value)


def test_the_answer_names_the_remedy(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    file = tmp_path / "file"
    file.touch()
    start, end = (
        "the run ended with exit code 1: ",
        " (choose another directory with --host-directory)",
    )
    assert failure(public, tmp_path) == (
        f"{start}{public} is not a directory that only you can write to{end}"
    )
    assert failure(file, tmp_path) == f"{start}cannot write {file}: File exists{end}"
    assert failure(file / "below", tmp_path) == (
        f"{start}cannot write {file / 'below'}: Not a directory{end}"
    )
    lock = tmp_path / "home" / "host.lock"
    lock.mkdir(parents=True)
    assert failure(lock.parent, tmp_path) == f"{start}cannot write {lock}: Is a directory{end}"


def test_a_file_that_is_too_large_to_send_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "MAX_FILE", 1000)
    home = tmp_path / "home"
    csv = home / "20261125T010349Z-6ba2" / "node-1.csv"
    csv.parent.mkdir(parents=True)
    csv.write_bytes(b"x" * 1001)
    csv.with_suffix(".json").touch()  # so that the run counts as complete
    assert f"{csv}: the file is larger than" in failure(home, tmp_path)
