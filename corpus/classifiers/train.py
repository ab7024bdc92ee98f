"""Training a classifier from a manifest: examples, a split, a model, measures, a card."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpus.classifiers.examples import Found, collect
from corpus.classifiers.manifest import ClassifierManifest, FastTextModel, HeadModel
from filters.base import TextView
from filters.quality import metrics
from filters.quality.files import transformer_folder
from filters.quality.folder import DESCRIPTION, ENCODER, Description, embed, folder_scorer
from filters.quality.training import (
    Example,
    encoder_of,
    folds,
    held_out,
    in_order,
    train_fasttext,
    train_head,
)
from gristmill.base.atomic import atomic_folder
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError, did_you_mean
from gristmill.base.progress import Progress, Silent

CARD, README = "card.json", "README.md"
Trainer = Callable[[Sequence[Example], Path], Description]
Views = Mapping[str, TextView]
"""Texts by the ids of their examples."""


@dataclass(frozen=True)
class Trained:
    """A trained classifier."""

    name: str
    output: str
    card: dict[str, Any]
    """What `card.json` says."""
    reused: bool = False
    """It was there already, from the same examples and settings."""


def train(manifest: ClassifierManifest, progress: Progress | None = None, *, again: bool = False) -> Trained:
    """Train the manifest's classifier, measure it on examples that it has not seen, write folder and card.

    Does nothing where the folder holds the same classifier already, unless `again`. Raises UserError for
    examples that are too few, for a score that is not defined, and for a folder that is something else.
    """
    progress = progress or Silent()
    output = Path(manifest.output)
    if output.exists() and not (output / DESCRIPTION).is_file():
        raise UserError("there is something else", where=str(output), mend="give another `output`")
    found = collect(manifest, progress)
    key = _key(manifest, found)
    if not again and (output / CARD).is_file():
        card = json.loads((output / CARD).read_bytes())
        if card.get("key") == key:
            return Trained(manifest.name, str(output), card, reused=True)
    worth = _worth(manifest, found.examples)
    views = {example.id: TextView(example.text) for example in found.examples}
    make = _trainer(manifest, found.examples, views, progress)
    task = progress.task("train", total=(manifest.held_out.folds or 0) + 1, unit="models")
    with atomic_folder(output) as folder:
        if manifest.held_out.folds is not None:
            judged = list(found.examples)
            scores = _cross_validate(manifest, found.examples, views, make, task.advance)
            _make(make, judged, folder, manifest.seed)
        else:
            mask = held_out(found.examples, manifest.held_out.fraction, manifest.seed)
            learned, judged = _split(found.examples, mask)
            _make(make, learned, folder, manifest.seed)
            scores = _scores(manifest, folder, judged, views)
        task.advance()
        task.close()
        truth = np.array([worth[example.label] for example in judged])
        card = _card(manifest, found, key, measure(truth, scores, worth))
        card["by_set"] = _by_set(judged, truth, scores, worth)
        _write_card(folder, card)
        if isinstance(manifest.model, HeadModel) and manifest.model.copy_encoder:
            shutil.copytree(transformer_folder(manifest.model.encoder), folder / ENCODER)
    return Trained(manifest.name, str(output), card)


def measure(truth: np.ndarray, scores: np.ndarray, worth: dict[str, float]) -> dict[str, Any]:
    """Measures of a probability where labels are worth 0 and 1, else of a number."""
    if set(worth.values()) == {0.0, 1.0}:
        return metrics.binary(truth == 1, np.clip(scores, 0, 1))
    return metrics.number(truth, scores)


def _by_set(
    judged: Sequence[Example], truth: np.ndarray, scores: np.ndarray, worth: dict[str, float]
) -> dict[str, dict[str, Any]]:
    """Measures on each set of the manifest that has several labels: one that differs from the others in more
    than quality is easily told apart, and flatters the whole."""
    sets = np.array([example.set for example in judged])
    found = {}
    for number in sorted(set(sets.tolist())):
        chosen = sets == number
        if len(set(truth[chosen].tolist())) > 1 and not chosen.all():
            measures = measure(truth[chosen], scores[chosen], worth)
            found[f"examples[{number}]"] = {n: v for n, v in measures.items() if n != "by_threshold"}
    return found


def _key(manifest: ClassifierManifest, found: Found) -> str:
    """What a classifier depends on."""
    fields = manifest.model_dump(mode="json", exclude={"output", "examples", "description"})
    if isinstance(manifest.model, HeadModel):
        fields["model"]["encoder"] = encoder_of(fields["model"])[1].digest
    return digest_json([fields, found.digest])


def _worth(manifest: ClassifierManifest, examples: Sequence[Example]) -> dict[str, float]:
    """What each label is worth: what the score should be for its texts."""
    names = sorted({example.label for example in examples})
    if manifest.positive is not None and manifest.values is not None:
        raise UserError("give `positive` or `values`, not both", where="positive")
    if manifest.positive is not None:
        if manifest.positive not in names:
            mend = did_you_mean(manifest.positive, names)
            raise UserError(f"no example has the label '{manifest.positive}'", where="positive", mend=mend)
        return {name: float(name == manifest.positive) for name in names}
    if manifest.values is not None:
        lacking = [name for name in names if name not in manifest.values]
        if lacking:
            raise UserError(f"the label '{lacking[0]}' has no value", where="values")
        return {name: float(manifest.values[name]) for name in names}
    try:
        return {name: float(name) for name in names}
    except ValueError:
        raise UserError(
            f"the labels are {', '.join(names[:20])}",
            where="positive",
            mend="say whose probability is the score (`positive`), or what each is worth (`values`)",
        ) from None


def _trainer(
    manifest: ClassifierManifest, examples: Sequence[Example], views: Views, progress: Progress
) -> Trainer:
    """What trains on some of the examples. A text's embedding is computed once, here."""
    settings = manifest.model.model_dump()
    if isinstance(manifest.model, FastTextModel):
        return lambda chosen, folder: train_fasttext(
            chosen,
            folder,
            settings,
            seed=manifest.seed,
            positive=manifest.positive,
            values=manifest.values,
        )
    encoder, about = encoder_of(settings)
    task = progress.task("embed", total=len(examples), unit="texts")
    for start in range(0, len(examples), 256):
        batch = [views[example.id] for example in examples[start : start + 256]]
        embed(batch, encoder, about)
        task.advance(len(batch))
    task.close()
    return lambda chosen, folder: train_head(
        chosen,
        np.stack(embed([views[example.id] for example in chosen], encoder, about)).astype(np.float64),
        folder,
        settings,
        about=about,
        positive=manifest.positive,
        values=manifest.values,
    )


