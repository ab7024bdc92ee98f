"""The model file: which blocks are main text.

`model.bin` beside this module is what `train.py` writes and the native library reads; native/model.hpp
describes its layout, MODEL_CARD.md what it was made from.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpus.extraction.blocks.library import (
    CLASS_SLOTS,
    FORMATS,
    Floats,
    LibraryError,
    Page,
    features_digest,
    load,
)
from corpus.extraction.structure import Format

MODEL = Path(__file__).with_name("model.bin")
MAGIC, FORMAT = b"GMBLOCKS", 1
HEADER = struct.Struct("<8sI32sQ")
"""Magic, format, SHA-256 of the features, FNV-1a of all that follows."""
LEAF_UNIT = 2.0**-24
CLASS_SCORE_UNIT = 2.0**-10
MOST_LEAVES = 64


@dataclass(frozen=True)
class Tree:
    """A tree as it grew: split k divides a leaf; what fails its condition becomes leaf k + 1."""

    splits: tuple[tuple[int, float, int], ...]
    """Feature, threshold (a float32; the condition is "at most"), leaf."""
    values: tuple[int, ...]
    """Of the leaves, in units of 2^-24: log odds, summed over trees."""


class Model:
    """A model in the native library's memory. Raises LibraryError for bytes that it does not take."""

    def __init__(self, file: bytes) -> None:
        self._library = load()
        if len(file) >= HEADER.size and HEADER.unpack_from(file)[2].hex() != features_digest():
            raise LibraryError(
                "the model was trained on other features: `python -m corpus.extraction.blocks.train`"
            )
        wrong = ctypes.c_char_p()
        self._handle: int | None = self._library.gm_model_read(file, len(file), ctypes.byref(wrong))
        if not self._handle:
            raise LibraryError(f"the model cannot be used: {(wrong.value or b'').decode()}")

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.gm_model_free(self._handle)

    def probabilities(self, page: Page) -> tuple[Floats, Floats]:
        """The first and the second stage's probabilities that blocks are main text; one a block."""
        first, second = np.zeros(len(page), np.float32), np.zeros(len(page), np.float32)
        if self._library.gm_probabilities(self._handle, page.handle, first.ctypes.data, second.ctypes.data):
            raise MemoryError("no memory for this page")
        return first, second

    def extract(self, page: Page, form: Format = "markdown") -> str:
        """The page's main text."""
        size = ctypes.c_size_t()
        code = FORMATS.index(form)
        data = self._library.gm_extract(self._handle, page.handle, code, ctypes.byref(size))
        if not data:
            raise MemoryError("no memory for this page")
        return str(ctypes.string_at(data, size.value), "utf-8", "replace")


@functools.cache
def shipped() -> Model:
    """The model that comes with the package. Raises LibraryError where it or the library is not there."""
    try:
        return Model(MODEL.read_bytes())
    except OSError as error:
        raise LibraryError(f"the model {MODEL.name} is not there: {error.strerror}") from error


@functools.cache
def version() -> str:
    """Changes whenever the shipped model does."""
    return f"{HEADER.unpack_from(MODEL.read_bytes())[3]:016x}"


def pack(class_table: Floats, first: Sequence[Tree], second: Sequence[Tree]) -> bytes:
    """A model file. `class_table` has CLASS_SLOTS scores, whole multiples of CLASS_SCORE_UNIT."""
    if class_table.shape != (CLASS_SLOTS,):
        raise ValueError(f"a class table has {CLASS_SLOTS} scores, not {class_table.shape}")
    slots = np.flatnonzero(class_table)
    entries = np.zeros(len(slots), [("slot", "<u2"), ("score", "<i2")])
    entries["slot"], entries["score"] = slots, np.rint(class_table[slots] / CLASS_SCORE_UNIT)
    body = struct.pack("<I", len(slots)) + entries.tobytes() + _forest(first) + _forest(second)
    return HEADER.pack(MAGIC, FORMAT, bytes.fromhex(features_digest()), fnv1a(body)) + body


def fnv1a(data: bytes) -> int:
    """The 64-bit FNV-1a hash (draft-eastlake-fnv)."""
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def trees_of(dump: Mapping[str, Any], share: int = 1) -> list[Tree]:
    """The trees of a LightGBM model, as `Booster.dump_model()` gives it.

    Thresholds are rounded down to float32: features are float32, so that every comparison comes out the same.
    """
    trees = []
    for info in dump["tree_info"]:
        splits: dict[int, tuple[int, float, int]] = {}
        values: dict[int, int] = {}
        _walk(info["tree_structure"], share, splits, values)
        trees.append(Tree(tuple(splits[k] for k in sorted(splits)), tuple(values[k] for k in sorted(values))))
    return trees


def _walk(
    node: Mapping[str, Any],
    share: int,
    splits: dict[int, tuple[int, float, int]],
    values: dict[int, int],
) -> int:
    """Collect a subtree; returns the leaf that its root was before it was split."""
    if "split_index" not in node:
        leaf = int(node.get("leaf_index", 0))
        values[leaf] = round(node["leaf_value"] / (share * LEAF_UNIT))
        return leaf
    if node["decision_type"] != "<=" or node["missing_type"] != "None":
        raise ValueError("only splits of numbers, without missing values, are packed")
    stays = _walk(node["left_child"], share, splits, values)
    moves = _walk(node["right_child"], share, splits, values)
    if moves != node["split_index"] + 1:
        raise ValueError("leaves are not numbered as they grew")
    splits[node["split_index"]] = (node["split_feature"], _float_below(node["threshold"]), stays)
    return stays


def _float_below(value: float) -> float:
    """The greatest float32 that is at most `value`."""
    near = np.float32(value)
    return float(near if float(near) <= value else np.nextafter(near, np.float32(-np.inf)))


def _forest(trees: Sequence[Tree]) -> bytes:
    conditions = sorted({(feature, threshold) for tree in trees for feature, threshold, _ in tree.splits})
    number = {condition: i for i, condition in enumerate(conditions)}
    return b"".join(_forest_parts(trees, conditions, number))


def _forest_parts(
    trees: Sequence[Tree], conditions: Sequence[tuple[int, float]], number: Mapping[tuple[int, float], int]
) -> Iterator[bytes]:
    yield struct.pack("<II", len(conditions), len(trees))
    for feature, threshold in conditions:
        yield struct.pack("<Hf", feature, threshold)
    for tree in trees:
        if not 1 <= len(tree.values) <= MOST_LEAVES or len(tree.splits) != len(tree.values) - 1:
            raise ValueError(f"a tree has 1 to {MOST_LEAVES} leaves")
        yield struct.pack("<B", len(tree.values))
        for feature, threshold, leaf in tree.splits:
            yield struct.pack("<HB", number[feature, threshold], leaf)
        yield np.array(tree.values, "<i4").tobytes()
