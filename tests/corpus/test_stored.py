"""A store made of another store: a policy's documents, or all with personal data masked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from corpus.build import build
from corpus.manifest import CorpusManifest
from corpus.store import Store
from gristmill.base.errors import UserError
from tests.corpus.stores import contents

TEXTS = [
    "Write to jane.doe@corp.org or call +44 20 7946 0958, extension 12.",
    "Nothing of the kind stands here.",
    'Über 81.2.69.142 😀 password = "hX9!kQ2#vLp" and jane@corp.org',
    "Card 4111 1111 1111 1111.",
]


def manifest(output: Path, source: dict[str, Any], **fields: Any) -> CorpusManifest:
    return CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": output.name,
            "output": str(output),
            "source": source,
            "annotators": ["pii", "secrets"],
            "executor": {"type": "local", "workers": 1},
            **fields,
        }
    )


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four documents in two parts, of which a policy keeps those with personal data."""
    folder = tmp_path_factory.mktemp("stored")
    for number in range(2):
        lines = [json.dumps({"text": text, "title": "T"}) for text in TEXTS[2 * number : 2 * number + 2]]
        (folder / f"{number}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rules = [{"drop": "pii.emails = 0", "reason": "clean"}]
    source = {"type": "jsonl", "paths": [str(folder / "0.jsonl"), str(folder / "1.jsonl")]}
    build(manifest(folder / "raw", source, policy={"name": "personal", "rules": rules}))
    return folder / "raw"


def rows(store: Path, *columns: str) -> list[dict[str, Any]]:
    return [row for batch in Store.open(store).documents(columns) for row in batch.to_pylist()]


def test_masked_texts_keep_their_ids_and_say_where_they_come_from(tmp_path: Path, parent: Path) -> None:
    mask = {"columns": ["pii.spans", "secrets.spans"], "tokens": {"card": "[card]"}}
    summary = build(manifest(tmp_path / "masked", {"type": "store", "path": str(parent), "mask": mask}))
    before, after = (
        rows(parent, "id", "text", "metadata"),
        rows(tmp_path / "masked", "id", "text", "metadata"),
    )
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert [row["text"] for row in before] == TEXTS
    assert [row["text"] for row in after] == [
        "Write to <EMAIL> or call <PHONE_NUMBER>, extension 12.",
        TEXTS[1],
        'Über <IP_ADDRESS> 😀 password = "<PASSWORD>" and <EMAIL>',
        "Card [card].",
    ]
    parts = {part.name: part.digest for part in Store.open(parent).parts}
    metadata = [json.loads(row["metadata"]) for row in after]
    assert [m["parent"] for m in metadata] == [
        {"store": "raw", "documents": parts[f"part-0000{number // 2}"]} for number in range(4)
    ]
    assert [m.get("masked") for m in metadata] == [
        {"email": 1, "phone": 1},
        None,
        {"email": 1, "ipv4": 1, "password": 1},
        {"card": 1},
    ]
    assert all(m["title"] == "T" for m in metadata)
    assert summary.masked == {"card": 1, "email": 2, "ipv4": 1, "password": 1, "phone": 1}
    assert summary.records == summary.documents == 4
    spans = rows(tmp_path / "masked", "pii.spans", "secrets.spans")
    assert spans == [{"pii.spans": [], "secrets.spans": []}] * 4


def test_the_store_is_the_same_whatever_the_workers_and_is_left_alone_when_up_to_date(
    tmp_path: Path, parent: Path
) -> None:
    source = {"type": "store", "path": str(parent), "mask": {}}
    stores = []
    for workers in (1, 2):
        made = manifest(
            tmp_path / str(workers) / "out", source, executor={"type": "local", "workers": workers}
        )
        assert not build(made).reused
        assert build(made).reused
        stores.append(contents(tmp_path / str(workers) / "out"))
    assert stores[0] == stores[1]
    other = manifest(tmp_path / "1" / "out", {**source, "mask": {"tokens": {"email": None}}})
    with pytest.raises(UserError, match="changed: source"):
        build(other)


def test_documents_of_a_policy_or_a_condition(tmp_path: Path, parent: Path) -> None:
    source = {"type": "store", "path": str(parent), "policy": "personal"}
    build(manifest(tmp_path / "kept", source))
    assert [row["text"] for row in rows(tmp_path / "kept", "text")] == [TEXTS[0], TEXTS[2]]
    ignored = [part["ignored"] for part in Store.open(tmp_path / "kept").content["parts"]]
    assert ignored == [{"not selected": 1}, {"not selected": 1}]
    source = {"type": "store", "path": str(parent), "where": "pii.cards > 0 OR text LIKE 'Nothing%'"}
    build(manifest(tmp_path / "some", source))
    assert [row["text"] for row in rows(tmp_path / "some", "text")] == [TEXTS[1], TEXTS[3]]


def test_other_decisions_of_the_parent_are_other_inputs(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    source = {"type": "jsonl", "paths": [str(tmp_path / "d.jsonl")]}

    def parent(condition: str) -> None:
        rules = [{"drop": condition, "reason": "other"}]
        build(manifest(tmp_path / "raw", source, policy={"name": "p", "rules": rules}))

    parent("pii.emails = 0")
    child = manifest(tmp_path / "child", {"type": "store", "path": str(tmp_path / "raw"), "policy": "p"})
    assert build(child).documents == 2
    parent("pii.cards = 0")
    with pytest.raises(UserError, match="changed: inputs"):
        build(child)
    assert build(child, rebuild=True).documents == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"path": "nowhere"}, "nowhere: no document store"),
        (
            {"mask": {"columns": ["pii.span"]}},
            "the store has no column 'pii.span'; did you mean 'pii.spans'?",
        ),
        ({"mask": {"columns": ["pii.emails"]}}, "'pii.emails' holds no spans"),
        ({"mask": {"tokens": {"emial": "x"}}}, "unknown kind 'emial'; did you mean 'email'?"),
        ({"policy": "persnal"}, "no decisions of a policy 'persnal'; did you mean 'personal'?"),
        ({"where": "pii.email > 0"}, "unknown column 'pii.email'"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, parent: Path, source: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        build(manifest(tmp_path / "out", {"type": "store", "path": str(parent), **source}))
    assert told in str(caught.value)


def test_a_store_is_not_made_of_itself(parent: Path) -> None:
    with pytest.raises(UserError, match="a store cannot be made of itself"):
        build(manifest(parent, {"type": "store", "path": str(parent)}))
    with pytest.raises(ValidationError):
        manifest(parent, {"type": "store", "path": str(parent), "mask": {"columns": []}})


def test_a_broken_part_is_an_input_that_could_not_be_read(tmp_path: Path, parent: Path) -> None:
    import shutil

    copy = tmp_path / "raw"
    shutil.copytree(parent, copy)
    made = manifest(tmp_path / "out", {"type": "store", "path": str(copy)})
    file = copy / "documents" / "part-00001.parquet"
    size = file.stat().st_size
    pq.read_table(file)
    file.write_bytes(b"PAR1" + bytes(size - 8) + b"PAR1")
    summary = build(made)
    assert summary.documents == 2
    assert [(name, reason) for name, reason, _ in summary.incomplete] == [
        ("raw/documents/part-00001.parquet", "corrupt")
    ]
