from __future__ import annotations

import pytest
import torch

from trainer.estimate import activation_bytes
from trainer.model.hybrid import HybridModel
from trainer.model.presets import preset


@pytest.mark.parametrize("pattern", [None, "M", "-", "*"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["tiny", "demo"])
def test_the_estimate_is_near_what_autograd_keeps(name: str, pattern: str | None, precision: str) -> None:
    config = preset(name, **({"hybrid_override_pattern": pattern} if pattern else {}))
    model = HybridModel(config, compute_dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    segments = torch.arange(256)[None].expand(2, -1).div(50, rounding_mode="floor").int()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = model.hidden(torch.zeros(2, 256, dtype=torch.int64), segments)
    hidden.sum().backward()
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    real = sum(storage.nbytes() for address, storage in kept.items() if address not in weights)
    assert 0.6 < activation_bytes(config, precision, 2, 256) / real < 1.6
