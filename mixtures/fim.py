"""Fill in the middle: a document is cut in three, and its middle comes last (Bavarian et al. 2022, arXiv
2207.14255).

    PSM    <prefix> prefix <suffix> suffix <middle> middle
    SPM    <prefix> <suffix> suffix <middle> prefix middle

SPM is the variant that they train jointly with PSM (section 3.1 and appendix D there), half of the
documents each. The end-of-document token that follows says that the middle is complete. Which documents are
cut, where, and in which form depends on seed and document id alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Form = Literal["psm", "spm"]
_WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class Fim:
    """What is cut, and how it is put together again. Part of a token store's identity."""

    rate: float
    """Share of the documents."""
    spm_rate: float
    """Share of SPM among them."""
    level: Literal["character", "token"]
    """Cut the text, then encode the pieces; or cut the tokens."""
    prefix: str
    middle: str
    suffix: str
    """The sentinels, as the vocabulary names them."""
    seed: int


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Ids of the sentinels."""

    prefix: int
    middle: int
    suffix: int


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance says about a document: `form` is None if it stays as it is; the cuts are fractions of
    2^64."""

    form: Form | None
    cuts: tuple[int, int]

    def split(self, length: int) -> tuple[int, int]:
        """Where the middle begins and ends: two of the `length` + 1 places, each as likely, in order."""
        first, second = sorted(cut * (length + 1) // _WORD for cut in self.cuts)
        return first, second


def draw(fim: Fim, document: str) -> Draw:
    """What becomes of a document, by its id."""
    digest = hashlib.blake2b(stable_id("fim", fim.seed, document).encode(), digest_size=32).digest()
    chosen, form, *cuts = (int.from_bytes(digest[at : at + 8], "little") for at in range(0, 32, 8))
    if chosen >= fim.rate * _WORD:
        return Draw(None, (cuts[0], cuts[1]))
    return Draw("spm" if form < fim.spm_rate * _WORD else "psm", (cuts[0], cuts[1]))


def arrange(
    form: Form, prefix: Sequence[int], middle: Sequence[int], suffix: Sequence[int], ids: Sentinels
) -> list[int]:
    """The tokens of the three pieces, put together."""
    if form == "psm":
        return [ids.prefix, *prefix, ids.suffix, *suffix, ids.middle, *middle]
    return [ids.prefix, ids.suffix, *suffix, ids.middle, *prefix, *middle]


def sentinels(fim: Fim, tokenizer: Tokenizer, where: str) -> Sentinels:
    """The sentinels' ids. Raises UserError where the tokenizer lacks one."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    special = {str(token) for token in (one.content for one in tokenizer.get_added_tokens_decoder().values())}
    for name in ("prefix", "middle", "suffix"):
        token = getattr(fim, name)
        if token not in vocabulary:
            raise UserError(
                f"the tokenizer has no token '{token}'",
                where=f"{where}.{name}",
                mend=did_you_mean(token, special) if special else None,
            )
    return Sentinels(vocabulary[fim.prefix], vocabulary[fim.middle], vocabulary[fim.suffix])


def encode(tokenizer: Tokenizer, documents: Sequence[tuple[str, str]], fim: Fim | None) -> list[list[int]]:
    """The tokens of documents (id, text), those rearranged that chance says. A text without tokens stays so.

    Raises UserError where the tokenizer lacks a sentinel.
    """
    draws = [draw(fim, id_) if fim is not None else None for id_, _ in documents]
    ids = sentinels(fim, tokenizer, "fim") if fim is not None else None
    pieces: list[str] = []
    for (_, text), one in zip(documents, draws, strict=True):
        if one is None or one.form is None or (fim is not None and fim.level == "token"):
            pieces.append(text)
        else:
            first, second = one.split(len(text))
            pieces += [text[:first], text[first:second], text[second:]]
    encoded = iter(tokenizer.encode_batch_fast(pieces, add_special_tokens=False))
    found: list[list[int]] = []
    for one in draws:
        if one is None or one.form is None or fim is None or ids is None:
            found.append(list(next(encoded).ids))
        elif fim.level == "token":
            tokens = list(next(encoded).ids)
            first, second = one.split(len(tokens))
            parts = (tokens[:first], tokens[first:second], tokens[second:])
            found.append(arrange(one.form, *parts, ids) if tokens else [])
        else:
            prefix, middle, suffix = (list(next(encoded).ids) for _ in range(3))
            whole = prefix or middle or suffix
            found.append(arrange(one.form, prefix, middle, suffix, ids) if whole else [])
    return found
