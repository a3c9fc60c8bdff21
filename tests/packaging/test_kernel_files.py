"""Where membench finds the CUDA sources, and the errors for missing and unknown sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.core.errors import MembenchError
from membench.gpu.cuda import kernel_files


def test_package_data_comes_before_a_checkout_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, beside = tmp_path / "membench" / "kernels", tmp_path / "kernels"
    for folder, text in ((inside, "// inside\n"), (beside, "// beside\n")):
        folder.mkdir(parents=True)
        (folder / "a.cu").write_text(text)
    (inside / "b.cuh").write_text("")
    monkeypatch.setattr(kernel_files, "_PACKAGE", tmp_path / "membench")
    assert kernel_files.kernel_root() == inside
    assert kernel_files.kernel_names() == ("a.cu",)
    assert kernel_files.read_kernel("a.cu") == "// inside\n"
    assert kernel_files.read_kernel("b.cuh") == ""


def test_missing_sources_are_one_line_that_names_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_files, "_PACKAGE", tmp_path / "membench")
    with pytest.raises(MembenchError) as caught:
        kernel_files.kernel_root()
    message = str(caught.value)
    assert str(tmp_path / "membench" / "kernels") in message
    assert str(tmp_path / "kernels") in message
    assert "\n" not in message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nothing.cu", "../pyproject.toml", "", "."])
def test_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(MembenchError, match=r"the sources are: .*stream\.cu"):
        kernel_files.read_kernel(name)
