"""The real thing: a locked mixture, training, tracing, generation, the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gristmill.base.errors import UserError
from gristmill.cli.main import run_app
from mixtures.reader import SequenceReader
from tests.trainer.fakes import TINY
from tests.trainer.mixture import make_mixture
from trainer.baseline import unigram_entropy
from trainer.batches import read_step
from trainer.complete import complete, find_weights, load_model
from trainer.estimate import estimate
from trainer.hub import load_hub
from trainer.manifest import RunManifest
from trainer.metrics import read
from trainer.sources import plan_of
from trainer.train import train


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a locked mixture in `out`; the tests of this module run in it."""
    folder = tmp_path_factory.mktemp("mixture")
    before = Path.cwd()
    os.chdir(folder)
    try:
        make_mixture(Path("out"))
        yield folder
    finally:
        os.chdir(before)


def run(output: str, **fields: Any) -> RunManifest:
    values: dict[str, Any] = {
        "name": "real",
        "output": output,
        "lock": "out/mixture.lock.json",
        "model": TINY,
        "device": "cpu",
        "threads": 1,
        "schedule": {"lr": 3e-3, "min_lr": 1e-4, "warmup": 0.05},
        "checkpoint": {"every": 50},
        "tensorboard": False,
    }
    return RunManifest(**{**values, **fields})


def results(output: str) -> dict[str, bytes]:
    folder = Path(output)
    newest = max((folder / "checkpoints").iterdir())
    files = [*(folder / "model").iterdir(), *newest.iterdir(), folder / "finished.json"]
    steps = [line["step"] for line in read(folder / "metrics.jsonl")]
    assert steps == list(range(1, len(steps) + 1))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def trained(mixture: Path) -> Path:
    train(run("trained"))
    return mixture / "trained"


def test_the_batch_is_the_mixtures(mixture: Path) -> None:
    reader = SequenceReader("out/mixture.lock.json")
    plan = plan_of(run("none"), reader)
    assert (
        [stage.batch for stage in plan.stages] == [phase.batch for phase in reader.lock.phases] == [4, 4, 4]
    )
    assert all(plan.at(step).stop - plan.at(step).start == 4 for step in range(plan.steps))


def test_batches_hold_what_the_tracer_says(mixture: Path) -> None:
    reader = SequenceReader("out/mixture.lock.json")
    plan = plan_of(run("none", batch={"micro": 1}), reader)
    for step in range(0, plan.steps, 17):
        batch = read_step(reader, plan, step)
        at = batch.position
        for index, micro in zip(range(at.start, at.stop), batch.micro_batches, strict=True):
            pieces = reader.explain(at.phase, index)
            lengths = [piece.last - piece.first + 1 for piece in pieces]
            # Every document gives a target less than it has tokens: its first token has no input before it.
            assert int((micro.labels != -100).sum()) == sum(lengths) - len(pieces)
            assert int(micro.segments.max()) == len(pieces) - 1


def test_it_learns_more_than_frequencies(trained: Path) -> None:
    losses = [line["loss"] for line in read(trained / "metrics.jsonl")]
    reader = SequenceReader("out/mixture.lock.json")
    assert np.mean(losses[:5]) == pytest.approx(np.log(reader.vocab_size), abs=0.3)
    assert np.mean(losses[-10:]) < unigram_entropy(reader) - 0.5


