import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.base.errors import UserError
from mixtures import tokenizer
from mixtures.documents import local_documents
from tests.mixtures.conftest import small_mixture, texts

LESSON = texts(1, 300)
SPECIAL = ("<pad>", "<s>", "</s>")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(tokenizer.train(iter([LESSON]), 600, SPECIAL))
    return tokenizer.load(path)


def test_training_gives_the_same_bytes_in_any_process():
    script = (
        "import hashlib, sys; from mixtures import tokenizer; from tests.mixtures.conftest import texts;"
        "lesson = texts(1, 300); size = int(sys.argv[1]);"
        "batches = (lesson[i:i + size] for i in range(0, 300, size));"
        f"print(hashlib.sha256(tokenizer.train(batches, 600, {SPECIAL!r}).encode()).hexdigest())"
    )
    digests = set()
    for seed, threads, size in (("0", "1", "300"), ("1", "2", "7"), ("2", "4", "64")):
        environment = {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"}
        run = subprocess.run(
            [sys.executable, "-c", script, size],
            env={**os.environ, **environment},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1


@given(st.text())
def test_any_text_survives(trained, text):
    ids = trained.encode(text, add_special_tokens=False).ids
    assert trained.decode(ids, skip_special_tokens=False) == text
    assert not set(ids) & {0, 1, 2}


def test_special_tokens_in_a_text_are_ordinary_text(trained):
    ids = trained.encode("a </s> b <s> <pad>", add_special_tokens=False).ids
    assert not set(ids) & {0, 1, 2}
    assert [trained.token_to_id(token) for token in SPECIAL] == [0, 1, 2]


def test_digits_stand_alone(trained):
    assert trained.encode("2026", add_special_tokens=False).tokens == ["2", "0", "2", "6"]


def test_a_made_tokenizer_is_reused_until_its_lessons_change(stores):
    manifest = small_mixture()
    documents = local_documents(manifest)
    assert tokenizer.find(manifest, documents) is None
    made = tokenizer.make(manifest, documents)
    stamp = made.path.stat().st_mtime_ns
    assert tokenizer.make(manifest, documents) == made
    assert made.path.stat().st_mtime_ns == stamp
    assert (made.bos_id, made.eos_id, made.add_bos, made.add_eos) == (1, 2, False, True)
    other = small_mixture(tokenizer={"type": "train", "vocab_size": 500, "sources": ["b"]})
    assert tokenizer.find(other, documents) is None


def test_the_sample_is_limited(stores):
    manifest = small_mixture(tokenizer={"type": "train", "vocab_size": 500, "limit_bytes": 600})
    documents = local_documents(manifest)
    sample = list(tokenizer._sample(manifest.tokenizer, documents, lambda size: None))
    # 100 bytes a part, and the document in which the hundred is reached
    assert 0 < sum(len(batch) for batch in sample) < 25
    assert {text.split()[0] for batch in sample for text in batch if text} == {"0", "1", "2", "7", "8"}


def test_a_tokenizer_file_is_copied_and_its_truncation_ignored(stores, trained):
    content = json.loads(trained.to_str())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    content["post_processor"] = None
    Path("mine.json").write_text(json.dumps(content))
    spec = {"type": "file", "path": "mine.json", "bos": "<s>", "eos": "</s>", "add_bos": True}
    manifest = small_mixture(tokenizer=spec)
    made = tokenizer.make(manifest, local_documents(manifest))
    assert made.path.read_bytes() == Path("mine.json").read_bytes()
    assert len(tokenizer.load(made.path).encode("a b c d e f g h").ids) > 3
    wrong = small_mixture(tokenizer={"type": "file", "path": "mine.json", "eos": "</S>"})
    with pytest.raises(UserError, match=r"no token '</S>'.*did you mean '</s>'"):
        tokenizer.make(wrong, local_documents(wrong))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b'{"model": 3}'])
def test_unusable_tokenizer_files_are_one_clear_line(stores, content):
    if content is not None:
        Path("mine.json").write_bytes(content)
    manifest = small_mixture(tokenizer={"type": "file", "path": "mine.json", "add_eos": False})
    with pytest.raises(UserError, match=r"mine\.json: (no such|not a) tokenizer"):
        tokenizer.make(manifest, local_documents(manifest))