def _make(make: Trainer, examples: Sequence[Example], folder: Path, seed: int) -> None:
    make(in_order(examples, seed), folder).write(folder)


def _split(examples: Sequence[Example], mask: np.ndarray) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and those to judge by. Raises UserError where a side lacks a label."""
    learned = [example for example, out in zip(examples, mask, strict=True) if not out]
    judged = [example for example, out in zip(examples, mask, strict=True) if out]
    names = {example.label for example in examples}
    for side, kind in ((learned, "to learn from"), (judged, "held out")):
        lacking = sorted(names - {example.label for example in side})
        if lacking:
            raise UserError(
                f"no example of '{lacking[0]}' is {kind}",
                where="held_out",
                mend="more examples, another `seed`, or `folds`",
            )
    return learned, judged


def _cross_validate(
    manifest: ClassifierManifest,
    examples: Sequence[Example],
    views: Views,
    make: Trainer,
    done: Callable[[], None],
) -> np.ndarray:
    """Every example's score by a model that has not seen it."""
    assert manifest.held_out.folds is not None
    numbers = folds(examples, manifest.held_out.folds, manifest.seed)
    scores = np.zeros(len(examples))
    for number in range(manifest.held_out.folds):
        mask = numbers == number
        if not mask.any():
            done()
            continue
        learned = [example for example, out in zip(examples, mask, strict=True) if not out]
        if {example.label for example in learned} != {example.label for example in examples}:
            raise UserError(
                f"no example of some label is left for round {number + 1}",
                where="held_out.folds",
                mend="more examples, another `seed`, or fewer folds",
            )
        judged = [example for example, out in zip(examples, mask, strict=True) if out]
        with tempfile.TemporaryDirectory(prefix="gristmill-classifier-") as scratch:
            _make(make, learned, Path(scratch), manifest.seed)
            scores[mask] = _scores(manifest, Path(scratch), judged, views)
        done()
    return scores


