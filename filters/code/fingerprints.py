"""What licence texts are compared with: hashes of the pairs of words of the texts on the SPDX License List.

`filters/data/license_texts.npz` is made from the texts as the npm package `spdx-license-list` has them
(CC0-1.0; a folder with a JSON file a licence, field `licenseText`):

    python -m filters.code.fingerprints FOLDER/licenses

A text of up to MAX_PAIRS pairs of words is kept whole; of a longer one every second, fourth, ... pair by its
hash, so that what a text and a reference have in common can still be told (FracMinHash: Irber et al. 2022,
doi 10.1101/2022.01.11.475838). No text can be had back from it.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

DATA = "data/license_texts.npz"
MAX_PAIRS = 700
"""Pairs of words that are kept of a licence: enough to tell versions of the same licence apart, which
differ in at least 1 of 50 pairs."""
BITS = 24
"""Of a pair's hash: two different pairs of a text are taken for each other once in 16 million."""

Keys = npt.NDArray[np.uint32]

_WORD = re.compile(r"[a-z0-9]+")
_COPYRIGHT = re.compile(
    r"^[^\w\n]*(?:portions\s+)?(?:copyright|©|\(c\))(?:[^\n]*?(?:\d{4}|<|\[|\(c\)|©|year|by\b))[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_RESERVED = re.compile(r"all\s+rights\s+reserved\.?", re.IGNORECASE)
_TAG = re.compile(r"<[A-Za-z/!][^<>]{0,300}>")
_ENTITY = re.compile(r"&(?:#\d+|\w+);")
_END = re.compile(r"END\s+OF\s+(?:THE\s+)?TERMS\s+AND\s+CONDITIONS")
_PARTS = (
    # What stands around the terms of Creative Commons 4.0 is not always copied; the SPDX text of LGPL-3.0
    # has the GPL behind it.
    (
        re.compile(r"CC-BY-.*4\.0"),
        re.compile(r"By exercising the Licensed Rights.*?(?=Creative Commons is not a party|\Z)", re.DOTALL),
    ),
    (
        re.compile(r"LGPL-3\.0"),
        re.compile(r".*?(?=GNU GENERAL PUBLIC LICENSE\s+Version 3, 29 June|\Z)", re.DOTALL),
    ),
)
_SAME = {
    "licence": "license",
    "licences": "licenses",
    "licenced": "licensed",
    "sublicence": "sublicense",
    "https": "http",
}


@dataclass(frozen=True)
class Fingerprints:
    """The references. `keys` holds all hashes in order; those of keys[k] belong to the licences
    `owners[bounds[k]:bounds[k + 1]]`. `sizes`: kept pairs of each licence; `scales`: of how many one is
    kept."""

    names: tuple[str, ...]
    identifiers: tuple[str, ...]
    keys: Keys
    bounds: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    scales: npt.NDArray[np.int64]


def words(text: str) -> list[str]:
    """The words that count: small letters and digits, without mark-up, copyright notices and what follows
    the terms of a licence ("how to apply")."""
    if "</" in text or "<br" in text:
        text = _ENTITY.sub(" ", _TAG.sub(" ", text))
    text = _RESERVED.sub(" ", _COPYRIGHT.sub(" ", text)).lower()
    return [_SAME.get(word, word) for word in _WORD.findall(text)]


def pairs(found: list[str]) -> Keys:
    """Hashes of pairs of neighbouring words, each once, in order."""
    hashes = (zlib.crc32(f"{one} {other}".encode()) for one, other in pairwise(found))
    return np.unique(np.fromiter(hashes, np.uint32) >> np.uint32(32 - BITS))


def _kept(name: str, text: str) -> tuple[Keys, int]:
    for names, part in _PARTS:
        if names.fullmatch(name) and (found := part.search(text)):
            text = found[0]
    end = _END.search(text)
    hashes = pairs(words(text[: end.start()] if end else text))
    scale = 1
    while (len(hashes) + scale - 1) // scale > MAX_PAIRS:
        scale *= 2
    return hashes[hashes % scale == 0], scale


def build(texts: Iterable[tuple[str, str]], identifiers: Iterable[str], target: Path) -> None:
    """Write the file of fingerprints: of texts by name, and all identifiers of the list."""
    kept = [(name, *_kept(name, text)) for name, text in sorted(texts)]
    np.savez_compressed(
        target,
        names=np.array([name for name, _, _ in kept]),
        identifiers=np.array(sorted(identifiers)),
        scales=np.array([scale for _, _, scale in kept], np.int64),
        sizes=np.array([len(keys) for _, keys, _ in kept], np.int64),
        # Differences of sorted hashes, byte by byte: a third smaller when compressed.
        steps=np.concatenate([np.diff(keys, prepend=np.uint32(0)) for _, keys, _ in kept])
        .astype("<u4")
        .view(np.uint8)
        .reshape(-1, 4)
        .T.copy(),
    )


@functools.cache
def load_fingerprints() -> Fingerprints:
    """The shipped references; read once a process."""
    with (importlib.resources.files("filters") / DATA).open("rb") as file, np.load(file) as data:
        sizes, scales = data["sizes"], data["scales"]
        steps = np.ascontiguousarray(data["steps"].T).view("<u4").ravel()
        keys = np.concatenate(
            [np.cumsum(part, dtype=np.uint32) for part in np.split(steps, np.cumsum(sizes)[:-1])]
        )
        owners = np.repeat(np.arange(len(sizes)), sizes)
        order = np.argsort(keys, kind="stable")
        unique, starts = np.unique(keys[order], return_index=True)
        return Fingerprints(
            tuple(map(str, data["names"])),
            tuple(map(str, data["identifiers"])),
            unique,
            np.append(starts, len(keys)).astype(np.int64),
            owners[order],
            sizes,
            scales,
        )


# Licences whose text stands for that of others too, or that say so little that anything resembles them.
_LEFT_OUT = re.compile(
    r"(?:A?GPL|LGPL|GFDL)-.*(?:-or-later|\+|invariants.*)|(?:A?GPL|LGPL|GFDL)-\d\.\d"
    r"|GPL-\d\.\d-with-.*|.*-no-RFN|.*-RFN|MPL-2.0-no-copyleft-exception|any-OSI.*|BSD-2-Clause-(?:Free|Net)BSD|Python-2.0.1"
)
_MORE = (
    r"CC-(?:BY|PDDC)[-\w.]*[0-9]|CC0-1.0|GPL-.*|LGPL-.*|AGPL-.*|GFDL-.*|SSPL-1.0|BUSL-1.1|Elastic-2.0|PolyForm-.*|JSON|OpenSSL.*"
    r"|Unicode-.*|ODbL-1.0|ODC-By-1.0|PDDL-1.0|CDLA-.*|CERN-OHL-.*|NPL-.*|MPL-1.0|APSL-.*|SISSL.*|CECILL-.*|Beerware|FSFAP|Ruby|Vim"
    r"|TCL|libtiff|WTFPL|HPND.*|FSL-.*|Hippocratic.*|MS-LPL|OpenMDW.*|MIT.*|BSD.*|X11.*|Python.*|CNRI.*|PSF-2.0|ISC.*"
)


def _main() -> None:
    from filters.code import spdx

    folder = Path(sys.argv[1])
    records = {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))
    }
    listed = {*spdx.PERMISSIVE.split(), *spdx.LEAD.split()}
    chosen = [
        (name.removesuffix("-only"), record["licenseText"])
        for name, record in records.items()
        if not _LEFT_OUT.fullmatch(name)
        and (record.get("osiApproved") or name in listed or re.fullmatch(_MORE, name))
        and len(words(record["licenseText"])) >= 20
    ]
    build(chosen, records, Path(__file__).parents[1] / DATA)


if __name__ == "__main__":
    _main()
