from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.base.errors import UserError
from mixtures.lock import read_lock
from tests.trainer.mixture import make_mixture
from trainer import tokens

TEXT = "naïve größe 数学 x = 1\n\t</s> 3.14"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokens.write(read_lock(make_mixture(tmp_path / "out")), tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def test_any_text_comes_back(folder: Path) -> None:
    codec = tokens.read(folder)
    assert codec.decode(codec.encode(TEXT)) == TEXT
    assert codec.eos is not None
    assert codec.eos not in codec.encode(TEXT)  # "</s>" in a text is text
    assert codec.decode([*codec.encode("a b"), codec.eos]) == "a b"


def test_a_document_begins_as_it_did_in_training(tmp_path: Path) -> None:
    lock = read_lock(make_mixture(tmp_path / "out"))
    for add_bos in (False, True):
        tokens.write(replace(lock, add_bos=add_bos), tmp_path / "t")
        codec = tokens.read(tmp_path / "t")
        assert (codec.encode("") == [lock.bos_id]) is add_bos
        assert codec.eos == lock.eos_id


def test_tokens_spelt_as_objects_are_read_too(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["eos_token"] = {"content": config["eos_token"], "lstrip": False}
    path.write_text(json.dumps(config))
    assert tokens.read(folder).eos == tokens.read(folder).tokenizer.token_to_id("</s>")
    path.write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        tokens.read(folder)


def test_transformers_reads_it(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), tokens.read(folder)
    text = TEXT.replace("</s>", "")
    assert theirs.encode(text, add_special_tokens=False) == ours.encode(text)
    assert theirs.decode(ours.encode(text)) == text
    assert theirs.eos_token_id == ours.eos
