"""Scores by a published encoder with a classification or regression head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from filters.base import TextView
from filters.quality.encoder import Encoder
from filters.quality.files import folder_digest
from filters.quality.outputs import label_weights


@dataclass(frozen=True)
class TransformerScorer:
    """One output is a regression, and its value the score; several are labels, whose probabilities (softmax)
    become a score as `outputs.label_weights` says."""

    encoder: Encoder
    label: str | None = None
    values: Mapping[str, float] | None = None
    center_characters: int | None = None
    """Only so many characters on either side of a text's middle are read."""

    @property
    def digest(self) -> str:
        """SHA-256 over the model's files."""
        return folder_digest(self.encoder.path)

    def settings(self) -> dict[str, object]:
        """What else the scores depend on."""
        return {
            "label": self.label,
            "values": dict(self.values) if self.values is not None else None,
            "center_characters": self.center_characters,
            "max_tokens": self.encoder.max_tokens,
            "dtype": self.encoder.dtype,
        }

    def check(self) -> None:
        """Raises UserError unless model and settings fit; reads the configuration alone."""
        self._weights()

    def score(self, views: Sequence[TextView]) -> list[float | None]:
        """A score for each text; None for a blank one."""
        weights = self._weights()
        texts = [view.text for view in views]
        filled = [number for number, text in enumerate(texts) if text and not text.isspace()]
        scores: list[float | None] = [None] * len(texts)
        logits = self.encoder.run([self._crop(texts[number]) for number in filled])
        for number, row in zip(filled, logits, strict=True):
            scores[number] = float(row[0]) if weights is None else float(softmax(row) @ weights)
        return scores

    def _weights(self) -> np.ndarray | None:
        """None for a regression."""
        names = self.encoder.config.id2label
        labels = [str(names[number]) for number in sorted(names)]
        if len(labels) == 1 and self.label is None and self.values is None:
            return None
        return np.array(label_weights(labels, self.label, self.values, str(self.encoder.path)))

    def _crop(self, text: str) -> str:
        if self.center_characters is None:
            return text
        middle = len(text) // 2
        return text[max(0, middle - self.center_characters) : middle + self.center_characters]


def softmax(row: np.ndarray) -> np.ndarray:
    """Probabilities of one row of logits: float64."""
    shifted = np.exp(row.astype(np.float64) - row.max())
    return np.asarray(shifted / shifted.sum())
