"""docs/thesis.md agrees with the ledger, and the examples in it are correct."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from membench.core.terms import ClaimVerdict
from membench.report.locale import catalogue
from membench.report.screens.claim import print_claim
from membench.thesis.claims.assumptions import parse
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.verdict_words import VERDICTS
from membench.thesis.claims.verdicts import verdicts
from membench.thesis.claims.wording import rule_words

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "thesis.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples" / "verdicts").glob("*.json"))


def test_every_proposition_and_rule_is_told() -> None:
    for part in ledger().parts:
        rule = rule_words(part.thresholds, part.unit) if part.thresholds else "not testable here"
        decided = part.decided_by if part.thresholds else part.waits_for
        row = f"| {part.id} | {part.cls} | {part.proposition} | {decided} | {rule} |"
        assert row in PAGE


def test_explain_tells_contrary_evidence_and_notes() -> None:
    told = ledger()
    for claim in told.claims:
        stream = io.StringIO()
        print_claim(Console(file=stream, width=10_000), told, claim)
        for text in (*claim.contrary, *claim.notes, *claim.not_found):
            assert f": {text}\n" in stream.getvalue()


def test_the_entries_that_it_shows_are_taken() -> None:
    shown = PAGE.partition("```toml\n")[2].partition("```")[0]
    assert set(parse(shown, "the page")) == {
        "price.essd",
        "record.tsmc.n2_share_2026",
        "measurement.gemm",
    }


def flip_words(flip: dict[str, str]) -> str:
    return f"{flip['name']} {flip['change']}: {flip['becomes']}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_what_the_schema_says_and_the_page_tells(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    schema = ROOT / "membench" / "thesis" / "claims" / "verdicts.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    claims = document["subjects"][0]["claims"]
    words = {claim["id"]: claim["verdict"] for claim in claims}
    assert set(words.values()) >= {
        ClaimVerdict.SUPPORTED,
        ClaimVerdict.INCONCLUSIVE,
        ClaimVerdict.NOT_TESTABLE,
    }
    verdicts = PAGE.partition("## Verdicts so far")[2]
    column = 2 if path.stem.startswith("cited") else 1
    for name, word in words.items():
        row = next(line for line in verdicts.splitlines() if line.startswith(f"| {name} | "))
        assert row.split(" | ")[column].startswith(word)
    assert bool(document["subjects"][0]["badges"]) == path.stem.startswith("cited")
    if column == 1:
        assert all(flip_words(claim["flip"]) in verdicts for claim in claims if claim["flip"])


CHINESE = {word: str(name.said(catalogue("zh-TW"))) for word, name in VERDICTS.items()}
"""The verdict words of the Chinese report, which the Chinese page must use too."""


def test_the_chinese_page_tells_the_same_verdicts() -> None:
    page = (ROOT / "docs" / "thesis.zh-TW.md").read_text(encoding="utf-8")
    cited, cpu = (json.loads(path.read_text(encoding="utf-8")) for path in EXAMPLES)
    pairs = zip(cpu["subjects"][0]["claims"], cited["subjects"][0]["claims"], strict=True)
    for here, there in pairs:
        words = [CHINESE[ClaimVerdict(one["verdict"])] for one in (here, there)]
        assert f"| {here['id']} | {words[0]} | {words[1]} |" in page


def test_the_chinese_page_keeps_to_the_words_and_marks_of_the_report() -> None:
    page = (ROOT / "docs" / "thesis.zh-TW.md").read_text(encoding="utf-8")
    text = re.sub(r"```.*?```|`[^`]*`|\[[^\]]*\]\([^)]*\)", "", page, flags=re.DOTALL)
    han = "\u4e00-\u9fff"
    touching = rf"[{han}][A-Za-z0-9]|[A-Za-z0-9%][{han}]"
    marks = rf"[{han}] ?[,:;.(](?!\*)|\) ?[{han}]"
    assert [line for line in text.splitlines() if re.search(f"{touching}|{marks}", line)] == []
    for other in ("論題", "未定", "回合", "軌跡", "token"):
        assert other not in text


def test_both_pages_tell_what_was_tried() -> None:
    page = (ROOT / "docs" / "thesis.zh-TW.md").read_text(encoding="utf-8")
    chinese = page.partition("## 試過什麼")[2].partition("\n## ")[0]
    english = PAGE.partition("**What was tried")[2].partition("\n## ")[0]
    rows = [
        [re.findall(r"C\d\d[a-e]?", line) for line in text.splitlines() if line.startswith("| C")]
        for text in (english, chinese)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 10


@pytest.mark.slow
def test_the_commands_that_it_shows_move_their_claims() -> None:
    """Tests the options on the page, each with its documented verdict."""
    shown = re.findall(r"--assume '([^']+)'\s+# (C\d\d): (\w+)", PAGE)
    assert len(shown) == 3
    (subject,) = verdicts([], assume=[option for option, _, _ in shown], draws=60).subjects
    words = {result.claim.id: str(result.word) for result in subject.claims}
    assert all(words[claim] == word for _, claim, word in shown)


def test_there_are_examples_of_both_kinds() -> None:
    assert [path.stem for path in EXAMPLES] == ["cited-h100-h200", "epyc-zen4-2cpu-vm"]
