"""Write a check for a GitHub Actions job: annotations in the log, and a step summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.requirements import gpus
from membench.analysis.check.rule import CheckVerdict
from membench.report.screens.check.markdown import to_markdown
from membench.report.screens.check.words import answer
from membench.report.screens.job_summary import append_summary


def publish(name: str, check: MachineCheck, failures: Sequence[str]) -> str:
    """Append the check to the job's step summary, and return the text to print.

    The text has the annotations, and then one line with the result. If there is no summary file or
    no room in the file, the text has the whole check instead of this line.

    Raises:
        OutputError: the summary file cannot be written.
    """
    whole = to_markdown(name, check, failures)
    rest = f"{answer(check, failures)}\n" if append_summary([whole]) else whole
    return "".join(f"{line}\n" for line in _annotations(name, check, failures)) + rest


def _annotations(name: str, check: MachineCheck, failures: Sequence[str]) -> Iterator[str]:
    """The annotations as GitHub workflow commands.

    Failures become errors. Devices with the verdict ``look`` and a known share become warnings.
    """
    title = _escaped(f"membench check {name}").replace(":", "%3A").replace(",", "%2C")
    yield from (f"::error title={title}::{_escaped(one)}" for one in failures)
    for line in check.lines:
        for one in line.devices:
            if one.verdict is CheckVerdict.LOOK and one.share is not None:
                text = f"{gpus([one.device])}{line.name}: {one.share_text} of the expected speed"
                yield f"::warning title={title}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
