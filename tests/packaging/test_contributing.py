"""The examples of CONTRIBUTING.md are complete: a new benchmark needs no other edit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from contributing import copy_of_the_tree, drop_in, examples

LOOKING = (
    "tests/benches",
    "tests/core",
    "tests/doctor",
    "tests/kernels",
    "tests/machine",
    "tests/measure",
    "tests/packaging/test_documents.py",
    "tests/packaging/test_start_up.py",
    "tests/report/test_translate.py",
)
"""Tests that read all benches, kernels or documents."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the repository, without the examples."""
    copy_of_the_tree(tmp_path)
    return tmp_path


def run_pytest(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of ``tree`` that plain `pytest` selects, with ``arguments``."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_host_benchmark_is_one_file_and_a_kernel_is_three() -> None:
    assert [Path(name).parts[:2] for name in examples()] == [
        ("membench", "benches"),
        ("kernels", "stride.cu"),
        ("membench", "benches"),
        ("tests", "kernels"),
    ]


@pytest.mark.slow
def test_the_examples_pass_the_tests_without_another_edit(tree: Path) -> None:
    drop_in(tree)
    done = run_pytest(tree, "-n", "2", "--dist", "worksteal", *LOOKING)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_kernel_without_a_statement_is_asked_for_one_by_name(tree: Path) -> None:
    drop_in(tree)
    proof = tree / "tests" / "kernels" / "test_proof_stride.py"
    text = proof.read_text(encoding="ascii")
    statement = 'MACHINE_CODE = {"stride_read": Streams(loads=4, stores=0)}\n'
    assert statement in text
    proof.write_text(text.replace(statement, ""), encoding="ascii")
    done = run_pytest(tree, "tests/kernels/test_statements.py", "-k", "has_a_statement")
    assert done.returncode == 1
    assert "kernels/stride.cu: the entry stride_read has no machine-code statement" in done.stdout
    assert 'MACHINE_CODE = {"stride_read": Streams(' in done.stdout
