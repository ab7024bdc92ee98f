"""How likely a KenLM language model finds a text (Heafield 2011, "KenLM"; Wenzek et al. 2020, "CCNet",
arXiv 1911.00359, section 3.2).

The models of edugp/kenlm on the Hub were trained on normalised text cut by SentencePiece; `NORMALISED` says
how, as the card and model.py of that repository do. Nemotron-CC applies perplexity to documents of low
quality alone.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.base import TextView
from filters.hub import model_file
from gristmill.base.digest import sha256_file
from gristmill.base.errors import UserError, missing_extra

PUNCTUATION = str.maketrans(
    {
        **dict(zip("，。、∶：？！（）；～’´％", ",.,::?!();~''%", strict=True)),
        **dict.fromkeys("„”“«»」「《》", '"'),
        **dict.fromkeys("–━►", "-"),
        **dict(zip("〈〉【】", "<>[]", strict=True)),
        **{"—": " - ", "．": ". ", "…": "..."},
    }
)
"""edugp/kenlm, model.py, `unicode_punct` (from CCNet's text_normalizer.py). Its line for the fullwidth digit
one has no effect: digits are zeros by then."""
CONTROLS = dict.fromkeys([*range(32), *range(127, 160)])
"""edugp/kenlm, model.py, `non_printing_chars_re`. Line feeds are among them: a text becomes one line."""
_DIGIT = re.compile(r"\d")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Perplexity:
    """Perplexity of texts under a KenLM model.

    perplexity.score: 10 ** -(mean log10 probability of a token), the end of a line counting as one; null for
    a blank text. perplexity.lines: the same for every line that is not blank, with `per_line`.

    Args:
        model: path of an .arpa or binary model, or its address on the Hub (`hf://edugp/kenlm@commit/
            wikipedia/en.arpa.bin`).
        sentencepiece: path or address of the SentencePiece model that cuts texts into tokens; white space
            does where there is none. By default the neighbour of `NAME.arpa.bin` that is called
            `NAME.sp.model`.
        normalise: whether texts are normalised as those models want it; by default where there is a
            SentencePiece model.
        per_line: whether lines are scored too.

    Raises UserError where kenlm or sentencepiece are not installed, or a model cannot be read.
    """

    name = "perplexity"
    columns: Mapping[str, pa.DataType] = {
        "perplexity.score": pa.float64(),
        "perplexity.lines": pa.list_(pa.float64()),
    }
    places = frozenset({"model", "sentencepiece"})

    def __init__(
        self,
        model: str | Path,
        sentencepiece: str | Path | None = None,
        normalise: bool | None = None,
        per_line: bool = False,
    ) -> None:
        for package in ("kenlm", "sentencepiece"):
            if importlib.util.find_spec(package) is None:
                raise missing_extra(package, "perplexity", "the annotator perplexity")
        if sentencepiece is None:
            sentencepiece = _neighbour(model)
        self.model = model_file(model)
        self.pieces = model_file(sentencepiece, "SentencePiece model") if sentencepiece is not None else None
        self.normalise = normalise if normalise is not None else self.pieces is not None
        self.per_line = per_line
        digests = [_digest(path) for path in (self.model, self.pieces) if path is not None]
        self.version = "-".join(["1", *(digest[:8] for digest in digests)])

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        return {
            "perplexity.score": pa.array([self.score(view.text) for view in views], pa.float64()),
            "perplexity.lines": pa.array(
                [self.lines(view.text) if self.per_line else None for view in views],
                self.columns["perplexity.lines"],
            ),
        }

    def score(self, text: str) -> float | None:
        """Perplexity of a text; None where it has no tokens."""
        total, count = 0.0, 0
        for line in self._tokens(text):
            log, length = self._log(line)
            total, count = total + log, count + length
        return 10.0 ** (-total / count) if count else None

    def lines(self, text: str) -> list[float]:
        """Perplexity of every line that has tokens."""
        return [score for line in text.split("\n") if (score := self.score(line)) is not None]

    def _log(self, line: str) -> tuple[float, int]:
        """Log10 probability of a line of tokens and its end, and how many these are."""
        return _load(self.model).score(line), len(line.split()) + 1

    def _tokens(self, text: str) -> Iterator[str]:
        """The lines of a text that have tokens, as tokens with spaces between them."""
        # A lone surrogate cannot be handed over, and KenLM takes NUL for a space.
        text = _SURROGATE.sub("\ufffd", text).replace("\0", " ")
        if self.normalise:
            text = normalised(text)
        pieces = _load_pieces(self.pieces) if self.pieces is not None else None
        for line in text.split("\n"):
            if not line.strip():
                continue
            yield " ".join(pieces.encode_as_pieces(line) if pieces is not None else line.split())


def normalised(text: str) -> str:
    """A text as the models of edugp/kenlm want it: trimmed, digits as zeros, ASCII punctuation, no controls.

    Capitals and accents stay (`KenlmModel.from_pretrained` sets lower_case and remove_accents to False).
    """
    return _DIGIT.sub("0", text.strip()).translate(PUNCTUATION).translate(CONTROLS)


def _neighbour(model: str | Path) -> str | None:
    """The SentencePiece model that belongs to a model of edugp/kenlm, if it is one."""
    if not str(model).endswith(".arpa.bin"):
        return None
    name = str(model).removesuffix(".arpa.bin") + ".sp.model"
    return name if name.startswith("hf://") or Path(name).is_file() else None


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise UserError(f"cannot read the language model: {error.strerror}", where=str(path)) from None


@functools.lru_cache(maxsize=4)
def _load(path: Path) -> Any:
    import kenlm

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm.Model(str(path), config)
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[-1]
        raise UserError(f"not a KenLM model: {reason}", where=str(path)) from None


@functools.lru_cache(maxsize=4)
def _load_pieces(path: Path) -> Any:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(f"not a SentencePiece model: {reason}", where=str(path)) from None
