"""Matrix products with a weight: PyTorch's, or oneDNN's where that is the faster one on a CPU.

PyTorch multiplies float32 matrices on x86 with MKL, which chooses its kernels by the processor's maker and
gives AMD's AVX-512 processors the AVX2 ones; oneDNN, which the same PyTorch carries, looks at the
instructions. Measured with PyTorch 2.13 on an AMD EPYC core at the shapes of the small models: 110 against
250 GFLOP/s forward, and 110 against 200 for the gradient of the weight.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.ops.backend import choose

FEW_ROWS = 8
"""Below this many rows (decoding) preparing the product costs more than it saves."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`: x [..., in], weight [out, in], bias [out]; all of one dtype."""
    run = cast(Callable[..., Tensor], choose("linear", "auto", x.device.type))
    return run(x, weight, bias)


def matmul_t(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b.T` of two matrices, [m, k] and [n, k] -> [m, n], by the backend of `linear`; no gradient."""
    run = cast(Callable[..., Tensor], choose("linear", "auto", a.device.type))
    with torch.no_grad():
        return run(a, b, None)


def torch_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """PyTorch's own."""
    return F.linear(x, weight, bias)


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """oneDNN's for float32, forward and backward; PyTorch's own for other dtypes and for a few rows."""
    if x.dtype != torch.float32 or weight.dtype != torch.float32 or x.numel() < FEW_ROWS * x.shape[-1]:
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return _product(x, weight, bias)
    out: Tensor = _OneDNNLinear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out


@functools.cache
def onednn_missing(device: str) -> str | None:
    """Why oneDNN's product is not used on this type of device; None when it is.

    A rule, not a timing: the choice must be the same on every run of a machine, or runs would differ in their
    last bits.
    """
    if device != "cpu":
        return "it is for CPUs"
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not onednn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return "this PyTorch has no oneDNN product"
    if not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        return "this PyTorch does not multiply with MKL"
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or _maker() == "GenuineIntel":
        return "MKL is as fast on this processor"
    return None


def _maker() -> str:
    """The processor's `vendor_id`, as the Linux kernel reports it; an unknown one counts as Intel's."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "GenuineIntel"
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), "GenuineIntel"
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out


def _weight_gradient(rows: Tensor, x: Tensor) -> Tensor:
    """rows.T @ x: [m, out], [m, in] -> [out, in].

    oneDNN reads its second factor through a transposed view but wants the first one whole, so the narrower of
    the two goes first: transposing it (and the small result) is less to move than transposing the wider one.
    """
    if rows.shape[1] > x.shape[1]:
        return _product(x.t().contiguous(), rows.t()).t().contiguous()
    return _product(rows.t().contiguous(), x.t())


class _OneDNNLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, weight = ctx.saved_tensors
        rows = grads[0].reshape(-1, weight.shape[0])
        dx = _product(rows, weight.t()).view(x.shape) if ctx.needs_input_grad[0] else None
        dweight = _weight_gradient(rows, x.reshape(-1, weight.shape[1])) if ctx.needs_input_grad[1] else None
        dbias = rows.sum(0) if ctx.has_bias else None
        return dx, dweight, dbias
