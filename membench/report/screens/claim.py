"""Print a claim of the thesis, for example for the command `membench explain C13`."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from membench.core.terms import ClaimClass
from membench.thesis.claims.commands import measuring
from membench.thesis.claims.ledger import Claim, Ledger, Part
from membench.thesis.claims.wording import rule_words

_CLASSES = {
    ClaimClass.MEASURED: "measured",
    ClaimClass.MODELLED: "modelled",
    ClaimClass.RECORD: "decided by public records",
    ClaimClass.OUT_OF_SCOPE: "not testable here",
}


def print_claim(console: Console, told: Ledger, claim: Claim) -> None:
    """Print the claim, its propositions with their rules, the notes, and the contrary evidence.

    If the console cannot encode Chinese, only the English text is printed.
    """

    def carried(text: str) -> bool:
        try:
            text.encode(console.encoding)
        except (LookupError, UnicodeEncodeError):
            return False
        return True

    console.print(Text(f"{claim.id}  {claim.english}", "bold"))
    if carried(claim.quote):
        console.print(Text(claim.quote))
    source = told.source if carried(told.source) else "theme report (in Chinese)"
    console.print(Text(f"{source}, {told.date.isoformat()}"))
    console.print(Text(f"Claimed: {claim.quantity}"))
    for part in claim.parts:
        console.print()
        console.print(Text(f"{part.id}  ({_CLASSES[part.cls]})", "bold"))
        for line in _lines(told, part):
            console.print(Padding(Text(line), (0, 0, 0, 2)))
    told_beside = (
        ("Note", claim.notes),
        ("Evidence against the claim", claim.contrary),
        ("Searched, but not found", claim.not_found),
    )
    for title, texts in told_beside:
        for text in texts:
            console.print()
            console.print(Text(f"{title}: {text}"))
    console.print()
    console.print("Next:")
    for command in measuring(told, claim.parts) or ("membench report mybox.csv -o verdicts.json",):
        console.print(Text(f"  {command}"), soft_wrap=True)


def _lines(told: Ledger, part: Part) -> list[str]:
    lines = [part.proposition]
    if part.thresholds:
        rule = rule_words(part.thresholds, part.unit)
        lines.append(f"Decided by: {part.decided_by}; {rule}.")
    for name in part.measurements:
        need = told.inputs[name]
        lines.append(f"Measures: {need.what} ({' or '.join(need.select)})")
    if part.assumptions:
        lines.append(f"Assumes: {', '.join(part.assumptions)}")
    if part.waits_for:
        lines.append(f"Undecided: {part.waits_for}")
    return lines
