"""Scores by a supervised fastText model (Joulin et al. 2016, arXiv 1607.01759)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filters.annotators import fasttext_file
from filters.annotators.fasttext_file import PREFIX
from filters.base import TextView
from filters.quality.files import file_digest
from filters.quality.outputs import label_weights
from filters.quality.preparation import line
from gristmill.base.errors import UserError

Rule = Literal["sum", "top"]
"""sum: probabilities times weights. top: what the users of binary models do (DCLM, NeMo Curator): the
probability of the first label if it is the positive one, else one minus it. The two differ by fastText's
rounding of probabilities, 2e-5."""


@dataclass(frozen=True)
class FastTextScorer:
    """A fastText model and how its probabilities become a score. Small: the model is loaded where it is
    used, once a process."""

    path: Path
    label: str | None = None
    values: Mapping[str, float] | None = None
    rule: Rule = "sum"
    preparation: str = "spaces"
    max_characters: int | None = None

    def __post_init__(self) -> None:
        fasttext_file.check(self.path)

    @property
    def digest(self) -> str:
        """SHA-256 of the model file."""
        return file_digest(self.path)

    @property
    def positive(self) -> str | None:
        """The label without fastText's mark."""
        return self.label.removeprefix(PREFIX) if self.label is not None else None

    def settings(self) -> dict[str, object]:
        """What else the scores depend on."""
        values = dict(self.values) if self.values is not None else None
        return {
            "label": self.positive,
            "values": values,
            "rule": self.rule,
            "preparation": self.preparation,
            "max_characters": self.max_characters,
        }

    def check(self) -> None:
        """Raises UserError unless model and settings fit; does not load the model."""
        self._weights(fasttext_file.labels(self.path))

    def score(self, views: Sequence[TextView]) -> list[float | None]:
        """A score for each text; None for a text of which nothing is left."""
        model = fasttext_file.load(self.path)
        labels = [name.removeprefix(PREFIX) for name in model.get_labels()]
        weights = self._weights(labels)
        lines = [line(view.text[: self.max_characters], self.preparation) for view in views]
        found, chances = model.f.multilinePredict(lines, len(labels), 0.0, "replace")
        scores: list[float | None] = []
        for text, names, row in zip(lines, found, chances, strict=True):
            if not text.strip() or not names:
                scores.append(None)
                continue
            if self.rule == "top":
                first = float(row[0])
                score = first if names[0].removeprefix(PREFIX) == self.positive else 1 - first
                scores.append(min(1.0, max(0.0, score)))
                continue
            total = sum(
                weights[name.removeprefix(PREFIX)] * min(1.0, float(chance))
                for name, chance in sorted(zip(names, row.tolist(), strict=True))
            )
            scores.append(total)
        return scores

    def _weights(self, labels: Sequence[str]) -> dict[str, float]:
        weights = label_weights(labels, self.positive, self.values, str(self.path))
        if self.rule == "top" and (self.positive is None or len(labels) != 2):
            raise UserError("`rule: top` is for a model of two labels, with `label`", where=str(self.path))
        return dict(zip(labels, weights, strict=True))