def _scores(
    manifest: ClassifierManifest, folder: Path, examples: Sequence[Example], views: Views
) -> np.ndarray:
    """Scores as the annotator gives them; a text that has none counts as 0."""
    model = manifest.model
    encoder = model.encoder if isinstance(model, HeadModel) else None
    device = model.device if isinstance(model, HeadModel) else "cpu"
    scorer = folder_scorer(folder, encoder, device)
    found: list[float] = []
    for start in range(0, len(examples), 256):
        batch = [views[example.id] for example in examples[start : start + 256]]
        found += [0.0 if score is None else score for score in scorer.score(batch)]
    return np.array(found)


def _card(manifest: ClassifierManifest, found: Found, key: str, measures: dict[str, Any]) -> dict[str, Any]:
    """What was trained on what, and how well it does."""
    settings = manifest.model.model_dump(mode="json")
    packages = ["fasttext-community"] if settings["type"] == "fasttext" else ["torch", "transformers"]
    if "encoder" in settings and not settings["encoder"].startswith("hf://"):
        settings["encoder"] = Path(settings["encoder"]).name
    return {
        "name": manifest.name,
        "description": manifest.description,
        "key": key,
        "examples": {
            "count": len(found.examples),
            "labels": dict(sorted(Counter(example.label for example in found.examples).items())),
            "digest": found.digest,
            "without_label": found.without_label,
            "repeated": found.repeated,
            "contradictory": found.contradictory,
        },
        "positive": manifest.positive,
        "values": manifest.values,
        "model": settings,
        "held_out": manifest.held_out.model_dump(mode="json"),
        "seed": manifest.seed,
        "measures": measures,
        "packages": {name: importlib.metadata.version(name) for name in packages},
    }


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / README).write_text(render_card(card), encoding="utf-8")


def render_card(card: dict[str, Any]) -> str:
    """The card for a person, in Markdown."""
    examples, measures, how = card["examples"], card["measures"], card["held_out"]
    labels = ", ".join(f"{count:,} `{label}`" for label, count in examples["labels"].items())
    split = (
        f"every example judged by a model that had not seen it ({how['folds']} folds), final model on all"
        if how["folds"]
        else f"{how['fraction']:.0%} held out"
    )
    sets = card["by_set"]
    lines = [
        f"# {card['name']}",
        "",
        card["description"] or "A quality classifier.",
        "",
        f"- Kind: {card['model']['type']}",
        f"- Examples: {examples['count']:,} ({labels}); left out: {examples['repeated']:,} repeated, "
        f"{examples['contradictory']:,} contradictory, {examples['without_label']:,} without a label",
        f"- Digest of the examples: `{examples['digest']}`",
        f"- Measured on {measures['examples']:,}: {split}, split by {how['by']}, seed {card['seed']}",
        "",
        f"| {' | '.join(['measure', 'all', *sets])} |",
        f"|---|{'---|' * (1 + len(sets))}",
    ]
    for name, value in measures.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            values = [value, *(own[name] for own in sets.values())]
            shown = " | ".join("" if cell is None else f"{cell:,.4g}" for cell in values)
            lines.append(f"| {name.replace('_', ' ')} | {shown} |")
    if "by_threshold" in measures:
        lines += ["", "| threshold | share chosen | precision | recall | F1 |", "|---|---|---|---|---|"]
        for row in measures["by_threshold"]:
            cells = (row["share"], row["precision"], row["recall"], row["f1"])
            shown = " | ".join("" if cell is None else f"{cell:.3f}" for cell in cells)
            lines.append(f"| {row['threshold']:g} | {shown} |")
    return "\n".join([*lines, ""])
