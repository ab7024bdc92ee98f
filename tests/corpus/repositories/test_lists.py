"""Lists of files: fetched from a server with faults, from mirrors, or by git; each row a file or a reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.build import build
from corpus.ledger import Ledger
from corpus.manifest import CorpusManifest
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError
from tests.corpus.crawl_server import Asked, CrawlServer, SeededPlan
from tests.corpus.repositories.made import bare, commit, paths, read, source

COMMIT = "c" * 40
ROWS = [
    ("owner/mill", COMMIT, "src/b.py", "Python"),
    ("owner/mill", COMMIT, "src/a b#.py", "Python"),
    ("owner/mill", COMMIT, "gone.py", "Python"),
    ("other/mill", COMMIT, "c.c", "C"),
    ("other/mill", COMMIT, "notes.txt", "Text"),
    ("owner/mill", COMMIT, "src/b.py", "Python"),
    ("owner/mill", COMMIT, "../../secret.py", "Python"),
    ("../owner", COMMIT, "a.py", "Python"),
    ("owner/mill", "--upload-pack=x", "a.py", "Python"),
    (None, COMMIT, "a.py", "Python"),
]
BAD = {"read:bad_row": 4}
QUICK = {"first_pause_seconds": 0.01, "longest_pause_seconds": 0.02, "tries": 8}


def write(path: Path, rows: list[tuple[str | None, str, str, str]] = ROWS) -> str:
    """A list in the format that its name says."""
    names = ["repo", "commit_id", "rel_path", "language"]
    if path.suffix == ".parquet":
        table = pa.table({name: [row[n] for row in rows] for n, name in enumerate(names)})
        pq.write_table(table, path)
    elif path.suffix == ".csv":
        lines = [",".join(names), *(",".join(f'"{v or ""}"' for v in row) for row in rows)]
        path.write_text("\n".join([*lines, ""]))
    else:
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[CrawlServer]:
    root = tmp_path / "served"
    files = {
        f"owner/mill/{COMMIT}/src/b.py": "b = 1\n" * 5000,
        f"owner/mill/{COMMIT}/src/a%20b%23.py": "a = 1\r\n",
        f"other/mill/{COMMIT}/c.c": "int c;\n",
        f"other/mill/{COMMIT}/notes.txt": "words\n",
        f"other/mill/{COMMIT}/large.py": "#" * 5000,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    server = CrawlServer(root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def template(server: CrawlServer) -> str:
    return server.url + "{repo}/{commit_id}/{rel_path}"


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_each_row_once_in_order_or_a_reason(served: CrawlServer, tmp_path: Path, ending: str) -> None:
    listed = write(tmp_path / f"list.{ending}")
    documents, ledger = read(
        source(tmp_path / "cache", paths=[listed], base_url=template(served), exclude=["**/*.txt"])
    )
    assert [(d.metadata["repo"], d.metadata["path"]) for d in documents] == [
        ("other/mill", "c.c"),
        ("owner/mill", "src/a b#.py"),
        ("owner/mill", "src/b.py"),
    ]
    assert documents[1].text == "a = 1\r\n"
    assert documents[0].metadata["language"] == "C"
    assert documents[0].id == stable_id("repository", "other/mill", COMMIT, "c.c")
    assert ledger.reasons() == {"fetch:not_found": 1, **BAD}
    assert ledger.ignored == {"listed twice": 1}
    assert not any("secret" in asked.path or ".." in asked.path for asked in served.asked)


@pytest.mark.parametrize("seed", range(3))
def test_faults_of_a_server_cost_nothing(served: CrawlServer, tmp_path: Path, seed: int) -> None:
    kinds = ("reset", "reset_early", "truncated", "429:0", "503", "long_length")
    served.plan = SeededPlan(seed, 0.6, 4, kinds)
    documents, ledger = read(
        source(
            tmp_path / "cache", paths=[write(tmp_path / "l.csv")], base_url=template(served), transfer=QUICK
        )
    )
    assert paths(documents) == ["c.c", "notes.txt", "src/a b#.py", "src/b.py"]
    assert documents[3].text == "b = 1\n" * 5000
    assert not ledger.incomplete


def test_a_server_that_asks_to_wait_is_obeyed_or_given_up(served: CrawlServer, tmp_path: Path) -> None:
    def busy(asked: Asked) -> str | None:
        return "429:3000" if asked.path.endswith("c.c") else "404" if "notes" in asked.path else None

    served.plan = busy
    documents, ledger = read(
        source(
            tmp_path / "cache", paths=[write(tmp_path / "l.csv")], base_url=template(served), transfer=QUICK
        )
    )
    assert paths(documents) == ["src/a b#.py", "src/b.py"]
    assert ledger.reasons() == {"fetch:not_fetched": 1, "fetch:not_found": 2, **BAD}
    assert [(one.input, one.reason) for one in ledger.incomplete] == [
        (f"other/mill@{COMMIT}", "connection_lost")
    ]
    assert sum(asked.path.endswith("c.c") for asked in served.asked) == 1


def test_one_request_a_file_and_a_large_one_is_not_read(served: CrawlServer, tmp_path: Path) -> None:
    rows: list[tuple[str | None, str, str, str]] = [
        ("other/mill", COMMIT, "large.py", ""),
        ("other/mill", COMMIT, "c.c", ""),
    ]
    listed = write(tmp_path / "l.parquet", rows)
    documents, ledger = read(
        source(tmp_path / "cache", paths=[listed], base_url=template(served), max_file_bytes=1000)
    )
    assert paths(documents) == ["c.c"]
    assert ledger.reasons() == {"read:too_large": 1}
    assert len(served.asked) == 2


@pytest.mark.parametrize("way", ["mirror", "git"])
def test_from_git_one_fetch_a_commit(tmp_path: Path, way: str) -> None:
    head = commit(tmp_path / "work", {"src/a.py": "a = 1\n", "src/b.py": "b = 1\n", "c.txt": "c\n"})
    (tmp_path / "mirrors/owner").mkdir(parents=True)
    bare(tmp_path / "work", tmp_path / "mirrors/owner/mill.git")
    rows: list[tuple[str | None, str, str, str]] = [
        ("owner/mill", head, "src/a.py", "Python"),
        ("owner/mill", head, "src/b.py", "Python"),
        ("owner/mill", head, "src/gone.py", "Python"),
        ("owner/mill", "f" * 40, "src/a.py", "Python"),
        ("owner/none", head, "src/a.py", "Python"),
    ]
    place = f"{'file://' if way == 'git' else ''}{tmp_path}/mirrors/{{repo}}.git"
    documents, ledger = read(
        source(tmp_path / "cache", paths=[write(tmp_path / "l.jsonl", rows)], base_url=place, transfer=QUICK)
    )
    assert paths(documents) == ["src/a.py", "src/b.py"]
    assert documents[0].metadata["blob"]
    assert ledger.reasons() == {"fetch:not_found": 3}
    assert not ledger.incomplete
    assert len(list((tmp_path / "cache").glob("*.git"))) == (way == "git")


def test_what_no_mirror_has_comes_from_the_next_place(served: CrawlServer, tmp_path: Path) -> None:
    places = [f"{tmp_path}/none/{{repo}}.git", template(served)]
    documents, _ = read(source(tmp_path / "cache", paths=[write(tmp_path / "l.csv")], base_url=places))
    assert len(documents) == 4


def test_parts_end_between_commits(tmp_path: Path) -> None:
    rows: list[tuple[str | None, str, str, str]] = [
        (f"o/r{repo}", COMMIT, f"{n}.py", "") for repo in range(4) for n in range(3)
    ]
    listed = write(tmp_path / "l.parquet", rows)
    tasks = source(tmp_path / "cache", paths=[listed], files_per_part=7).tasks()
    assert [task.span for task in tasks] == [(0, 6), (6, 12)]
    again = source(tmp_path / "other", paths=[listed], files_per_part=7).tasks()
    assert [task.inputs[0].name for task in again] == [task.inputs[0].name for task in tasks]


def test_mistakes(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("repo,commit,rel_path\n")
    with pytest.raises(UserError, match="no column 'commit_id'"):
        source(tmp_path / "cache", paths=[str(tmp_path / "l.csv")]).tasks()
    (tmp_path / "l.parquet").write_bytes(b"garbage")
    with pytest.raises(UserError, match="cannot read the list"):
        source(tmp_path / "cache", paths=[str(tmp_path / "l.parquet")]).tasks()
    with pytest.raises(ValueError, match=r"needs \{repo\}"):
        source(tmp_path, paths=["l.csv"], base_url="https://example.org/{rel_path}")
    with pytest.raises(ValueError, match="give `roots`"):
        source(tmp_path)
    fields = {"commit": "sha", "language": None}
    (tmp_path / "m.jsonl").write_text('{"repo": "o/r", "sha": "abc", "rel_path": "a.py"}\nbroken\n')
    repositories = source(
        tmp_path / "cache", paths=[str(tmp_path / "m.jsonl")], fields=fields, base_url=f"{tmp_path}/{{repo}}"
    )
    documents, ledger = read(repositories)
    assert not documents
    assert ledger.reasons() == {"fetch:not_found": 1, "read:bad_row": 1}


def test_a_build_goes_on_where_the_server_failed(served: CrawlServer, tmp_path: Path) -> None:
    manifest = CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "code",
            "output": str(tmp_path / "store"),
            "source": {
                "type": "repositories",
                "paths": [write(tmp_path / "l.parquet")],
                "base_url": template(served),
                "files_per_part": 3,
                "transfer": {**QUICK, "tries": 2},
            },
            "executor": {"type": "local", "workers": 1},
        }
    )
    served.plan = lambda asked: "503" if "other" in asked.path else None
    first = build(manifest)
    assert first.exit_code == 1
    served.plan = lambda asked: None
    asked = len(served.asked)
    second = build(manifest)
    assert second.exit_code == 0
    assert second.documents == 4
    # Only the part of the repository that failed was fetched again.
    assert {one.path.partition("/")[0] for one in served.asked[asked:]} == {"other"}


def test_reading_does_not_depend_on_the_ledger_before(tmp_path: Path, served: CrawlServer) -> None:
    repositories = source(tmp_path / "cache", paths=[write(tmp_path / "l.csv")], base_url=template(served))
    (task,) = repositories.tasks()
    runs = [
        [document.id for document in repositories.read(task, Ledger(), lambda done: None)] for _ in range(2)
    ]
    assert runs[0] == runs[1]
