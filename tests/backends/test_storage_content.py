"""The content of the scratch file identifies each block, and cannot be compressed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.host.storage.content import BLOCK, GENERATIONS, PATTERN, Content

blocks = st.integers(0, 1 << 24)


def filled(content: Content, block: int, count: int, generation: int = 0) -> bytearray:
    data = bytearray(count * BLOCK)
    content.fill(memoryview(data), block * BLOCK, generation)
    return data


@given(block=blocks, count=st.integers(1, 300), cut=st.integers(1, 300), seed=st.integers(0, 9))
def test_it_depends_on_the_place_and_not_on_how_it_is_written(
    block: int, count: int, cut: int, seed: int
) -> None:
    content = Content(seed)
    whole = filled(content, block, count)
    head = min(cut, count)
    assert whole[: head * BLOCK] == filled(content, block, head)
    if head < count:
        assert whole[head * BLOCK :] == filled(content, block + head, count - head)
    assert content.wrong(memoryview(whole), block * BLOCK) == -1


@given(block=blocks, generation=st.integers(0, GENERATIONS - 1))
def test_a_block_tells_which_write_it_is_from(block: int, generation: int) -> None:
    content = Content(1)
    data = memoryview(filled(content, block, 1, generation))
    assert content.generation(data, block * BLOCK) == generation


@given(block=blocks, other=blocks, at=st.integers(0, BLOCK - 1), flip=st.integers(1, 255))
def test_another_place_another_file_and_a_flipped_bit_are_noticed(
    block: int, other: int, at: int, flip: int
) -> None:
    content = Content(1)
    data = filled(content, block, 1)
    if other != block:
        assert content.generation(memoryview(data), other * BLOCK) == -1
    assert Content(2).generation(memoryview(data), block * BLOCK) == -1
    kept = bytes(data)
    data[at] ^= flip
    # In a valid block, only the generation (12 bits of the tag) may differ.
    found = content.generation(memoryview(data), block * BLOCK)
    assert found != 0 or bytes(data) == kept


def test_the_first_wrong_block_is_named() -> None:
    content = Content(1)
    data = filled(content, 512, 8)
    data[3 * BLOCK + 2000] ^= 1
    assert content.wrong(memoryview(data), 512 * BLOCK) == (512 + 3) * BLOCK


def test_zeros_are_not_content() -> None:
    assert Content(1).generation(memoryview(bytes(BLOCK)), 0) == -1


def test_it_cannot_be_compressed_or_deduplicated() -> None:
    content = Content(1)
    data = bytes(filled(content, 0, 4 * PATTERN // BLOCK))
    assert len(zlib.compress(data, 1)) > 0.99 * len(data)
    sectors = {data[at : at + 512] for at in range(0, len(data), 512)}
    assert len(sectors) == len(data) // 512


def test_only_whole_blocks_are_filled() -> None:
    content = Content(1)
    for size, offset in ((BLOCK + 1, 0), (BLOCK, 512)):
        with pytest.raises(ValueError, match="not whole blocks"):
            content.fill(memoryview(bytearray(size)), offset)
