"""The package as wheel, as editable install and as checkout, each run from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from membench import __version__

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = (
    "py.typed",
    "report/page/templates/report.css",
    "report/page/templates/report.html.j2",
    "thesis/claims/assumptions.toml",
    "thesis/claims/claims.toml",
    "thesis/claims/constant_words.json",
    "thesis/replay/curves.json",
    "thesis/replay/gap_sums.json",
    "thesis/claims/records.toml",
    "thesis/claims/verdicts.schema.json",
    "thesis/models/models.toml",
    "thesis/models/absent_keys.toml",
    "thesis/models/published_models.jsonl",
    "gpu/cuda/kernel_variants.json",
    "report/locale/zh_TW/LC_MESSAGES/membench.mo",
    "thesis/replay/traces/data/NOTICE",
    "thesis/replay/traces/data/LICENSE.azure",
    "thesis/replay/traces/data/LICENSE.kv-cache-tester",
    "thesis/replay/traces/data/LICENSE.mooncake",
    "thesis/replay/traces/data/AzureLLMInferenceTrace_code.csv.xz",
    "thesis/replay/traces/data/AzureLLMInferenceTrace_conv.csv.xz",
    "thesis/replay/traces/data/cc_traces_rle.jsonl.xz",
    "thesis/replay/traces/data/conversation_trace.jsonl.xz",
)
SOURCES = sorted(path.name for path in (ROOT / "kernels").iterdir())
REFERENCES = ROOT / "results" / "reference"
ASK = """
import json, membench, membench.gpu.cuda.kernel_files as files
print(json.dumps([membench.__file__, str(files.kernel_root()), files.kernel_names(),
                  [files.read_kernel(name) for name in files.kernel_names()]]))
"""
ASK_FOR_REFERENCES = """
import json, membench.analysis.references as found, membench.results.reference_files as files
print(json.dumps([str(files.reference_root()),
                  [[one.name, one.cases] for one in found.references()]]))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of ``command``, without environment variables that affect Python."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def new_environment(folder: Path) -> Path:
    """A new virtual environment with these packages but without membench; returns its Python.

    The search path ends with the packages of this environment. The .pth files in these packages,
    such as the file of an editable install, have no effect.
    """
    venv.EnvBuilder(symlinks=True).create(folder)
    python = folder / "bin" / "python"
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-I", "-c", show, cwd=folder).strip())
    seen = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in seen))
    return python


def install(python: Path, *what: str | Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "-q", "--no-index", "--no-deps", *what, cwd=python.parent)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    run(*build, cwd=out)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = new_environment(tmp_path_factory.mktemp("installed"))
    install(python, wheel)
    return python


@pytest.fixture(scope="module")
def from_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = new_environment(tmp_path_factory.mktemp("editable"))
    install(python, "--no-build-isolation", "-e", ROOT)
    return python


@pytest.fixture(scope="module")
def without_membench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_environment(tmp_path_factory.mktemp("bare"))


def test_wheel_holds_the_package_the_kernels_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    about = f"membench-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"membench", about}
    assert {f"membench/kernels/{name}" for name in SOURCES} <= set(names)
    assert {f"membench/{name}" for name in DATA} <= set(names)
    assert {"membench/py.typed", "membench/cli/__init__.py"} <= set(names)
    assert f"{about}/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name]
    assert wheel.name.endswith("-py3-none-any.whl")


def test_references_are_found_in_wheel_editable_install_and_bare_checkout(
    wheel: Path, from_wheel: Path, from_checkout: Path, without_membench: Path, tmp_path: Path
) -> None:
    folders = {path.name for path in REFERENCES.iterdir()}
    files = {path.relative_to(REFERENCES) for path in REFERENCES.glob("*/*")}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"membench/reference/{path}" for path in files} <= names
    answers = [
        json.loads(run(from_wheel, "-I", "-c", ASK_FOR_REFERENCES, cwd=tmp_path)),
        json.loads(run(from_checkout, "-I", "-c", ASK_FOR_REFERENCES, cwd=tmp_path)),
        json.loads(run(without_membench, "-c", ASK_FOR_REFERENCES, cwd=ROOT)),
    ]
    assert answers[0][0] != str(REFERENCES)
    assert [root for root, _ in answers[1:]] == [str(REFERENCES)] * 2
    for _, found in answers:
        assert {name for name, cases in found if cases} == folders


def test_wheel_finds_its_own_kernels(from_wheel: Path, tmp_path: Path) -> None:
    module, root, names, texts = json.loads(run(from_wheel, "-I", "-c", ASK, cwd=tmp_path))
    package = Path(module).parent
    assert package.is_relative_to(from_wheel.parents[1])
    assert Path(root) == package / "kernels"
    assert names
    assert texts == [(ROOT / "kernels" / name).read_text() for name in names]


def test_editable_install_finds_the_kernels_of_the_checkout(
    from_checkout: Path, tmp_path: Path
) -> None:
    module, root, names, _ = json.loads(run(from_checkout, "-I", "-c", ASK, cwd=tmp_path))
    assert Path(module) == ROOT / "membench" / "__init__.py"
    assert Path(root) == ROOT / "kernels"
    assert set(names) <= set(SOURCES)
    copies = list((from_checkout.parents[1] / "lib").glob("**/membench/kernels"))
    assert copies == []


def test_bare_checkout_finds_its_kernels(without_membench: Path) -> None:
    module, root, _, _ = json.loads(run(without_membench, "-c", ASK, cwd=ROOT))
    assert Path(module) == ROOT / "membench" / "__init__.py"
    assert Path(root) == ROOT / "kernels"


@pytest.mark.parametrize("installed", ["from_wheel", "from_checkout"])
def test_command_runs_from_another_directory(
    installed: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    python: Path = request.getfixturevalue(installed)
    command = python.parent / "membench"
    assert run(command, "--version", cwd=tmp_path).startswith(f"membench {__version__}")
    assert "ddr/copy" in run(command, "list", cwd=tmp_path)
    assert "ddr/copy" in run(python, "-I", "-m", "membench", "list", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_command_runs_from_a_bare_checkout(without_membench: Path) -> None:
    shown = run(without_membench, "-m", "membench", "--version", cwd=ROOT)
    assert shown.startswith(f"membench {__version__}")
    assert "ddr/copy" in run(without_membench, "-m", "membench", "list", cwd=ROOT)
