from __future__ import annotations

import copy

import pytest
import torch

from tests.trainer.fakes import TINY
from trainer.manifest import AdamWOptions
from trainer.model.config import HybridConfig
from trainer.model.hybrid import HybridModel
from trainer.optim import build, is_decayed, set_rate, state_tensors


@pytest.fixture
def model() -> HybridModel:
    return HybridModel(HybridConfig(vocab_size=32, use_bias=True, mlp_bias=True, **TINY))


def test_what_is_decayed(model: HybridModel) -> None:
    plain = {name for name, parameter in model.named_parameters() if not is_decayed(name, parameter)}
    leaves = {name.rsplit(".", 1)[-1] for name in plain}
    assert leaves == {"A_log", "D", "dt_bias", "bias", "weight"}
    assert all("norm" in name for name in plain if name.endswith("weight"))
    assert "backbone.layers.0.mixer.norm.weight" in plain
    embedding = dict(model.named_parameters())["backbone.embeddings.weight"]
    assert is_decayed("backbone.embeddings.weight", embedding)
    assert not is_decayed("backbone.embeddings.weight", embedding, decay_embeddings=False)


def test_decay_reaches_its_group_only(model: HybridModel) -> None:
    before = copy.deepcopy(model.state_dict())
    optimizer = build(model, AdamWOptions(weight_decay=0.5))
    set_rate(optimizer, 0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 0.95 if is_decayed(name, parameter) else 1.0
        torch.testing.assert_close(parameter, before[name] * factor)


def test_same_steps_as_an_optimizer_that_makes_its_state_itself(model: HybridModel) -> None:
    twin = copy.deepcopy(model)
    ours = build(model, AdamWOptions(betas=(0.8, 0.9), eps=1e-6, weight_decay=0.0))
    theirs = torch.optim.AdamW(twin.parameters(), betas=(0.8, 0.9), eps=1e-6, weight_decay=0.0, lr=0.01)
    set_rate(ours, 0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        for one, other in zip(model.parameters(), twin.parameters(), strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        ours.step()
        theirs.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_state_tensors_are_the_optimizers_own(model: HybridModel) -> None:
    optimizer = build(model, AdamWOptions())
    tensors = state_tensors(model, optimizer)
    assert set(tensors) == {name for name, _ in model.named_parameters()}
    tensors["lm_head.weight"]["exp_avg"].fill_(3)
    assert model.lm_head is not None
    assert bool((optimizer.state[model.lm_head.weight]["exp_avg"] == 3).all())
