"""Weights in the Hub's format: transformers loads them, they come back exactly, broken ones are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gristmill.base.digest import sha256_file
from gristmill.base.errors import UserError
from tests.trainer.model.examples import peer, relative, shaken, small, tokens
from trainer.hub import load_config, load_hub, save_hub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with all layer types, saved."""
    path = tmp_path_factory.mktemp("hub") / "model"
    save_hub(shaken(small(eos_token_id=2)), path)
    return path


@pytest.mark.parametrize("changes", [{}, {"time_step_limit": (0.01, float("inf"))}, {"chunk_size": 128}])
def test_transformers_loads_what_we_save(changes: dict[str, Any], tmp_path: Path) -> None:
    model = shaken(small(**changes), seed=3).requires_grad_(False)
    inputs = tokens(model.config, 2, 50)
    assert relative(peer(model, tmp_path / "hub")(inputs).logits, model(inputs)) < 1e-4


def test_we_load_what_transformers_saves(tmp_path: Path) -> None:
    model = shaken(small()).requires_grad_(False)
    theirs = peer(model, tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    again = load_hub(tmp_path / "theirs")
    for (name, tensor), (other, found) in zip(
        model.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(tensor, found)


def test_round_trip_is_exact_and_its_bytes_are_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    model = load_hub(folder)
    assert model.config == small(eos_token_id=2)
    save_hub(model, tmp_path / "again")
    for file in ("config.json", "model.safetensors"):
        assert sha256_file(folder / file) == sha256_file(tmp_path / "again" / file)


def test_names_and_shapes_are_the_format_s(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    assert state["backbone.layers.0.mixer.conv1d.weight"].shape == (48 + 2 * 2 * 16, 1, 4)
    assert state["backbone.layers.0.mixer.in_proj.weight"].shape == (48 + 48 + 2 * 2 * 16 + 6, 24)
    assert state["backbone.layers.2.mixer.k_proj.weight"].shape == (16, 24)
    expected = {"backbone.embeddings.weight", "backbone.norm_f.weight", "lm_head.weight"}
    assert expected < set(state)
    written = json.loads((folder / "config.json").read_text())
    assert written["hybrid_override_pattern"] == "M-*M-"
    assert written["architectures"] == ["NemotronHForCausalLM"]


def test_large_models_are_cut_into_files(tmp_path: Path) -> None:
    model = shaken(small()).requires_grad_(False)
    save_hub(model, tmp_path / "cut", shard_bytes=8_000)
    files = sorted(path.name for path in (tmp_path / "cut").glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    again = load_hub(tmp_path / "cut")
    inputs = tokens(model.config, 1, 20)
    assert torch.equal(again(inputs), model(inputs))
    from transformers.models.nemotron_h import NemotronHForCausalLM

    theirs = NemotronHForCausalLM.from_pretrained(tmp_path / "cut", dtype=torch.float32)
    assert relative(theirs(inputs).logits, model(inputs)) < 1e-4


def test_bfloat16_storage_keeps_the_delicate_parameters_in_float32(tmp_path: Path) -> None:
    model = shaken(small()).requires_grad_(False)
    save_hub(model, tmp_path / "half", dtype=torch.bfloat16)
    state = load_file(tmp_path / "half" / "model.safetensors")
    assert state["lm_head.weight"].dtype == torch.bfloat16
    for name in ("A_log", "D", "dt_bias", "norm.weight"):
        assert state[f"backbone.layers.0.mixer.{name}"].dtype == torch.float32
    assert json.loads((tmp_path / "half" / "config.json").read_text())["torch_dtype"] == "bfloat16"
    half = load_hub(tmp_path / "half", dtype=torch.bfloat16).requires_grad_(False)
    assert half.compute_dtype == half.output_weight.dtype == torch.bfloat16
    inputs = tokens(model.config, 1, 30)
    exact = load_hub(tmp_path / "half").requires_grad_(False)(inputs)
    assert half(inputs).dtype == torch.bfloat16
    assert relative(half(inputs).float(), exact) < 0.05


def test_tied_embeddings(tmp_path: Path) -> None:
    model = shaken(small(tie_word_embeddings=True)).requires_grad_(False)
    save_hub(model, tmp_path / "tied")
    assert "lm_head.weight" not in load_file(tmp_path / "tied" / "model.safetensors")
    inputs = tokens(model.config, 1, 8)
    assert torch.equal(load_hub(tmp_path / "tied")(inputs), model(inputs))


def _change(folder: Path, tmp_path: Path, **changes: torch.Tensor | None) -> Path:
    copy = tmp_path / "changed"
    shutil.copytree(folder, copy)
    state = load_file(copy / "model.safetensors")
    for name, tensor in changes.items():
        key = name.replace("__", ".")
        if tensor is None:
            del state[key]
        else:
            state[key] = tensor
    save_file(state, copy / "model.safetensors")
    return copy


def test_broken_folders_are_refused_with_the_name_of_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json: no such file"):
        load_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        load_config(tmp_path)
    shutil.copy(folder / "config.json", tmp_path / "config.json")
    with pytest.raises(UserError, match=r"model\.safetensors: no such file"):
        load_hub(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-7])
    with pytest.raises(UserError, match=r"model\.safetensors: is not a whole safetensors file"):
        load_hub(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("lm_head__weight", None, "lacks 1 tensors, the first is 'lm_head.weight'"),
        ("extra", torch.zeros(1), "has a tensor 'extra' that the configuration does not call for"),
        ("backbone__norm_f__weight", torch.zeros(5), r"has shape \[5\], not \[24\] as configured"),
    ],
)
def test_wrong_tensors_are_refused(
    folder: Path, tmp_path: Path, name: str, tensor: torch.Tensor | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_hub(_change(folder, tmp_path, **{name: tensor}))
