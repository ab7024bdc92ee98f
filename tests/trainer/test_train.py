from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gristmill.base.errors import UserError
from tests.trainer.fakes import TINY, ArithmeticReader, manifest
from trainer import optim
from trainer.baseline import unigram_entropy
from trainer.batches import Plan, read_step
from trainer.hub import load_hub
from trainer.manifest import AdamWOptions, BatchOptions
from trainer.metrics import read
from trainer.model.config import HybridConfig
from trainer.model.hybrid import HybridModel
from trainer.parallel import ALONE
from trainer.train import gradients, optimize, train

READER = ArithmeticReader([("short", 16, 21), ("long", 32, 10)])


class Notes:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.tasks: list[dict[str, Any]] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> Notes:
        self.tasks.append({"name": name, "total": total, "done": done, "advanced": 0})
        return self

    def advance(self, count: float = 1, **fields: object) -> None:
        self.tasks[-1]["advanced"] += count

    def close(self) -> None:
        pass


def model(seed: int = 0, **fields: Any) -> HybridModel:
    return HybridModel(HybridConfig(vocab_size=32, **{**TINY, **fields}), seed=seed)


def test_a_repeated_pattern_is_learnt_to_near_zero(tmp_path: Path) -> None:
    reader = ArithmeticReader([("a", 32, 600)], pattern=(3, 1, 4, 1, 5, 9, 2, 6))
    summary = train(
        manifest(tmp_path, batch={"sequences": 4, "micro": 4}, checkpoint={"every": 1000}), reader=reader
    )
    assert summary.steps == summary.total_steps == 150
    assert summary.first_loss is not None
    assert summary.last_loss is not None
    assert summary.first_loss > 2
    # The first 1 of the pattern is followed by 4, the second by 5: only a model that uses context gets there.
    assert summary.last_loss < 0.05
    assert summary.last_loss < unigram_entropy(reader) / 10


def test_run_folder_and_summary(tmp_path: Path) -> None:
    notes = Notes()
    summary = train(manifest(tmp_path), notes, READER)
    assert (summary.steps, summary.total_steps, summary.skipped) == (9, 9, 0)
    assert summary.tokens == 21 * 16 + 10 * 32
    assert summary.checkpoint == tmp_path / "checkpoints" / "step-00000009"
    assert (summary.resumed_from, summary.reused, summary.stopped_by) == (None, False, None)
    assert notes.tasks == [{"name": "train", "total": 9, "done": 0, "advanced": 9}]
    lines = list(read(tmp_path / "metrics.jsonl"))
    assert [line["step"] for line in lines] == list(range(1, 10))
    assert [line["phase"] for line in lines] == ["short"] * 6 + ["long"] * 3
    assert [line["tokens"] for line in lines] == [64] * 5 + [16] + [128, 128, 64]
    assert {"loss", "lr", "grad_norm", "targets", "tokens_per_second", "seconds", "data_wait"} <= set(
        lines[0]
    )
    assert summary.weights is not None
    assert {path.stat().st_mode & 0o777 for path in summary.weights.iterdir()} == {0o644}
    loaded = load_hub(summary.weights)
    assert sum(parameter.numel() for parameter in loaded.parameters()) == summary.parameters
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "run.yaml":  # which keeps the paths that its author wrote
            assert str(tmp_path).encode() not in file.read_bytes(), file


def test_a_finished_run_is_reused(tmp_path: Path) -> None:
    first = train(manifest(tmp_path), reader=READER)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".claim"}
    notes = Notes()
    again = train(manifest(tmp_path), notes, READER)
    assert again.reused
    assert (again.last_loss, again.tokens, again.sparkline) == (
        first.last_loss,
        first.tokens,
        first.sparkline,
    )
    assert any("nothing to do" in note for note in notes.notes)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".claim"} == before


def test_a_finished_run_with_other_settings_is_not_passed_off(tmp_path: Path) -> None:
    train(manifest(tmp_path), reader=READER)
    with pytest.raises(UserError, match=r"finished run of 9 steps with gradient_clip 1.0, not 0.5"):
        train(manifest(tmp_path, gradient_clip=0.5), reader=READER)


def test_more_steps_continue_a_finished_run(tmp_path: Path) -> None:
    notes = Notes()
    train(manifest(tmp_path, max_steps=5), reader=READER)
    summary = train(manifest(tmp_path), notes, READER)
    assert (summary.resumed_from, summary.steps) == (5, 9)
    assert "max_steps was 5, is now None" in notes.notes
    assert [line["step"] for line in read(tmp_path / "metrics.jsonl")] == list(range(1, 10))
    with pytest.raises(UserError, match=r"finished run of 9 steps with max_steps None, not 5"):
        train(manifest(tmp_path, max_steps=5), reader=READER)


