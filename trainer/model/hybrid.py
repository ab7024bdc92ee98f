"""The hybrid language model: embedding, a pattern of Mamba-2, MLP and attention layers, output matrix."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.model.cache import HybridCache, KeyValues, MambaState
from trainer.model.config import HybridConfig
from trainer.model.init import initialise
from trainer.model.mixers import AttentionMixer, Context, MambaMixer, MLPMixer, Norm, Projection
from trainer.ops.attention import attention_mask
from trainer.ops.linear import linear
from trainer.ops.loss import cross_entropy_sum

_MIXERS: dict[str, type[MambaMixer] | type[MLPMixer] | type[AttentionMixer]] = {
    "M": MambaMixer,
    "-": MLPMixer,
    "*": AttentionMixer,
}


def stays_float32(name: str) -> bool:
    """Whether a parameter is float32 even where the matrices are not: A_log, D, dt_bias and the norms."""
    return name.rsplit(".", 1)[-1] in ("A_log", "D", "dt_bias") or "norm" in name


class Embeddings(nn.Module):
    """The token table [V, hidden]."""

    def __init__(self, vocab_size: int, hidden_size: int, device: torch.device | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, hidden_size, device=device))

    def forward(self, input_ids: Tensor) -> Tensor:
        return F.embedding(input_ids, self.weight)


class HybridBlock(nn.Module):
    """`h + mixer(norm(h))`."""

    def __init__(self, config: HybridConfig, kind: str, device: torch.device | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.norm = Norm(config.hidden_size, config.layer_norm_epsilon, device)
        self.mixer = _MIXERS[kind](config, device)

    def forward(
        self, h: Tensor, context: Context, dtype: torch.dtype, state: MambaState | KeyValues | None = None
    ) -> Tensor:
        """[B, L, hidden] -> [B, L, hidden]; the mixer computes in `dtype`, the sum has h's dtype."""
        mixed: Tensor = self.mixer(self.norm(h, dtype), context, state)
        return h + mixed.to(h.dtype)


class Backbone(nn.Module):
    """Everything but the output matrix, named as in the Hub format."""

    def __init__(self, config: HybridConfig, device: torch.device | None = None) -> None:
        super().__init__()
        self.embeddings = Embeddings(config.vocab_size, config.hidden_size, device)
        self.layers = nn.ModuleList(
            HybridBlock(config, kind, device) for kind in config.hybrid_override_pattern
        )
        self.norm_f = Norm(config.hidden_size, config.layer_norm_epsilon, device)


class HybridModel(nn.Module):
    """The model; it knows nothing of parallelism. Its state dict is the Hub format's.

    Args:
        config: the shape.
        seed: seed of the initial weights (`trainer.model.init`).
        device: where the parameters live; "meta" makes shapes only and leaves them unset.
        compute_dtype: dtype of the matrix products. Parameters are float32 whatever it is; `cast_weights`
            stores the matrices in fewer bits for inference.
    """

    def __init__(
        self,
        config: HybridConfig,
        seed: int = 0,
        device: torch.device | str | None = None,
        compute_dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = compute_dtype
        place = torch.device(device) if device is not None else torch.get_default_device()
        self.backbone = Backbone(config, place)
        self.lm_head = (
            None
            if config.tie_word_embeddings
            else Projection(config.hidden_size, config.vocab_size, device=place)
        )
        if place.type != "meta":
            self.reset_parameters(seed)

    def reset_parameters(self, seed: int) -> None:
        """Set every parameter to its initial value for this seed."""
        initialise(self, self.config, seed)

    @property
    def output_weight(self) -> nn.Parameter:
        """The output matrix [V, hidden]: `lm_head.weight`, or the embedding when tied."""
        return self.backbone.embeddings.weight if self.lm_head is None else self.lm_head.weight

    def cast_weights(self, dtype: torch.dtype) -> HybridModel:
        """Store matrices and convolutions in `dtype` and compute in it; norms, A_log, D and dt_bias stay."""
        for name, parameter in self.named_parameters():
            if not stays_float32(name):
                parameter.data = parameter.data.to(dtype)
        self.compute_dtype = dtype
        return self

    def new_cache(self, batch: int, capacity: int = 256) -> HybridCache:
        """An empty decoding state on the model's device."""
        device = self.backbone.embeddings.weight.device
        return HybridCache.empty(self.config, batch, capacity, device, self.compute_dtype)

    def hidden(
        self, input_ids: Tensor, segments: Tensor | None = None, cache: HybridCache | None = None
    ) -> Tensor:
        """Hidden states after the final norm, [B, L, hidden] in the compute dtype.

        Args:
            input_ids: int [B, L].
            segments: int [B, L], the number of each token's document, monotone in a row; documents of a row
                do not see each other. None: each row is one document (with a cache: its last one goes on).
            cache: decoding state, advanced in place by L tokens.
        """
        context = self._context(input_ids, segments, cache)
        dtype = self.compute_dtype
        h = self.backbone.embeddings(input_ids)
        h = h.to(torch.promote_types(dtype, torch.float32) if self.config.residual_in_fp32 else dtype)
        for index, block in enumerate(self.backbone.layers):
            h = block(h, context, dtype, None if cache is None else cache.layers[index])
        if cache is not None:
            cache.length += input_ids.shape[1]
        normed: Tensor = self.backbone.norm_f(h, dtype)
        return normed

    def forward(
        self, input_ids: Tensor, segments: Tensor | None = None, cache: HybridCache | None = None
    ) -> Tensor:
        """Logits [B, L, V] in the compute dtype; arguments as in `hidden`."""
        return self.logits(self.hidden(input_ids, segments, cache))

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., hidden] -> [..., V]."""
        return linear(hidden, self.output_weight.to(hidden.dtype))

    def loss(
        self, input_ids: Tensor, labels: Tensor, segments: Tensor | None = None, chunk: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sum of the losses (float32) and number of targets; labels [B, L] are aligned, -100 is no target."""
        return cross_entropy_sum(self.hidden(input_ids, segments), self.output_weight, labels, chunk)

    def _context(self, input_ids: Tensor, segments: Tensor | None, cache: HybridCache | None) -> Context:
        if cache is None:
            if (
                segments is not None
                and segments.device.type == "cpu"
                and bool((segments == segments[:, :1]).all())
            ):
                segments = None  # one document a row: the cheaper path, same result
            return Context(segments)
        past = cache.length
        batch, length = input_ids.shape
        new, restarts = cache.begin(segments, batch, length)
        plain = cache.one_document and (past == 0 or length == 1)
        looks = "*" in self.config.hybrid_override_pattern
        mask = None if plain or not looks else attention_mask(new, cache.segments)
        return Context(
            segments=None if segments is None or cache.one_document else new,
            mask=mask,
            past=past,
            restarts=restarts,
        )
