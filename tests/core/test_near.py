"""Suggestions for a mistyped word: the known words with the most similar letters."""

from __future__ import annotations

import pytest

from membench.core.near import asked_back, did_you_mean, nearest

NAMES = ("h20", "h100-sxm", "h200-sxm", "gh200-96", "Llama-3.1-8B")


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("h200", "h200-sxm"),  # completes the abbreviation, although h20 differs by fewer letters
        ("h20", "h20"),
        ("H200-smx", "h200-sxm"),
        ("lama-3.1-8b", "Llama-3.1-8B"),
    ],
)
def test_the_best_suggestion_comes_first(word: str, first: str) -> None:
    assert nearest(word, NAMES)[0] == first


@pytest.mark.parametrize("word", ["", "quite another word", "x20"])
def test_a_word_that_is_near_none_has_no_suggestion(word: str) -> None:
    assert nearest(word, NAMES) == []
    assert did_you_mean(word, NAMES, "see the list") == "see the list"


def test_suggestions_are_asked_back_in_one_sentence() -> None:
    assert asked_back([]) == ""
    assert asked_back(["a"]) == "did you mean a?"
    assert asked_back(["a", "b"]) == "did you mean a or b?"
    assert asked_back(["a", "b", "c"]) == "did you mean a, b or c?"
