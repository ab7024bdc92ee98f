from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from gristmill.base.errors import UserError
from gristmill.manifests import load
from tests.trainer.fakes import ArithmeticReader, manifest
from trainer.manifest import ModelOptions, RunManifest
from trainer.model.presets import preset
from trainer.sources import model_config


def test_a_preset_with_single_fields_replaced() -> None:
    options = ModelOptions(preset="tiny", hidden_size=64)
    config = options.resolve(vocab_size=300, bos_id=1, eos_id=2)
    assert config == preset("tiny", hidden_size=64, vocab_size=300, bos_token_id=1, eos_token_id=2)
    own = ModelOptions(preset="tiny", vocab_size=512, eos_token_id=9)
    assert own.resolve(300, None, 2).vocab_size == 512
    assert own.resolve(300, None, 2).eos_token_id == 9


def test_a_published_preset_takes_the_mixtures_vocabulary(tmp_path: Path) -> None:
    run = manifest(tmp_path, model={"preset": "nemotron-nano-9b-v2"})
    assert model_config(run, ArithmeticReader([("a", 8, 1)])).vocab_size == 32


def test_a_vocabulary_smaller_than_the_mixtures_is_refused(tmp_path: Path) -> None:
    run = manifest(tmp_path, model={"preset": "tiny", "vocab_size": 31})
    with pytest.raises(UserError, match="the mixture has 32 tokens, the model only 31"):
        model_config(run, ArithmeticReader([("a", 8, 1)]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {preset: tinny}", "unknown model preset 'tinny'; did you mean 'tiny'"),
        ("model: {preset: tiny, hiden_size: 3}", "unknown field 'model.hiden_size'.*'hidden_size'"),
        ("model: {preset: tiny}\nschedule: {lr: 1e-4, min_lr: 1e-3}", "min_lr.*must not be above lr"),
        ("model: {preset: tiny}\nschedule: {warmup: 1.5}", "fraction of the run below 1"),
        ("model: {preset: tiny}\noptimizer: {betas: [0.9, 1.0]}", "below 1"),
        ("model: {preset: tiny}\nbatch: {sequences: 0}", "batch.sequences"),
        ("model: {preset: tiny}\nprecison: bf16", "unknown field 'precison'.*did you mean 'precision'"),
    ],
)
def test_mistakes_name_the_field(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"kind: run\nname: a\noutput: out\nlock: some.lock.json\n{text}\n")
    with pytest.raises(UserError, match=message):
        load(str(file))


def test_exponents_without_a_dot_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "kind: run\nname: a\noutput: out\nlock: l\nmodel: {preset: tiny}\nschedule: {lr: 3e-4, min_lr: 0}\n"
    )
    run = load(str(file))
    assert isinstance(run, RunManifest)
    assert run.schedule.lr == 3e-4


def test_the_written_manifest_reads_back(tmp_path: Path) -> None:
    run = manifest(tmp_path, model={"preset": "tiny"}, validation={"lock": "held-out.lock.json"})
    written = yaml.safe_dump(run.model_dump(mode="json"))
    assert RunManifest(**yaml.safe_load(written)) == run


def test_the_digest_is_of_what_bears_on_the_weights(tmp_path: Path) -> None:
    run = manifest(tmp_path)
    same = manifest(tmp_path / "elsewhere", name="other", tensorboard=True, checkpoint={"every": 9})
    assert run.digest() == same.digest()
    for fields in ({"seed": 1}, {"gradient_clip": None}, {"batch": {"sequences": 8}}, {"max_steps": 5}):
        assert manifest(tmp_path, **fields).digest() != run.digest()


def test_frozen_and_strict(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        manifest(tmp_path, learning_rate=1)
    with pytest.raises(ValidationError):
        manifest(tmp_path).seed = 3


def test_reading_a_manifest_does_not_import_torch() -> None:
    code = "import sys, trainer.manifest, gristmill.cli.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
