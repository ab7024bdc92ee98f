"""`config.json` of the `nemotron_h` Hub format, to and from `HybridConfig`.

Read: the files NVIDIA publishes for Nemotron-H and Nano 2, and those transformers 5.23 writes (layer lists
instead of a pattern, `{"__float__": "Infinity"}` for infinity). Written: the pattern, which both understand.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from gristmill.base.errors import UserError
from trainer.model.config import HybridConfig

_LAYER_TYPES = {
    "mamba": "M",
    "linear_attention": "M",
    "mlp": "-",
    "attention": "*",
    "full_attention": "*",
    "moe": "E",
}

_OLD_NAMES = {
    "attention_head_dim": "head_dim",
    "rms_norm_eps": "layer_norm_epsilon",
    "mamba_n_groups": "n_groups",
    "mamba_d_conv": "conv_kernel",
    "mamba_dt_min": "time_step_min",
    "mamba_dt_max": "time_step_max",
    "mamba_dt_limit": "time_step_limit",
    "mamba_dt_init_floor": "time_step_floor",
    "mamba_conv_bias": "use_conv_bias",
    "mamba_chunk_size": "chunk_size",
}
"""Names in older files; transformers renames the `mamba_` ones in `NemotronHConfig.__post_init__`."""

_FIXED: dict[str, tuple[Any, ...]] = {
    "mlp_hidden_act": ("relu2",),
    "mamba_hidden_act": ("silu",),
    "attention_bias": (False,),
    "mamba_proj_bias": (False,),
    "sliding_window": (None,),
}
"""What this model is, and no file may contradict."""

_INITIAL_STEP = "initial_time_step_min"
"""Our extra field: `time_step_min` as initialisation used it. See `to_hub_dict`."""

_SMALLEST_STEP = 1e-30


def to_hub_dict(config: HybridConfig, dtype: str = "float32") -> dict[str, Any]:
    """The fields of `config.json`, ready for `json.dumps` (which spells infinity as NVIDIA's files do).

    transformers 5.23 clamps step sizes from below to `time_step_min`, a constant of *initialisation*, where
    the original code (Megatron, `mamba_ssm`, NVIDIA's remote code, vLLM) clamps to `time_step_limit`; its
    chunked path even disagrees with its own one-token path, which does not clamp. The written `time_step_min`
    therefore is the lower limit, made positive, with which transformers computes what this model computes;
    the value for initialisation goes beside it.
    """
    fields = config.model_dump(mode="python")
    fields[_INITIAL_STEP] = fields["time_step_min"]
    fields["time_step_min"] = max(config.time_step_limit[0], _SMALLEST_STEP)
    fields["time_step_limit"] = list(config.time_step_limit)
    expand = config.mamba_inner_size // config.hidden_size
    fixed = {name: values[0] for name, values in _FIXED.items()}
    return {
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "nemotron_h",
        "torch_dtype": dtype,
        "num_hidden_layers": config.num_hidden_layers,
        "expand": expand,
        "mamba_ssm_cache_dtype": "float32",
        "use_cache": True,
        **fixed,
        **fields,
    }


def from_hub_dict(fields: dict[str, Any], where: str = "config.json") -> HybridConfig:
    """The configuration that a `config.json` describes.

    Raises:
        UserError: another architecture, a layer or activation this model lacks, or inconsistent sizes.
    """
    if fields.get("model_type") != "nemotron_h":
        raise UserError(f"model_type is {fields.get('model_type')!r}, expected 'nemotron_h'", where=where)
    known = {_OLD_NAMES.get(name, name): value for name, value in fields.items()}
    for name, allowed in _FIXED.items():
        if known.get(name, allowed[0]) not in allowed:
            raise UserError(f"{name} is {known[name]!r}; this model has only {allowed[0]!r}", where=where)
    if _INITIAL_STEP in known:
        known["time_step_min"] = known[_INITIAL_STEP]
    if "hybrid_override_pattern" not in known:
        known["hybrid_override_pattern"] = _pattern(known, where)
    if isinstance(known.get("eos_token_id"), list):
        known["eos_token_id"] = known["eos_token_id"][0]
    if "time_step_limit" in known:
        known["time_step_limit"] = [_number(value) for value in known["time_step_limit"]]
    wanted = {name: known[name] for name in HybridConfig.model_fields if name in known}
    try:
        return HybridConfig(**wanted)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{place}: {first['msg']}" if place else first["msg"], where=where) from None


def _pattern(fields: dict[str, Any], where: str) -> str:
    layers = fields.get("layers_block_type") or fields.get("layer_types")
    if not layers:
        raise UserError("has neither hybrid_override_pattern nor layers_block_type", where=where)
    unknown = [layer for layer in layers if layer not in _LAYER_TYPES]
    if unknown:
        raise UserError(f"unknown layer type {unknown[0]!r}", where=where)
    return "".join(_LAYER_TYPES[layer] for layer in layers)


def _number(value: Any) -> float:
    """A float, also in the form in which transformers 5.23 writes infinity."""
    return float(value["__float__"] if isinstance(value, dict) else value)
