"""The run folder: what lies where, what belongs together, and whether a run is finished.

run.yaml             the resolved manifest
mixture.lock.json    the lock it was trained on
metrics.jsonl        one line a step
tensorboard/
checkpoints/step-00000100/
model/               the final weights, in the Hub's format
finished.json        written last: a run without it is not finished
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from gristmill.base.atomic import atomic_write, sweep
from gristmill.base.digest import canonical_json, sha256_file
from gristmill.base.errors import UserError
from mixtures.lock import Lock
from trainer import tokens
from trainer.manifest import RunManifest
from trainer.model.config import HybridConfig


class RunFolder:
    """Paths and records of one run.

    Args:
        manifest: the run.
        lock_digest: digest of the mixture's lock.
        config: the model's configuration.
        lock: the lock itself, where the sequences come from one.
    """

    def __init__(
        self, manifest: RunManifest, lock_digest: str, config: HybridConfig, lock: Lock | None = None
    ) -> None:
        self.manifest = manifest
        self.config = config
        self.lock = lock
        self.path = manifest.output
        self.metrics = self.path / "metrics.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.tokenizer = self.path / "tokenizer"
        self.weights = self.path / "model"
        self._finished = self.path / "finished.json"
        self.identity: dict[str, Any] = {
            "lock": lock_digest,
            "model": _finite(config.model_dump(mode="json")),
            "fixed": manifest.fixed(),
            "tunable": manifest.tunable(),
        }

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder: two processes must not train into it. Errors: UserError when another one holds
        it.

        The system lets go of the claim when the process ends, however it ends.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".claim").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    "another process is training into this folder",
                    where=str(self.path),
                    mend="wait for it, or give another 'output'",
                ) from None
            sweep(self.path)
            yield

    def describe(self) -> None:
        """Write into the folder what the run is: the resolved manifest, the lock, the tokenizer.

        From here on it is not finished, even if an earlier, shorter run in it was.
        """
        self._finished.unlink(missing_ok=True)
        values = self.manifest.model_dump(mode="json")
        atomic_write(self.path / "run.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        if self.lock is not None:
            atomic_write(self.path / "mixture.lock.json", self.manifest.lock.read_bytes())
            tokens.write(self.lock, self.tokenizer)

    def agree(self, begun: dict[str, Any], note: Callable[[str], None]) -> None:
        """Insist that an earlier start of this run had the same lock, model and fixed settings.

        Changed tunable settings are noted. Errors: UserError, naming what differs.
        """
        where, fresh = str(self.path), "give another 'output' to begin a new run"
        if begun["lock"] != self.identity["lock"]:
            raise UserError(
                f"the run began with lock {begun['lock']}, now it is {self.identity['lock']}",
                where=f"{where}, {self.manifest.lock}",
                mend=f"restore the lock, or {fresh}",
            )
        for part in ("model", "fixed"):
            if changed := _differences(begun[part], self.identity[part]):
                name, old, new = changed[0]
                label = f"model.{name}" if part == "model" else name
                raise UserError(f"the run began with {label} {old}, not {new}", where=where, mend=fresh)
        for name, old, new in _differences(begun["tunable"], self.identity["tunable"]):
            note(f"{name} was {old}, is now {new}")

    def finished(self, total_steps: int, note: Callable[[str], None]) -> dict[str, Any] | None:
        """The closing record, if the run is finished as the manifest wants it and its weights are whole.

        A manifest that wants more steps than were done continues the run. Errors: UserError for a
        finished run
        with other settings.
        """
        try:
            record: dict[str, Any] = json.loads(self._finished.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        self.agree(record, lambda _: None)
        if record["step"] < total_steps:
            return None
        if changed := _differences(record["tunable"], self.identity["tunable"]):
            name, old, new = changed[0]
            raise UserError(
                f"holds a finished run of {record['step']:,} steps with {name} {old}, not {new}",
                where=str(self.path),
                mend="give another 'output' to begin a new run",
            )
        for name, digest in record["weights"].items():
            file = self.weights / name
            if not file.is_file() or sha256_file(file) != digest:
                note(f"{file} is missing or damaged: writing it again from the last checkpoint")
                return None
        return record

    def finish(self, step: int, skipped: int) -> None:
        """Declare the run finished; the final weights lie in `weights`."""
        files = sorted(path for path in self.weights.iterdir() if path.is_file())
        record = {
            "step": step,
            "skipped": skipped,
            **self.identity,
            "weights": {path.name: sha256_file(path) for path in files},
        }
        atomic_write(self._finished, canonical_json(record) + b"\n")


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted names and both values of what differs between two trees of plain values."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            item
            for key in keys
            for item in _differences(old.get(key), new.get(key), f"{name}.{key}" if name else str(key))
        ]
    return [] if old == new else [(name, old, new)]


def _finite(value: Any) -> Any:
    """Plain values with infinity spelt out, as JSON has no sign for it; pydantic reads it back."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return "Infinity" if value == float("inf") else value
