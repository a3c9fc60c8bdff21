"""The report in Traditional Chinese: no form of words is missing in either catalogue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from membench.benches import registry
from membench.core.terms import FLAGS
from membench.report.page import translate
from membench.report.page.compose import compose
from membench.report.page.document import Document, Table
from membench.report.page.runs import read_runs
from membench.report.page.translate import LANGUAGES, SOURCE, catalogue, translated, translator
from membench.results.schema import Row
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.verdicts import verdicts

OTHERS = [language for language in LANGUAGES if language != SOURCE]
HOLE = re.compile(r"\{\d\}")
NAMES = re.compile(
    # what is a name in both languages: ids, units, models, engines, options, codes
    r"\S*[/_=.@\-\d]\S*|\b(?:token|membench|reads|block|pages|hbm|smem|ddr|ssd|link|gpu|cpu|gemm|cuda|"
    r"storage|noisy|glibc|madvise|thp|quick|profile|memory|system|kernel|python|bookworm|copy|"
    r"triad|dense|sparse|caching|prefix|pool|attention|and|scout|maverick|box|engine|element|"
    r"round|mean|batch|loop|bulk|contig|front|firecracker|thread|theme|report|zerocopy|read|of|full|tokens|qd|wins)\b"
)
WORD = re.compile(r"\b[a-z]{3,}\b")


@pytest.fixture(scope="module")
def document(
    tmp_path_factory: pytest.TempPathFactory,
    with_tiers: tuple[Row, ...],
    make_file: Callable[..., Path],
) -> Document:
    """A report of two runs with every plot."""
    folder = tmp_path_factory.mktemp("lang")
    first = make_file(folder / "a.csv", with_tiers)
    other = [replace(row, run_id="other-1", machine="box-2") for row in with_tiers[1:]]
    second = make_file(folder / "b.csv", other, sidecar=False)
    sources, runs = read_runs([first, second])
    return compose(sources, runs, verdicts([row for run in runs for row in run.rows]))


@pytest.mark.parametrize("language", OTHERS)
def test_the_catalogues_have_the_same_forms_with_the_same_holes(language: str) -> None:
    source, other = catalogue(SOURCE), catalogue(language)
    assert source.keys() == other.keys()
    for key, text in source.items():
        assert Counter(HOLE.findall(text)) == Counter(HOLE.findall(other[key])), key
        assert other[key].strip(), key
    assert len(set(source.values())) == len(source)


@pytest.mark.slow
@pytest.mark.parametrize("language", OTHERS)
def test_every_word_of_a_report_is_translated(document: Document, language: str) -> None:
    say = translator(language).say
    left = {text: rest for text in _texts(document) if (rest := WORD.findall(_rest(say(text))))}
    assert left == {}


def _rest(text: str) -> str:
    return NAMES.sub(" ", text)


def _texts(value: Any, *, source: bool = False) -> Iterator[str]:
    """The texts that a reader reads; sources of assumptions are citations and stay."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)
    elif is_dataclass(value) and not isinstance(value, translate._KEPT):
        if isinstance(value, Table) and value.columns[-1].title == "source":
            yield value.caption
            return
        for one in fields(value):
            if one.name not in translate._KEPT_FIELDS:
                yield from _texts(getattr(value, one.name))


@pytest.mark.parametrize("language", OTHERS)
def test_claims_and_flags_are_translated(language: str) -> None:
    say = translator(language)
    for claim in ledger().claims:
        assert say.say(claim.english) == claim.quote
        texts = [claim.quantity, *claim.notes, *claim.contrary]
        for part in claim.parts:
            texts += [part.proposition, part.decided_by, part.waits_for]
        assert [text for text in texts if say.lacks(text)] == []
    for flag in FLAGS.values():
        assert [t for t in (flag.meaning, flag.weight, flag.remedy) if say.lacks(t)] == []


@pytest.mark.slow
def test_chinese_keeps_ids_quotes_numbers_and_pictures(document: Document) -> None:
    found = translated(document, "zh-TW")
    assert found.language == "zh-Hant-TW"
    assert found.title == document.title
    plots, theirs = document.sections[1].blocks, found.sections[1].blocks
    for one, other in zip(plots, theirs, strict=True):
        assert getattr(one, "svg", "") == getattr(other, "svg", "")
        assert getattr(one, "caption", "") != getattr(other, "caption", "-")
    pairs = list(zip(_tables(document), _tables(found), strict=True))
    cited = [pair for pair in pairs if pair[0].columns[-1].title == "source"]
    assert cited
    for before, after in cited:
        assert [row[-1] for row in before.rows] == [row[-1] for row in after.rows]


def _tables(value: Any) -> Iterator[Table]:
    if isinstance(value, Table):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _tables(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tables(getattr(value, field.name))


@pytest.mark.parametrize("language", OTHERS)
def test_what_a_bench_says_of_itself_is_translated_as_a_whole(language: str) -> None:
    """Taken apart at its commas, half of a sentence would stay English."""
    said = {name: one.summary.rstrip(".") for name, one in registry().benches.items()}
    forms = set(catalogue(SOURCE).values())
    assert {name: text for name, text in said.items() if text not in forms} == {}
    say = translator(language).say
    assert all(re.search("[\u4e00-\u9fff]", say(text)) for text in said.values())


def test_text_of_others_goes_through_untouched() -> None:
    say = translator("zh-TW").say
    for text in ("<script>alert(1)</script>", "{0} {1}", "\\1 \\g<0>", "a" * 5000, "", "{9}"):
        assert say(text) == text
    assert say("3 rows of 2 cases measured") == "已量測 2 個案例、3 列"
