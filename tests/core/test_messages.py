"""Messages: English text that keeps its template and values for translation."""

from __future__ import annotations

import copy
import json
import pickle
from gettext import NullTranslations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.messages import (
    Message,
    clauses,
    listed,
    said,
    sentence,
    sentences,
    span,
    tr,
    tr_n,
)


class _Chinese(NullTranslations):
    """A message catalogue with a few singular forms and one plural form."""

    forms = {  # noqa: RUF012 - a table
        "{input} is not measured": "未量測 {input}",
        "host memory": "主機記憶體",
        "{low} to {high}": "{low} 至 {high}",
        "{before}, {item}": "{before}、{item}",
        "{sentence}.": "{sentence}。",
        "{count} round": "{count} 輪",
        "{rate} at {place}": "於 {place} 達 {rate}",
        "{value} ({range})": "{value}\uff08{range}\uff09",
        "{number} tokens": "{number} 個 token",
    }

    def gettext(self, message: str) -> str:
        return self.forms.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.forms.get(msgid1, msgid1 if n == 1 else msgid2)


CHINESE = _Chinese()


def test_a_message_is_its_english_text() -> None:
    message = tr("{rate} at {place}", rate="3 GB/s", place="1MiB")
    assert message == "3 GB/s at 1MiB"
    assert json.dumps([message]) == '["3 GB/s at 1MiB"]'
    assert type(str(message)) is str
    assert f"{message}." == "3 GB/s at 1MiB."
    assert message.said(NullTranslations()) == message


def test_a_language_orders_the_parameters_as_it_likes() -> None:
    assert tr("{rate} at {place}", rate="3 GB/s", place="1MiB").said(CHINESE) == "於 1MiB 達 3 GB/s"


def test_parameters_that_are_messages_follow() -> None:
    missing = tr("{input} is not measured", input=tr("host memory"))
    assert missing == "host memory is not measured"
    assert said(sentence(missing), CHINESE) == "未量測主機記憶體。"
    both = listed([missing, span(3, 5)])
    assert both == "host memory is not measured, 3 to 5"
    assert said(both, CHINESE) == "未量測主機記憶體、3 至 5"


@pytest.mark.parametrize(("count", "english"), [(0, "0 rounds"), (1, "1 round"), (2, "2 rounds")])
def test_a_count_chooses_the_form(count: int, english: str) -> None:
    message = tr_n("{count} round", "{count} rounds", count)
    assert message == english
    assert message.said(NullTranslations()) == english
    assert message.said(CHINESE) == f"{count} 輪"


def test_chinese_is_spaced_from_latin_letters_and_not_from_itself() -> None:
    def missing(what: str) -> str:
        return tr("{input} is not measured", input=what).said(CHINESE)

    assert missing("16 bits") == "未量測 16 bits"
    assert missing("磁碟") == "未量測磁碟"
    assert tr("{a}{b}", a="磁碟", b="SSD").said(CHINESE) == "磁碟 SSD"
    assert tr("{a} {b}", a="磁碟\uff09", b="SSD").said(CHINESE) == "磁碟\uff09SSD"
    assert tr("{a} {b}", a="磁碟 ", b=" SSD").said(CHINESE) == "磁碟   SSD"
    assert tr("{number} tokens", number="5").said(CHINESE) == "5 個 token"
    ends = tr("{value} ({range})", value="5", range=span(3, 8))
    assert tr("{number} tokens", number=ends).said(CHINESE) == "5\uff083 至 8\uff09個 token"


@given(st.text())
def test_text_of_somebody_else_goes_through_untouched(text: str) -> None:
    for catalogue in (NullTranslations(), CHINESE):
        assert tr(text) == text
        if text not in CHINESE.forms:
            assert tr(text).said(catalogue) == text
            assert tr("{file} ", file=text).said(NullTranslations()).endswith(f"{text} ")


@given(st.text(), st.integers(0, 9))
def test_a_message_travels(text: str, count: int) -> None:
    message = tr_n("{count} of {text}", "{count} of {text}s", count, text=tr("{a}", a=text))
    for other in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
        assert isinstance(other, Message)
        assert other == message
        assert (other.msgid, other.plural, other.params) == (
            message.msgid,
            message.plural,
            message.params,
        )


@given(st.lists(st.text("ab,;. "), max_size=40))
def test_lists_are_those_of_the_language(items: list[str]) -> None:
    assert listed(items) == ", ".join(items)
    assert clauses(items) == "; ".join(items)
    assert said(listed(items), CHINESE) == "\u3001".join(items)


def test_a_list_may_be_long() -> None:
    several = [str(number) for number in range(5001)]
    assert said(listed(several), CHINESE) == "\u3001".join(several)


def test_lists_of_none_and_one() -> None:
    assert listed([]) == clauses([]) == sentences(["", ""]) == ""
    assert listed(["a"]) == "a"
    assert clauses(["a", "b", "c"]) == "a; b; c"
    assert sentences(["A.", "", "B."]) == "A. B."
    assert sentence("Done.") == "Done."
