"""Write a check as JUnit XML.

The test cases are the preconditions, each device of each line, the stragglers, and the requirements
that are not met.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from xml.etree import ElementTree as ET

from membench.analysis.check.lines import DeviceLine, TierLine
from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.preconditions import PreconditionState
from membench.analysis.check.requirements import WORDS, gpus
from membench.analysis.check.rule import CheckVerdict
from membench.core.record import record
from membench.core.text import counted

_FAILED = frozenset({CheckVerdict.FAIL, CheckVerdict.FAULT})


@record
class JunitCase:
    """``failure`` and ``skipped`` are messages; both are empty if the case passed."""

    group: str
    name: str
    failure: str = ""
    skipped: str = ""


def to_junit(name: str, check: MachineCheck, unmet: Sequence[str], fail_on: Collection[str]) -> str:
    """``check`` as JUnit XML with one test suite.

    Args:
        unmet: messages about requirements that are not met.
        fail_on: further states that count as failures: look, not-judged, straggler.
    """
    failed = _FAILED | {WORDS[word] for word in fail_on if word in WORDS}
    cases = [*_cases(check, failed, "straggler" in fail_on)]
    cases += [JunitCase("required", one, failure=one) for one in unmet]
    suite = ET.Element(
        "testsuite",
        name=f"membench check {name}",
        tests=str(len(cases)),
        failures=str(sum(bool(case.failure) for case in cases)),
        errors="0",
        skipped=str(sum(bool(case.skipped) for case in cases)),
    )
    for case in cases:
        element = ET.SubElement(
            suite, "testcase", classname=f"membench.{case.group}", name=case.name
        )
        if case.failure:
            ET.SubElement(element, "failure", message=case.failure)
        elif case.skipped:
            ET.SubElement(element, "skipped", message=case.skipped)
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'


def _cases(
    check: MachineCheck, failed: Collection[CheckVerdict], with_stragglers: bool
) -> Iterator[JunitCase]:
    for one in check.preconditions:
        text = f"{one.state}: {one.seen}"
        bad = one.state is PreconditionState.BAD
        unsure = one.state in (PreconditionState.UNKNOWN, PreconditionState.OTHER)
        yield JunitCase(
            "precondition",
            f"{gpus([one.device])}{one.name}",
            failure=text if bad else "",
            skipped=text if unsure else "",
        )
    for line in check.lines:
        yield from (_case(line, one, failed) for one in line.devices)
    for straggler in check.stragglers:
        text = (
            f"{straggler.name} is slower than its peers in {counted(len(straggler.slow), 'case')}"
        )
        key = "failure" if with_stragglers else "skipped"
        yield JunitCase("straggler", straggler.name, **{key: text})


def _case(line: TierLine, one: DeviceLine, failed: Collection[CheckVerdict]) -> JunitCase:
    share = "" if one.share is None else f" ({one.share_text} of the expected speed)"
    text = f"{one.verdict}{share}{f': {one.why}' if one.why else ''}"
    return JunitCase(
        str(line.tier),
        f"{gpus([one.device])}{line.name}",
        failure=text if one.verdict in failed else "",
        skipped=text if one.verdict is CheckVerdict.NOT_JUDGED else "",
    )
