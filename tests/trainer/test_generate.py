"""Generation with caches equals the full forward pass, at every position, for any batch of prompts."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.base.errors import UserError
from tests.trainer.model.examples import relative, shaken, small, tokens
from trainer import generate as module
from trainer.generate import Completion, generate, read_prompts, stream
from trainer.model.hybrid import HybridModel
from trainer.sampling import Sampling

GREEDY = Sampling(temperature=0)


def _model(pattern: str = "M-*M-", chunk: int = 8) -> HybridModel:
    return shaken(small(hybrid_override_pattern=pattern, chunk_size=chunk)).requires_grad_(False)


@pytest.mark.parametrize("pattern", ["M", "*", "M-*M-", "*M*", "MM-", "-"])
def test_one_token_a_step_equals_the_full_pass_at_every_position(pattern: str) -> None:
    model = _model(pattern)
    row = tokens(model.config, 2, 45)
    expected = model(row)
    cache = model.new_cache(2, capacity=4)  # grows on the way
    for t in range(45):
        assert relative(model(row[:, t : t + 1], cache=cache)[:, 0], expected[:, t]) < 1e-4, t
    assert cache.length == 45


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 39), max_size=6, unique=True), packed=st.booleans())
def test_any_split_of_the_sequence_gives_the_same(cuts: list[int], packed: bool) -> None:
    """Pieces of any length, also when documents end inside them or exactly between two."""
    model = _model("M-*M")
    row = tokens(model.config, 2, 40)
    numbers = torch.zeros(2, 40, dtype=torch.int32)
    numbers[0, 9:], numbers[0, 24:], numbers[1, 1:] = 1, 2, 1
    segments = numbers if packed else None
    expected = model(row, segments)
    cache = model.new_cache(2, capacity=3)
    pieces = []
    for start, end in pairwise([0, *sorted(cuts), 40]):
        part = None if segments is None else segments[:, start:end]
        pieces.append(model(row[:, start:end], part, cache))
    assert relative(torch.cat(pieces, dim=1), expected) < 1e-4


def test_caches_hold_the_state_in_float32_and_no_more_than_they_need() -> None:
    model = _model("M*").cast_weights(torch.bfloat16)
    cache = model.new_cache(3, capacity=16)
    model(tokens(model.config, 3, 5), cache=cache)
    mamba, attention = cache.layers
    assert mamba.ssm.dtype == torch.float32  # type: ignore[union-attr]
    assert mamba.conv.shape == (3, 3, model.config.conv_size)  # type: ignore[union-attr]
    assert attention.key.shape == (3, 16, 2, 8)  # type: ignore[union-attr]
    assert attention.key.dtype == torch.bfloat16  # type: ignore[union-attr]


@pytest.mark.parametrize("pattern", ["M-*M-", "MM", "**"])
@pytest.mark.parametrize("piece", [4096, 7])
def test_prompts_of_different_lengths_run_as_if_alone(
    pattern: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PREFILL_TOKENS", piece)
    model = _model(pattern)
    prompts = [tokens(model.config, 1, n, seed=n)[0].tolist() for n in (3, 1, 30, 17)]
    going_on = tokens(model.config, 4, 12)
    cache, logits = read_prompts(model, prompts)
    steps = [logits, *(model(going_on[:, t : t + 1], cache=cache)[:, 0] for t in range(12))]
    together = torch.stack(steps, dim=1)
    for row, prompt in enumerate(prompts):
        full = model(torch.cat([torch.tensor(prompt), going_on[row]])[None])
        assert relative(together[row], full[0, len(prompt) - 1 :]) < 1e-4


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(temperature=1.3, top_k=30, top_p=0.9, seed=4)])
def test_batched_completions_are_those_of_the_prompts_alone(sampling: Sampling) -> None:
    model = _model()
    prompts = [tokens(model.config, 1, n, seed=n)[0].tolist() for n in (5, 1, 12)]
    stop = (3, 9, 17, 33)
    together = generate(model, prompts, 25, sampling, stop)
    for row, prompt in enumerate(prompts):
        # Rows draw from streams of their own: put the prompt into the same row of another batch.
        others = [[1]] * row
        alone = generate(model, [*others, prompt], 25, sampling, stop)[row]
        assert alone == together[row]


def test_greedy_tokens_are_the_full_pass_s_likeliest() -> None:
    model = _model()
    prompt = tokens(model.config, 1, 6)[0].tolist()
    (completion,) = generate(model, [prompt], 15)
    assert completion.ended_by == "length"
    logits = model(torch.tensor([prompt + completion.tokens]))[0]
    assert logits[5:-1].argmax(-1).tolist() == completion.tokens


def test_stop_tokens_end_a_row_and_are_its_last() -> None:
    model = _model()
    prompts = [tokens(model.config, 1, n, seed=n)[0].tolist() for n in (4, 9, 2)]
    free = [each.tokens for each in generate(model, prompts, 20)]
    stop = free[1][4]
    for before, found in zip(free, generate(model, prompts, 20, stop=[stop]), strict=True):
        if stop in before:
            assert found == Completion(before[: before.index(stop) + 1], "stop")
        else:
            assert found == Completion(before, "length")


def test_stream_gives_tokens_as_they_come_and_leaves_no_mode_behind() -> None:
    model = _model()
    steps = stream(model, [[1, 2], [3]], 3)
    first = next(steps)
    assert first[0] == 0
    assert not torch.is_inference_mode_enabled()
    assert len([first, *steps]) == 6


def test_same_seed_same_text_other_seed_other_text() -> None:
    model = _model()
    runs = [generate(model, [[1, 2, 3]], 20, Sampling(seed=seed))[0].tokens for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_nothing_to_do() -> None:
    model = _model()
    assert generate(model, [], 5) == []
    assert generate(model, [[1]], 0) == [Completion([], "length")]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([[1], []], "prompt 1 is empty"),
        ([[61]], "token 61, outside the vocabulary of 61"),
        ([[-1]], "token -1"),
    ],
)
def test_bad_prompts_are_refused(prompts: list[list[int]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        generate(_model(), prompts, 5)
