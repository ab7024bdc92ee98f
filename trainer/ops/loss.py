"""Cross entropy straight from hidden states, a few tokens at a time: the full logits never exist."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.ops.linear import matmul_t

IGNORE = -100
"""Label of a position that is no target (PyTorch's `ignore_index`)."""


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The gradient is computed with the loss, chunk by chunk, and only scaled in backward."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int) -> Tensor:
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        cast = weight.to(hidden.dtype)
        total = torch.zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32), device=hidden.device)
        grad_hidden = torch.zeros_like(hidden) if needs_hidden else None
        # Transposed, for the states are narrower than the vocabulary: see `_weight_gradient` in linear.
        shape = (weight.shape[1], weight.shape[0])
        grad_weight = torch.zeros(shape, dtype=total.dtype, device=weight.device) if needs_weight else None
        for start in range(0, len(hidden), chunk):
            part, target = hidden[start : start + chunk], labels[start : start + chunk]
            logits = matmul_t(part, cast).to(total.dtype)
            logits -= logits.amax(1, keepdim=True)
            picked = logits.gather(1, target[:, None])
            sums = logits.exp_().sum(1, keepdim=True)
            total += (sums.log() - picked).sum()
            if not (needs_hidden or needs_weight):
                continue
            logits *= sums.reciprocal()
            logits.scatter_(1, target[:, None], logits.gather(1, target[:, None]) - 1)
            grad = logits.to(hidden.dtype)
            if grad_hidden is not None:
                grad_hidden[start : start + chunk] = matmul_t(grad, cast.T)
            if grad_weight is not None:
                grad_weight += matmul_t(part.T.contiguous(), grad.T)
        ctx.save_for_backward(
            *(item for item in (grad_hidden, grad_weight) if item is not None),
        )
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad_total,) = grads
        saved = iter(ctx.saved_tensors)
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        grad_hidden = next(saved) * grad_total if needs_hidden else None
        grad_weight = None
        if needs_weight:
            grad_weight = (next(saved).T.to(ctx.weight_dtype) * grad_total).contiguous()
        return grad_hidden, grad_weight, None, None


def chunk_tokens(vocabulary: int, device: str) -> int:
    """Tokens whose logits exist at one time: about 16 MB of them on a CPU, enough for full speed on a GPU."""
    return max(64, min(1024, 2**22 // vocabulary)) if device == "cpu" else 1024


def cross_entropy_sum(
    hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of the next-token losses and the number of targets.

    Args:
        hidden: [..., d], the model's last hidden states (after the final norm).
        weight: [V, d], the output matrix; cast to hidden's dtype for the product.
        labels: int [...], the target of each position, or -100 (`IGNORE`) where there is none.
        chunk: tokens whose logits exist at one time; None is `chunk_tokens`. The result does not depend on
        it.

    Returns:
        (float32 scalar, int64 scalar). Divide the first by the second, or by the count over all ranks and
        micro-batches. With no target at all the sum is 0 and its gradient zero. Gradients of gradients are
        not available.
    """
    flat_labels = labels.reshape(-1)
    flat_hidden = hidden.reshape(-1, hidden.shape[-1])
    keep = flat_labels != IGNORE
    count = keep.sum()
    rows = keep.nonzero()[:, 0]
    if len(rows) < len(flat_labels):
        # Positions without a target cost nothing: their logits are never computed.
        flat_hidden, flat_labels = flat_hidden[rows], flat_labels[rows]
    chunk = chunk or chunk_tokens(len(weight), hidden.device.type)
    total: Tensor = _ChunkedCrossEntropy.apply(flat_hidden, weight, flat_labels.long(), chunk)  # type: ignore[no-untyped-call]
    return total, count


def cross_entropy_sum_reference(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The same from full logits [..., V]: the plain definition."""
    total = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(),
        labels.reshape(-1).long(),
        ignore_index=IGNORE,
        reduction="sum",
    )
    return total, (labels != IGNORE).sum()
