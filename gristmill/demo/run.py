"""The demonstration: the commands of the README, one after the other, in a folder of their own.

Each step is the library call behind the command that is shown, and finds out for itself what is done.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from corpus.build import BuildSummary, build
from corpus.manifest import CorpusManifest
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress
from gristmill.demo.crawl import is_current
from gristmill.demo.sources import write_sources
from gristmill.manifests import load_as
from gristmill.trace import Reading, Tracer
from mixtures.locking import lock_path, make_lock
from mixtures.manifest import MixtureManifest
from mixtures.reader import SequenceReader
from mixtures.tokenize import tokenize
from trainer.baseline import unigram_entropy
from trainer.complete import Completion, complete, find_weights
from trainer.manifest import RunManifest
from trainer.summary import TrainSummary
from trainer.train import train

PROMPT = "Return the "


@dataclass
class DemoResult:
    """What each step came to."""

    folder: Path
    pages: int = 0
    files: int = 0
    corpora: dict[str, BuildSummary] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    vocab_size: int = 0
    lock: Path = Path()
    lock_digest: str = ""
    unigram: float = 0.0
    training: TrainSummary | None = None
    completion: Completion | None = None
    traced: list[Reading] = field(default_factory=list)
    """What the last step learned from."""
    seconds: dict[str, float] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        """The result for `--json`."""
        values = asdict(self)
        values["reused"] = sorted(self.reused)
        return values


class _Steps:
    """Numbers the steps, shows the command of each and keeps its time."""

    def __init__(self, progress: Progress, result: DemoResult) -> None:
        self.progress, self.result, self.count = progress, result, 0

    @contextlib.contextmanager
    def step(self, name: str, command: str) -> Iterator[None]:
        self.count += 1
        self.progress.note(f"{self.count}/8  {command}")
        start = time.monotonic()
        yield
        self.result.seconds[name] = time.monotonic() - start
        if name in self.result.reused:
            self.progress.note("     done already, reused")


def run_demo(folder: Path, progress: Progress) -> DemoResult:
    """Run all steps in `folder`; what an earlier call finished is reused."""
    folder.mkdir(parents=True, exist_ok=True)
    result = DemoResult(folder)
    steps = _Steps(progress, result)
    with contextlib.chdir(folder):
        with steps.step("crawl", "render the documentation of this Python into crawl/*.warc.gz and sources/"):
            _crawl(result)
        for name in ("web", "code"):
            with steps.step(name, f"gristmill corpus build demo/{name}"):
                summary = build(load_as(f"demo/{name}", CorpusManifest), progress)
                result.corpora[name] = summary
                if summary.reused:
                    result.reused.add(name)
        mixture = load_as("demo/mixture", MixtureManifest)
        with steps.step("tokenize", "gristmill mix tokenize demo/mixture"):
            made = tokenize(mixture, os.cpu_count() or 1, progress)
            result.tokens = {name: store.tokens for name, store in made.stores.items()}
            result.vocab_size = made.tokenizer.vocab_size
            if set(made.reused) == set(made.stores):
                result.reused.add("tokenize")
        with steps.step("lock", "gristmill mix lock demo/mixture"):
            _, result.lock_digest = make_lock(mixture)
            result.lock = folder / lock_path(mixture)
        run = load_as("demo/run", RunManifest)
        with steps.step("train", "gristmill train demo/run"):
            result.training = train(run, progress)
            result.unigram = unigram_entropy(SequenceReader(run.lock))
            if result.training.reused:
                result.reused.add("train")
        with steps.step("generate", f'gristmill generate demo/run --prompt "{PROMPT}"'):
            result.completion = complete(find_weights(run.output), PROMPT, max_tokens=60, temperature=0.7)
        with steps.step("trace", f"gristmill trace demo/run --step {result.training.steps}"):
            result.traced = Tracer(run).documents(result.training.steps)
    return result


def _crawl(result: DemoResult) -> None:
    """Render the crawl in a process of its own: to document a module is to import it."""
    crawl, sources = Path("crawl"), Path("sources")
    if is_current(crawl) and sources.is_dir():
        result.reused.add("crawl")
    else:
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "gristmill.demo.crawl", str(crawl)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError("the crawl could not be rendered", mend=done.stderr.strip().splitlines()[-1])
        write_sources(sources)
    result.files = sum(1 for _ in sources.rglob("*.py"))
