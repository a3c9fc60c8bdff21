"""English words in a translated page that are no id, unit, name or quotation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser

from page import VOID

_LINES = frozenset(
    {"p", "li", "td", "th", "caption", "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd", "summary"}
    | {"title", "desc", "text", "figcaption", "a", "div"}
)
"""HTML and SVG elements that start a new line of text."""
_IDS = re.compile(
    # A word with a digit, a slash or a similar sign is an id, a size, a version or a model name.
    r"[\w./=*+@:-]*[\d/=_@][\w./=*+@:-]*|\b[a-z]+(?:\.\w+)+\b|(?<!\w)--?[a-z][a-z-]*|'[^']*'|"
    r"\.{3}[\w.]+|「[^」\u4e00-\u9fff]*」",
    re.ASCII,
)
_ACRONYM = re.compile(r"\b[A-Z]{2,}s?\b|\b[A-Z]?[a-z]?[A-Z]{2}\w*\b", re.ASCII)
_UNITS = r"ns|us|ms|[KMGT]iB|[TG]FLOP|FLOPs"
_PRODUCTS = (
    r"membench run|membench|Linux|Debian|Python|Rubin|rubin|Vera|Blackwell|Hopper|Grace|BlueField|"
    r"NVLink|CoWoS|cublasLt|glibc|firecracker|Mooncake|LMCache|SGLang|vLLM|RadixAttention|aiconfigurator|"
    r"DeepSeek|[Ll]lama|Scout|Maverick|Mistral|Mixtral|Qwen|Kimi|gpt-oss|Pro|Flash"
)
_SOURCES = (
    r"Micron|Samsung|Citi|Kneedle|Satopaa|Little|TrendForce|SemiAnalysis|Kiwoom|Silicon Analysts|"
    r"Chosun Biz|Computex|arXiv"
)
_PARAMETERS = (
    r"copy|scale|add|triad|qd|size|reads|count|block|tile|cpu|mem|ddr|ssd|hbm-read|gemm|zerocopy|"
    r"decode|quick|full|max|madvise|batch|sm|storage|cuda"
)
"""STREAM's kernels, and parts of case ids and options.

A translated sentence repeats these words.
"""
_KNOWN = re.compile(rf"\b(?:{_UNITS}|{_PRODUCTS}|{_SOURCES}|{_PARAMETERS})\b", re.ASCII)
_WORD = re.compile(r"[A-Za-z]{2,}")


class _Lines(HTMLParser):
    """The lines of text of a page, without code and without elements in another language."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        other = tag != "html" and "lang" in dict(attrs)
        self._open.append((tag, other or tag in ("style", "code", "pre")))
        if tag in _LINES:
            self.end()

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()
        if tag in _LINES:
            self.end()

    def handle_data(self, data: str) -> None:
        if not any(skipped for _, skipped in self._open):
            self._line.append(data)

    def end(self) -> None:
        self.lines += filter(None, [" ".join("".join(self._line).split())])
        self._line.clear()


def lines_of(html: str) -> list[str]:
    """The distinct lines of text of a page and its plots, in order."""
    parser = _Lines()
    parser.feed(html)
    parser.close()
    parser.end()
    return list(dict.fromkeys(parser.lines))


def english_in(line: str, also: Iterable[str] = ()) -> list[str]:
    """The English words of ``line``, without the quoted texts ``also``."""
    for quoted in also:
        line = line.replace(quoted, " ")
    for known in (_IDS, _KNOWN, _ACRONYM):
        line = known.sub(" ", line)
    return _WORD.findall(line)
