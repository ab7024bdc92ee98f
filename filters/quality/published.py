"""How published quality classifiers are read: the settings of their authors, by a short name.

Where the files lie is for the manifest to say: `model: hf://<address>@<commit>` or a local copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EDU = {"max_tokens": 512, "clip": (0.0, 5.0)}
"""Regressions to 0 … 5 on the first 512 tokens. The float score is clipped as NeMo Curator does
(nemo_curator/stages/text/classifiers/fineweb_edu.py); the whole number is the rounded one."""


@dataclass(frozen=True)
class Published:
    """A published classifier."""

    address: str
    """On the Hub, without the commit."""
    source: str
    """Where the settings are from."""
    settings: Mapping[str, Any] = field(default_factory=dict)


PUBLISHED: dict[str, Published] = {
    "dclm": Published(
        "mlfoundations/fasttext-oh-eli5/openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin",
        "mlfoundations/dclm, quality_prediction_enrichers_calc_fasttext.py; its threshold is 0.018112",
        {"label": "hq", "rule": "top", "preparation": "dclm"},
    ),
    "nemotron-cc-dclm": Published(
        "mlfoundations/fasttext-oh-eli5/openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin",
        "NVIDIA-NeMo/Nemotron, nemotron-cc/step_3-quality_classification.py: as Curator reads it",
        {"label": "hq", "rule": "top", "preparation": "curator"},
    ),
    "fineweb-edu": Published(
        "HuggingFaceFW/fineweb-edu-classifier", "its model card; Curator's FineWebEduClassifier", EDU
    ),
    "nemotron-cc-mixtral": Published(
        "nvidia/nemocurator-fineweb-mixtral-edu-classifier",
        "its model card; Curator's FineWebMixtralEduClassifier",
        EDU,
    ),
    "nemotron-cc-nemotron-4": Published(
        "nvidia/nemocurator-fineweb-nemotron-4-edu-classifier",
        "its model card; Curator's FineWebNemotronEduClassifier",
        EDU,
    ),
    "finemath": Published(
        "HuggingFaceTB/finemath-classifier", "its model card; Curator's FineMathClassifier", EDU
    ),
    "textbook": Published(
        "kenhktsui/llm-data-textbook-quality-fasttext-classifer-v2/model.bin",
        "its model card: the expectation of Low 0, Mid 1, High 2",
        {"values": {"Low": 0.0, "Mid": 1.0, "High": 2.0}, "preparation": "newlines"},
    ),
}
