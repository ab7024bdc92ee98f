"""Initial weights of a hybrid model, each a function of (seed, parameter name) alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gristmill.base.digest import derive_seed
from trainer.model.config import HybridConfig

RESIDUAL_WRITERS = ("out_proj.weight", "down_proj.weight", "o_proj.weight")
"""Projections whose result is added to the residual stream; GPT-2's rule as `mamba_ssm` applies it
(`models/mixer_seq_simple.py`, `_init_weights`): smaller by the square root of the number of layers."""


@torch.no_grad()
def initialise(model: nn.Module, config: HybridConfig, seed: int) -> None:
    """Fill every parameter in place.

    `A_log = log(1..H)` and `D = 1` as in transformers 5.23 and NVIDIA's remote code (Megatron and `mamba_ssm`
    draw A from U(1, 16) instead); `dt_bias` the inverse softplus of step sizes log-uniform in
    [time_step_min, time_step_max], raised to `time_step_floor`; matrices normal with `initializer_range`;
    convolution uniform in ±1/sqrt(W) (PyTorch's rule for its fan-in); norms one, biases zero. A parameter's
    values depend on the seed and its name, not on what was drawn before it.
    """
    for name, parameter in model.named_parameters():
        generator = torch.Generator(device=parameter.device).manual_seed(
            derive_seed("initialise", seed, name)
        )
        _fill(name, parameter, config, generator)


def _fill(name: str, parameter: Tensor, config: HybridConfig, generator: torch.Generator) -> None:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "A_log":
        heads = torch.arange(1, len(parameter) + 1, device=parameter.device, dtype=torch.float32)
        parameter.copy_(heads.log())
    elif leaf == "dt_bias":
        low, high = math.log(config.time_step_min), math.log(config.time_step_max)
        uniform = torch.rand(len(parameter), generator=generator, device=parameter.device)
        step = (uniform * (high - low) + low).exp().clamp(min=config.time_step_floor)
        parameter.copy_(step + torch.log(-torch.expm1(-step)))  # softplus of this is the step again
    elif leaf == "D" or "norm" in name:
        parameter.fill_(1)
    elif "conv1d" in name:
        bound = 1 / math.sqrt(config.conv_kernel)
        parameter.uniform_(-bound, bound, generator=generator)
    elif leaf == "bias":
        parameter.zero_()
    else:
        scale = 1.0
        if config.rescale_prenorm_residual and name.endswith(RESIDUAL_WRITERS):
            scale = 1 / math.sqrt(config.num_hidden_layers)
        parameter.normal_(0.0, config.initializer_range * scale, generator=generator)
