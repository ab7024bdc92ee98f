"""The SSD scan by `mamba_ssm`'s Triton kernels (`mamba_chunk_scan_combined`, read and tested at 2.3.2.post1).

Importing this module imports `mamba_ssm` and so Triton. The package's own `__init__` asks for its
compiled Mamba-1 extension, which a pure-Python install lacks and Mamba-2 does not use: an empty module
stands in.
"""

from __future__ import annotations

import importlib.util
import sys
import types

import torch
from torch import Tensor

if importlib.util.find_spec("selective_scan_cuda") is None:
    sys.modules.setdefault("selective_scan_cuda", types.ModuleType("selective_scan_cuda"))

from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined


def scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None,
    chunk_size: int,
    segments: Tensor | None,
    initial_state: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """`trainer.ops.ssd.ssd` by `mamba_ssm`; see there.

    Between chunks the kernels keep states in C's dtype, so under bfloat16 a long context loses precision that
    the reference keeps. They want segments that rise from one document to the next, as ours do.
    """
    y, final = mamba_chunk_scan_combined(
        x,
        dt,
        A.float(),
        B,
        C,
        chunk_size,
        D=None if D is None else D.float(),
        initial_states=initial_state,
        seq_idx=None if segments is None else segments.to(torch.int32).contiguous(),
        return_final_states=True,
    )
    return y.to(x.dtype), final.float()
