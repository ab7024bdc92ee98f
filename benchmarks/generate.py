"""Generation with caches on a CPU: ours against transformers' `generate` on the same weights, greedy.

Both read the same prompts and write the same number of tokens, turn by turn, with the same number of threads.
Times are CPU seconds of the process, so other work on the machine does not count; the figures are medians.
The tokens must be the same. Run: python benchmarks/generate.py [--quick] [--json] [--threads N]
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

from trainer.generate import generate
from trainer.hub import save_hub
from trainer.model.hybrid import HybridModel
from trainer.model.presets import preset

Writer = Callable[[list[list[int]], int], list[list[int]]]


def contenders(model: HybridModel) -> dict[str, Writer]:
    """Functions from prompts (of one length) and a number of tokens to the new tokens."""
    from transformers.models.nemotron_h import NemotronHForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        save_hub(model, Path(folder) / "model")
        peer = NemotronHForCausalLM.from_pretrained(Path(folder) / "model", dtype=torch.float32).eval()

    def ours(prompts: list[list[int]], count: int) -> list[list[int]]:
        return [completion.tokens for completion in generate(model, prompts, count)]

    def theirs(prompts: list[list[int]], count: int) -> list[list[int]]:
        inputs = torch.tensor(prompts)
        options = {"max_new_tokens": count, "min_new_tokens": count, "do_sample": False, "pad_token_id": 0}
        with torch.inference_mode():
            out = peer.generate(inputs, attention_mask=torch.ones_like(inputs), eos_token_id=None, **options)
        tokens: list[list[int]] = out[:, inputs.shape[1] :].tolist()
        return tokens

    return {"ours": ours, "theirs": theirs}


def measure(writers: dict[str, Writer], batch: int, prompt: int, count: int, rounds: int) -> dict[str, float]:
    """Median new tokens per second of both, and the median of the rounds' ratios."""
    generator = torch.Generator().manual_seed(1)
    prompts = torch.randint(0, 4096, (batch, prompt), generator=generator).tolist()
    seconds: dict[str, list[float]] = {name: [] for name in writers}
    for turn in range(rounds + 1):
        written = {}
        for name, write in writers.items():
            begin = time.process_time()
            written[name] = write(prompts, count)
            if turn:  # the first round warms up
                seconds[name].append(time.process_time() - begin)
        if written["ours"] != written["theirs"]:
            raise SystemExit("the two models disagree on the tokens")
    ratios = [slow / fast for slow, fast in zip(seconds["theirs"], seconds["ours"], strict=True)]
    return {
        "ratio_transformers": statistics.median(ratios),
        "tokens_per_second": batch * count / statistics.median(seconds["ours"]),
        "tokens_per_second_transformers": batch * count / statistics.median(seconds["theirs"]),
    }


def main() -> None:
    """Measure one row and a batch, and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer tokens")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.disable(logging.WARNING)
    model = HybridModel(preset("demo"), seed=0).requires_grad_(False)
    with torch.no_grad():
        # At initial size the logits are nearly equal, and rounding would choose the tokens.
        model.output_weight.mul_(50)
    writers = contenders(model)
    rounds, count = (3, 64) if options.quick else (7, 128)
    found: dict[str, float] = {}
    for batch, prompt in ((1, 64), (8, 256)):
        figures = measure(writers, batch, prompt, count, rounds)
        print(
            f"{batch} x {prompt} prompt tokens, {count} new: "
            f"ours {figures['tokens_per_second']:,.0f} tokens/s, "
            f"transformers {figures['tokens_per_second_transformers']:,.0f}, "
            f"ratio {figures['ratio_transformers']:.2f}",
            flush=True,
        )
        found.update({f"{name}_b{batch}": value for name, value in figures.items()})
        found["ratio_transformers"] = min(
            found.get("ratio_transformers", float("inf")), figures["ratio_transformers"]
        )
    found["tokens_per_second"] = found["tokens_per_second_b1"]
    if options.json:
        rounded = {name: round(value, 3) for name, value in found.items()}
        print(json.dumps({"threads": options.threads, **rounded}))


if __name__ == "__main__":
    main()
