"""Small models for tests: fastText models that are trained in a moment, random BERTs in the Hub's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import fasttext

GOOD = "the theorem proves that every lattice has a basis and the proof follows by induction"
BAD = "buy cheap pills online now best price free shipping click here to win"
WORDS = sorted(
    {*GOOD.split(), *BAD.split(), *["a", "of", "mill", "stone", "water", "wheel", "grain", "flour"]}
)


def fasttext_model(path: Path, examples: Mapping[str, Sequence[str]], **options: object) -> Path:
    """A model with these labels."""
    lines = [
        f"__label__{label} {text}" for label, texts in examples.items() for text in texts for _ in range(20)
    ]
    source = path.with_suffix(".txt")
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"dim": 8, "epoch": 20, "lr": 0.5, "minCount": 1, "thread": 1, "verbose": 0, **options}
    fasttext.train_supervised(str(source), **settings).save_model(str(path))
    source.unlink()
    return path


def bert(
    folder: Path,
    labels: Sequence[str] | None = ("LABEL_0",),
    *,
    seed: int = 0,
    positions: int = 512,
    pooling: str | None = None,
    spread: float = 0.5,
) -> Path:
    """A random BERT of two layers with a tokenizer: with a classification head, or (None) an encoder alone.

    `pooling` adds the files of sentence-transformers.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789.,!?"]
    pieces += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"] + WORDS
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=spread,
    )
    torch.manual_seed(seed)
    if labels is None:
        BertModel(config).save_pretrained(folder)
    else:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
        BertForSequenceClassification(config).save_pretrained(folder)
    if pooling is not None:
        modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        described = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(modules)
        ]
        (folder / "modules.json").write_text(json.dumps(described))
        (folder / "1_Pooling").mkdir()
        chosen = {
            "word_embedding_dimension": 32,
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
        }
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(chosen))
    return folder