def test_a_continued_run_is_not_finished_until_it_is(tmp_path: Path) -> None:
    class Broken(ArithmeticReader):
        def read(self, phase: int, indices: Any) -> Any:
            if phase == 1:
                raise RuntimeError("broken")
            return super().read(phase, indices)

    train(manifest(tmp_path, max_steps=4), reader=READER)
    assert (tmp_path / "finished.json").exists()
    with pytest.raises(RuntimeError):
        train(manifest(tmp_path), reader=Broken(READER.phases))
    assert not (tmp_path / "finished.json").exists()
    with pytest.raises(UserError, match="6 steps are done already, the manifest wants 3"):
        train(manifest(tmp_path, max_steps=3), reader=READER)
    assert train(manifest(tmp_path), reader=READER).resumed_from == 6


def test_damaged_final_weights_are_written_again(tmp_path: Path) -> None:
    summary = train(manifest(tmp_path), reader=READER)
    assert summary.weights is not None
    file = summary.weights / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    notes = Notes()
    assert not train(manifest(tmp_path), notes, READER).reused
    assert file.read_bytes() == whole
    assert any("missing or damaged" in note for note in notes.notes)


@pytest.mark.parametrize(
    ("fields", "reader", "message"),
    [
        ({}, ArithmeticReader(READER.phases, salt="x"), r"began with lock \w{64}, now it is \w{64}"),
        ({"model": {**TINY, "hidden_size": 24}}, READER, "began with model.hidden_size 16, not 24"),
        ({"seed": 1}, READER, "began with seed 0, not 1"),
        ({"batch": {"sequences": 2}}, READER, "began with batch.sequences 4, not 2"),
    ],
)
def test_another_lock_or_model_is_refused(
    tmp_path: Path, fields: dict[str, Any], reader: ArithmeticReader, message: str
) -> None:
    train(manifest(tmp_path, max_steps=4), reader=READER)
    before = (tmp_path / "run.yaml").read_bytes()
    with pytest.raises(UserError, match=message) as caught:
        train(manifest(tmp_path, **fields), reader=reader)
    if reader is not READER:
        assert READER.lock_digest in str(caught.value)
        assert reader.lock_digest in str(caught.value)
    assert (tmp_path / "run.yaml").read_bytes() == before


def test_two_processes_cannot_train_into_one_folder(tmp_path: Path) -> None:
    class Nested(ArithmeticReader):
        def read(self, phase: int, indices: Any) -> Any:
            with pytest.raises(UserError, match="another process is training into this folder"):
                train(manifest(tmp_path), reader=READER)
            return super().read(phase, indices)

    assert train(manifest(tmp_path), reader=Nested(READER.phases)).steps == 9


@pytest.mark.parametrize("micro", [1, 2, 3])
def test_accumulation_gives_the_gradients_of_the_whole_batch(micro: int) -> None:
    found: dict[int, dict[str, torch.Tensor]] = {}
    losses = {}
    for size in (micro, 4):
        plan = Plan(READER.phases, BatchOptions(sequences=4, micro=size))
        batch = read_step(READER, plan, 6)
        targets = [int((part.labels != -100).sum()) for part in batch.micro_batches]
        if size == 1:
            assert len(set(targets)) > 1  # unequal parts, or the test would prove little
        twin = model()
        loss, _, _ = gradients(twin, batch, ALONE)
        losses[size] = float(loss)
        found[size] = {
            name: parameter.grad for name, parameter in twin.named_parameters() if parameter.grad is not None
        }
    assert losses[micro] == pytest.approx(losses[4], abs=1e-6)
    assert len(found[4]) == len(list(model().parameters()))
    torch.testing.assert_close(found[micro], found[4], rtol=1e-5, atol=1e-5)


def test_the_loss_is_the_mean_over_targets() -> None:
    batch = read_step(READER, Plan(READER.phases, BatchOptions(sequences=4, micro=1)), 0)
    twin = model()
    with torch.no_grad():
        per_token = [
            torch.nn.functional.cross_entropy(
                twin(part.inputs, part.segments)[0], part.labels[0], reduction="none"
            )
            for part in batch.micro_batches
        ]
    kept = torch.cat(
        [loss[part.labels[0] != -100] for loss, part in zip(per_token, batch.micro_batches, strict=True)]
    )
    loss, targets, tokens = gradients(twin, batch, ALONE)
    assert (targets, tokens) == (len(kept), 64)
    assert float(loss) == pytest.approx(float(kept.mean()), abs=1e-5)