def test_the_run_folder_is_enough_to_generate(trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(trained, copy)
    for folder in (trained, copy, copy / "model"):
        result = complete(find_weights(folder), "3: tree ga", max_tokens=12, seed=5)
        assert (
            result.completion == complete(find_weights(copy), "3: tree ga", max_tokens=12, seed=5).completion
        )
        assert 0 < result.tokens <= 12
        assert result.weights.name == "model"
    other = [
        complete(find_weights(copy), "3: tree ga", max_tokens=12, seed=seed).completion for seed in (6, 7)
    ]
    assert len({result.completion, *other}) > 1
    assert complete(find_weights(copy), "größe 数学", max_tokens=3, temperature=0).prompt == "größe 数学"
    with pytest.raises(UserError, match="the prompt is empty"):
        complete(find_weights(copy), "")


def test_a_run_that_is_not_finished_generates_from_its_checkpoint(trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "unfinished"
    shutil.copytree(trained, copy)
    (copy / "finished.json").unlink()
    shutil.rmtree(copy / "model")
    weights = find_weights(copy)
    assert weights.is_checkpoint
    loaded, final = load_model(weights).state_dict(), load_hub(trained / "model").state_dict()
    assert all(bool((loaded[name] == final[name]).all()) for name in final)
    assert complete(weights, "3: tree", max_tokens=8).completion == (
        complete(find_weights(trained), "3: tree", max_tokens=8).completion
    )
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(UserError, match="no weights here yet"):
        find_weights(copy)


def test_a_lock_that_changed_is_refused(mixture: Path) -> None:
    train(run("begun", max_steps=3))
    before = SequenceReader("out/mixture.lock.json").lock_digest
    make_mixture(Path("out2"), seed=12)
    after = SequenceReader("out2/mixture.lock.json").lock_digest
    with pytest.raises(UserError, match=rf"began with lock {before}, now it is {after}"):
        train(run("begun", lock="out2/mixture.lock.json"))


def test_the_estimate_counts_what_training_does(trained: Path) -> None:
    size = estimate(run("none"))
    lines = list(read(trained / "metrics.jsonl"))
    assert size.steps == len(lines)
    assert size.tokens == sum(line["tokens"] for line in lines)
    model = load_hub(trained / "model")
    assert size.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert size.state_bytes == 16 * size.parameters
    assert size.activation_bytes > 0
    assert not Path("none").exists()


def command(manifest: RunManifest, *more: str) -> list[str]:
    Path(f"{manifest.output}.yaml").write_text(yaml.safe_dump(manifest.model_dump(mode="json")))
    return ["train", f"{manifest.output}.yaml", *more]


def test_commands(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(run("cli", max_steps=6))
    assert run_app([*arguments, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 6
    assert run_app([*arguments, "--dry-run"]) == 0
    assert "parameters" in capsys.readouterr().out
    assert run_app([*arguments, "--set", "max_steps=4", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["steps"], first["total_steps"], first["reused"]) == (4, 4, False)
    assert run_app(arguments) == 0
    assert "6 of 6 (from step 4)" in capsys.readouterr().out
    assert run_app([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reused"]
    assert run_app(["train", "cli/run.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reused"]
    for target in ("cli.yaml", "cli", "cli/model"):
        assert run_app(["generate", target, "--prompt", "3: tree", "--max-tokens", "5", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["prompt"] == "3: tree"
    assert run_app(["generate", "cli", "--prompt", "3: tree", "--max-tokens", "5"]) == 0
    assert capsys.readouterr().out.startswith("3: tree")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "cli.yaml", "--set", "seed=9"], "began with seed 0, not 9"),
        (["train", "cli.yaml", "--set", "lock=none.json"], "none.json: no such lock"),
        (["train", "cli.yaml", "--set", "modle=1"], "unknown field 'modle'.*did you mean 'model'"),
        (["train", "cli.yaml", "--dry-run", "--set", "schedule.warmup=999"], "do not fit into 6 steps"),
        (["generate", "out", "--prompt", "x"], "out: no weights here yet"),
        (["generate", "cli", "--prompt", ""], "the prompt is empty"),
        (["generate", "cli", "--prompt", "x", "--set", "a=1"], "this is a folder"),
        (["generate", "cli", "--prompt", "x", "--top-p", "0"], "top_p"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    trained: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run_app(command(run("cli", max_steps=6))) == 0
    capsys.readouterr()
    assert run_app(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_command_killed_and_repeated(trained: Path, number: signal.Signals) -> None:
    for attempt in range(5):  # on a busy machine the run may be over before the signal is sent
        output = f"killed-{number.name}-{attempt}"
        manifest = run(output, checkpoint={"every": 5}, batch={"micro": 1})
        arguments = [sys.executable, "-m", "gristmill.cli.main", *command(manifest), "--json"]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        metrics = Path(output, "metrics.jsonl")
        while process.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b"\n") > 10):
            time.sleep(0.01)
        process.send_signal(number)
        out, _ = process.communicate()
        if process.returncode:
            break
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGKILL)
    if number == signal.SIGTERM:
        assert json.loads(out)["stopped_by"] == "SIGTERM"
    again = json.loads(subprocess.run(arguments, check=True, capture_output=True).stdout)
    assert again["resumed_from"] >= 10
    # The run that was left alone: the same but for the signal.
    train(run(f"alone-{number.name}", batch={"micro": 1}))
    assert results(output) == results(f"alone-{number.name}")
