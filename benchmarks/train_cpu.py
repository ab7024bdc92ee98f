"""Training step of the small hybrid on a CPU: ours (reference backend) against transformers' `nemotron_h`.

Both run forward and backward on the same tokens with the same weights, float32, the same number of threads,
turn by turn. Times are CPU seconds of the process, so other work on the machine does not count; the figures
are medians. Run: python benchmarks/train_cpu.py [--quick] [--json] [--threads N] [--linear NAME]
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.hub import save_hub
from trainer.model.config import HybridConfig
from trainer.model.hybrid import HybridModel
from trainer.model.presets import preset
from trainer.ops.backend import choose, prefer


def transformers_model(ours: HybridModel) -> nn.Module:
    """The same weights in transformers' model, by way of a Hub folder; in training mode."""
    from transformers.models.nemotron_h import NemotronHForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        save_hub(ours, Path(folder) / "model")
        model: nn.Module = NemotronHForCausalLM.from_pretrained(Path(folder) / "model", dtype=torch.float32)
    return model.train()


def our_step(model: HybridModel, tokens: Tensor) -> Callable[[], float]:
    """Forward and backward of our model, from the loss function that the trainer uses."""

    def step() -> float:
        model.zero_grad(set_to_none=True)
        total, count = model.loss(tokens[:, :-1], tokens[:, 1:])
        loss = total / count
        loss.backward()
        return float(loss.detach())

    return step


def their_step(model: nn.Module, tokens: Tensor) -> Callable[[], float]:
    """Forward and backward of transformers' model, with PyTorch's own cross entropy."""

    def step() -> float:
        model.zero_grad(set_to_none=True)
        logits = model(tokens[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        return float(loss.detach())

    return step


def turns(steps: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each contender's step, one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            seconds[name].append(time.process_time() - begin)
    return seconds


def measure(config: HybridConfig, batch: int, length: int, rounds: int) -> dict[str, float]:
    """Median tokens per second of both, and the median of the rounds' ratios."""
    ours = HybridModel(config, seed=0)
    theirs = transformers_model(ours)
    tokens = torch.randint(
        0, config.vocab_size, (batch, length + 1), generator=torch.Generator().manual_seed(1)
    )
    steps = {"ours": our_step(ours, tokens), "theirs": their_step(theirs, tokens)}
    losses = {name: step() for name, step in steps.items()}  # also the warm-up
    if abs(losses["ours"] - losses["theirs"]) > 1e-4:
        raise SystemExit(f"the two models disagree: {losses}")
    seconds = turns(steps, rounds)
    ratios = [slow / fast for slow, fast in zip(seconds["theirs"], seconds["ours"], strict=True)]
    return {
        "ratio_transformers": statistics.median(ratios),
        "tokens_per_second": batch * length / statistics.median(seconds["ours"]),
        "tokens_per_second_transformers": batch * length / statistics.median(seconds["theirs"]),
    }


def main() -> None:
    """Measure the demo's model at a few shapes and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--linear", default="auto", help="our matrix product: auto, torch or onednn")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prefer("linear", options.linear)
    linear = choose("linear", "auto", "cpu").__name__.removesuffix("_linear")
    logging.disable(logging.WARNING)
    rounds = 5 if options.quick else 15
    shapes = [(8, 512, 128), (8, 512, 64), (2, 1024, 128)]
    found: dict[str, float] = {}
    for batch, length, chunk in shapes:
        figures = measure(preset("demo", chunk_size=chunk), batch, length, rounds)
        print(
            f"{batch} x {length} tokens, chunk {chunk}: "
            f"ours ({linear}) {figures['tokens_per_second']:,.0f} tokens/s, "
            f"transformers {figures['tokens_per_second_transformers']:,.0f}, "
            f"ratio {figures['ratio_transformers']:.2f}",
            flush=True,
        )
        found.update({f"{name}_l{length}_q{chunk}": value for name, value in figures.items()})
        for name, value in figures.items():  # the fixed fields are the worst of all shapes
            found[name] = min(found.get(name, value), value)
    if options.json:
        rounded = {name: round(value, 3) for name, value in found.items()}
        print(json.dumps({"threads": options.threads, "linear": linear, **rounded}))


if __name__ == "__main__":
    main()
