"""Weights to and from a folder in the `nemotron_h` Hub format: `config.json` and safetensors.

Our state dict has the format's own names (`backbone.layers.0.mixer.in_proj.weight`, ...), so nothing is
renamed; files saved with transformers' in-memory prefix (`model.`) are read too.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gristmill.base.atomic import atomic_folder
from gristmill.base.errors import UserError
from trainer.model.config import HybridConfig
from trainer.model.hub_config import from_hub_dict, to_hub_dict
from trainer.model.hybrid import HybridModel, stays_float32

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SHARD_BYTES = 5 * 10**9
"""Largest weight file, as on the Hub (huggingface_hub's default for safetensors shards)."""


def save_hub(
    model: HybridModel,
    folder: str | Path,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write the model as a folder that `transformers` (`NemotronHForCausalLM.from_pretrained`) loads.

    Atomic: the folder is whole or absent. The bytes depend on the weights and the configuration alone.

    Args:
        model: on any device.
        folder: created, or replaced.
        dtype: of the stored matrices; None keeps each parameter's own. Norms, A_log, D, dt_bias keep theirs.
        shard_bytes: largest weight file; more files and an index are written above it.
    """
    state = {
        name: tensor.detach()
        .to("cpu", tensor.dtype if dtype is None or stays_float32(name) else dtype)
        .contiguous()
        for name, tensor in model.state_dict().items()
    }
    matrices = next(tensor.dtype for name, tensor in state.items() if not stays_float32(name))
    shards = _shards(state, shard_bytes)
    with atomic_folder(folder) as target:
        fields = to_hub_dict(model.config, str(matrices).removeprefix("torch."))
        (target / "config.json").write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
        if len(shards) == 1:
            _save(state, target / SINGLE_FILE)
            return
        places: dict[str, str] = {}
        for number, names in enumerate(shards, 1):
            file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            _save({name: state[name] for name in names}, target / file)
            places.update(dict.fromkeys(names, file))
        total = sum(tensor.nbytes for tensor in state.values())
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (target / INDEX_FILE).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file. Errors: OSError when the disk is full, which the library hides in a text."""
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, "No space left on device", str(path)) from None
        raise
    path.chmod(0o644)  # the library lets nobody but the owner read it


def load_config(folder: str | Path) -> HybridConfig:
    """The configuration in a Hub folder."""
    path = Path(folder) / "config.json"
    try:
        fields = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(
            "no such file", where=str(path), mend="give a folder in the nemotron_h Hub format"
        ) from None
    except json.JSONDecodeError as error:
        raise UserError(f"is not JSON ({error})", where=str(path)) from None
    return from_hub_dict(fields, where=str(path))


def load_hub(
    folder: str | Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    compute_dtype: torch.dtype = torch.float32,
) -> HybridModel:
    """A model with the weights of a Hub folder.

    Args:
        folder: `config.json` and `*.safetensors`, of one file or of several with an index.
        device: where the parameters go.
        dtype: dtype of the matrices in memory: None is float32 (for training); bfloat16, for inference, also
            becomes the compute dtype.
        compute_dtype: dtype of the matrix products when `dtype` is None.

    Raises:
        UserError: a file is missing, or a tensor is missing, unknown, or of another shape than configured.
    """
    folder = Path(folder)
    config = load_config(folder)
    model = HybridModel(config, device="meta", compute_dtype=compute_dtype)
    if dtype is not None:
        model.cast_weights(dtype)
    model.to_empty(device=device)
    state = model.state_dict()
    loaded: set[str] = set()
    with torch.no_grad():
        for name, tensor in _read(folder, config):
            if name not in state:
                raise UserError(
                    f"has a tensor '{name}' that the configuration does not call for", where=str(folder)
                )
            if tensor.shape != state[name].shape:
                raise UserError(
                    f"'{name}' has shape {list(tensor.shape)}, not {list(state[name].shape)} as configured",
                    where=str(folder),
                )
            state[name].copy_(tensor)
            loaded.add(name)
    missing = [name for name in state if name not in loaded]
    if missing:
        raise UserError(f"lacks {len(missing)} tensors, the first is '{missing[0]}'", where=str(folder))
    return model


def _read(folder: Path, config: HybridConfig) -> Any:
    """(our name, tensor) of every tensor of the folder that belongs to the model."""
    index = folder / INDEX_FILE
    if index.is_file():
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    else:
        files = [SINGLE_FILE]
    for file in files:
        path = folder / file
        if not path.is_file():
            raise UserError("no such file", where=str(path))
        with _opened(path) as handle:
            for stored in handle.keys():  # noqa: SIM118 - not a dict
                name = f"backbone.{stored.removeprefix('model.')}" if stored.startswith("model.") else stored
                if name.startswith("mtp."):
                    continue  # multi-token prediction heads of later models; transformers skips them too
                if name == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                yield name, handle.get_tensor(stored)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise UserError(f"is not a whole safetensors file ({error})", where=str(path)) from None


def _shards(state: dict[str, Tensor], limit: int) -> list[list[str]]:
    """Names in order, cut into files of at most `limit` bytes (a larger tensor has a file of its own)."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in state.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards
