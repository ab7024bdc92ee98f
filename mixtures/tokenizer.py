"""The mixture's tokenizer: a byte-level BPE trained on its documents, or any `tokenizer.json`.

Either way the file is copied, once, into the mixture's folder, and everything made with it names its SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from gristmill.base.atomic import atomic_write
from gristmill.base.digest import digest_json, sha256_file
from gristmill.base.errors import UserError, did_you_mean
from gristmill.base.progress import Progress, Silent
from mixtures.documents import Documents
from mixtures.manifest import FileTokenizer, MixtureManifest, TrainedTokenizer

RECIPE = 1
"""Version of how tokenizers are trained here; part of a trained tokenizer's key."""


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer on disk, with its ends."""

    path: Path
    digest: str
    """SHA-256 of the file."""
    vocab_size: int
    """One more than the highest id."""
    bos_id: int | None
    eos_id: int | None
    add_bos: bool
    add_eos: bool


def load(path: str | Path) -> Tokenizer:
    """Load a tokenizer for encoding documents. Errors: UserError when the file cannot be used.

    Special tokens that occur in a text are encoded as ordinary text (a web page that says "</s>" does not end
    a document), and what the file says about truncation and padding is not applied.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such tokenizer file", where=str(path))
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exceptions
        raise UserError(
            f"not a tokenizer.json of the library `tokenizers` ({error})", where=str(path)
        ) from None
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def train(texts: Iterator[list[str]], vocab_size: int, special_tokens: tuple[str, ...]) -> str:
    """Train a byte-level BPE tokenizer; returns the `tokenizer.json`, the same bytes for the same texts.

    Any text can be encoded and decoded without loss. Digits stand alone; words and spaces are split as in
    GPT-2 (both are the library's own pre-tokenizers). The vocabulary is smaller than asked for when the texts
    do not hold enough different pairs.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    result: str = tokenizer.to_str(pretty=True)
    return result


def place(manifest: MixtureManifest, documents: Mapping[str, Documents]) -> Path:
    """Where the mixture's copy of the tokenizer is or will be; the name follows from what it is made of."""
    spec = manifest.tokenizer
    if isinstance(spec, FileTokenizer):
        if not Path(spec.path).is_file():
            raise UserError("no such tokenizer file", where=spec.path)
        key = sha256_file(spec.path)
    else:
        key = digest_json(
            {
                "recipe": RECIPE,
                "vocab_size": spec.vocab_size,
                "special_tokens": spec.special_tokens,
                "limit_bytes": spec.limit_bytes,
                "sources": {
                    name: [documents[name].digest, documents[name].policy, documents[name].where]
                    for name in manifest.lessons
                },
            }
        )
    return Path(manifest.output) / "tokenizers" / key[:12] / "tokenizer.json"


def find(manifest: MixtureManifest, documents: Mapping[str, Documents]) -> TokenizerFile | None:
    """The mixture's tokenizer, if it has been made for these documents."""
    path = place(manifest, documents)
    return _describe(path, manifest) if path.is_file() else None


def make(
    manifest: MixtureManifest, documents: Mapping[str, Documents], progress: Progress | None = None
) -> TokenizerFile:
    """The mixture's tokenizer: reused when it was made for these documents, else trained or copied now."""
    progress = progress or Silent()
    spec = manifest.tokenizer
    path = place(manifest, documents)
    if path.is_file():
        progress.note(f"tokenizer: unchanged, reused ({path})")
    elif isinstance(spec, FileTokenizer):
        load(spec.path)
        atomic_write(path, Path(spec.path).read_bytes())
    else:
        task = progress.task("tokenizer: read text", unit="B")
        texts = _sample(spec, {name: documents[name] for name in manifest.lessons}, task.advance)
        content = train(texts, spec.vocab_size, spec.special_tokens)
        task.close()
        atomic_write(path, content)
    return _describe(path, manifest)


def _sample(
    spec: TrainedTokenizer, documents: Mapping[str, Documents], read: Callable[[float], None]
) -> Iterator[list[str]]:
    """The beginning of every part of every source, together at most `limit_bytes`."""
    parts = sum(len(one.parts) for one in documents.values())
    quota = spec.limit_bytes // max(1, parts)
    for one in documents.values():
        for part in one.parts:
            left = quota
            for _, texts in one.batches(part):
                sizes = [len(text.encode()) for text in texts]
                kept = []
                for text, size in zip(texts, sizes, strict=True):
                    if left <= 0:
                        break
                    kept.append(text)
                    left -= size
                if kept:
                    yield kept
                    read(sum(sizes[: len(kept)]))
                if left <= 0:
                    break


def _describe(path: Path, manifest: MixtureManifest) -> TokenizerFile:
    tokenizer = load(path)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    spec = manifest.tokenizer
    ids: dict[str, int | None] = {}
    for end, token in (("bos", spec.bos), ("eos", spec.eos)):
        if token is not None and token not in vocabulary:
            raise UserError(
                f"the tokenizer has no token '{token}'",
                where=f"tokenizer.{end}",
                mend=did_you_mean(token, [name for name in vocabulary if len(name) < 30 and "<" in name]),
            )
        ids[end] = None if token is None else vocabulary[token]
    return TokenizerFile(
        path=path,
        digest=sha256_file(path),
        vocab_size=max(vocabulary.values()) + 1,
        bos_id=ids["bos"],
        eos_id=ids["eos"],
        add_bos=spec.add_bos,
        add_eos=spec.add_eos,
    )