def test_a_step_without_a_finite_gradient_changes_nothing() -> None:
    twin = model()
    optimizer = optim.build(twin, AdamWOptions())
    batch = read_step(READER, Plan(READER.phases, BatchOptions(sequences=4)), 0)
    assert not optimize(twin, optimizer, batch, 0.1)["skipped"]
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    twin.backbone.layers[1].mixer.up_proj.weight.register_hook(lambda gradient: gradient * float("inf"))
    line = optimize(twin, optimizer, batch, 0.1)
    assert line["skipped"]
    for name, value in twin.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(state["step"] == 1 for state in optimizer.state.values())


def test_a_diverged_run_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = HybridModel.loss
    monkeypatch.setattr(
        HybridModel, "loss", lambda self, *a: (loss(self, *a)[0] * float("nan"), torch.tensor(1))
    )
    with pytest.raises(UserError, match="no finite gradient in 3 steps in a row, up to step 3"):
        train(manifest(tmp_path, skip_limit=3), reader=READER)
    lines = list(read(tmp_path / "metrics.jsonl"))
    assert [(line["loss"], line["skipped"]) for line in lines] == [(None, True)] * 3


def test_clipping_bounds_the_update() -> None:
    batch = read_step(READER, Plan(READER.phases, BatchOptions(sequences=4)), 0)
    norms = []
    for clip in (None, 1e-3):
        twin = model()
        line = optimize(twin, torch.optim.SGD(twin.parameters()), batch, 1.0, clip=clip)
        start = model().state_dict()
        moved = torch.stack(
            [(value - start[name]).norm() for name, value in twin.state_dict().items()]
        ).norm()
        norms.append((line["grad_norm"], float(moved)))
    assert norms[0][0] == pytest.approx(norms[1][0])  # the norm that is reported is the one before clipping
    assert norms[0][1] == pytest.approx(norms[0][0], rel=1e-3)
    assert norms[1][1] == pytest.approx(1e-3, rel=1e-2)


def test_bf16_keeps_float32_weights_and_learns(tmp_path: Path) -> None:
    reader = ArithmeticReader([("a", 16, 240)], pattern=(3, 1, 4, 2))
    summary = train(manifest(tmp_path, precision="bf16"), reader=reader)
    assert summary.weights is not None
    assert summary.last_loss is not None
    assert summary.last_loss < 0.3
    assert {tensor.dtype for tensor in load_file(summary.weights / "model.safetensors").values()} == {
        torch.float32
    }


def test_validation_on_held_out_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = ArithmeticReader([("a", 16, 1), ("b", 16, 7)], salt="held out")
    monkeypatch.setattr("trainer.sources.open_reader", lambda lock: held_out)
    options = {"lock": tmp_path / "h.json", "phase": 1, "every": 4, "sequences": 5}
    summary = train(manifest(tmp_path, validation=options), reader=READER)
    lines = {
        line["step"]: line["validation_loss"]
        for line in read(tmp_path / "metrics.jsonl")
        if "validation_loss" in line
    }
    assert sorted(lines) == [4, 8, 9]
    assert summary.weights is not None
    weights = load_hub(summary.weights)
    total, count = 0.0, 0
    plan = Plan([held_out.phases[1]], BatchOptions(sequences=1))
    for step in range(5):
        rows = ArithmeticReader([held_out.phases[1]], salt="held out")
        rows.read = lambda phase, indices: held_out.read(1, indices)  # type: ignore[method-assign,misc,assignment]
        batch = read_step(rows, plan, step)
        loss, targets, _ = gradients(weights, batch, ALONE)
        total, count = total + float(loss) * targets, count + targets
    assert lines[9] == summary.validation_loss == pytest.approx(total / count, abs=1e-5)


def test_data_parallel_ranks_agree_with_one_process(tmp_path: Path) -> None:
    script = tmp_path / "ranks.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from tests.trainer.test_train import READER\n"
        "from tests.trainer.fakes import manifest\n"
        "from trainer.train import train\n"
        "train(manifest(Path(sys.argv[1]), batch={'sequences': 3, 'micro': 1}), reader=READER)\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(
        [*launcher, str(script), str(tmp_path / "two")],
        check=True,
        env=environment,
        capture_output=True,
        timeout=120,
    )
    one = train(manifest(tmp_path / "one", batch={"sequences": 3, "micro": 1}), reader=READER)
    first, second = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)
    lines = [json.loads(line) for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    assert [line["tokens"] for line in lines] == [
        line["tokens"] for line in read(tmp_path / "one" / "metrics.jsonl")
    ]
    assert len(lines) == one.steps
