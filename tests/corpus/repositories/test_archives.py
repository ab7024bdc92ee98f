"""Archives of repositories: every packing gives the same files; what is wrong with one is a reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.sources.repositories.archives import repository_name, safe
from gristmill.base.digest import stable_id
from tests.corpus.crawl_server import CrawlServer
from tests.corpus.repositories.made import commit, git, paths, read, source

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": zstandard.compress,
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "mill"
    commit(
        root, {"a.py": "a = 1\r\n", "lib/b.py": "b = 1\n", "lib/notes.txt": "words\n", "run": "#!/bin/sh\n"}
    )
    (root / "run").chmod(0o755)
    (root / "loop.py").symlink_to("loop.py")
    commit(root, {})
    return root


def tar(*members: tuple[str, bytes | None, bytes]) -> bytes:
    """A tar file of (name, content, type)."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data or b"")
            info.linkname = "a.py" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(info, io.BytesIO(data or b""))
    return target.getvalue()


def packed(*names: str) -> bytes:
    return tar(*((name, b"x = 1\n", tarfile.REGTYPE) for name in names))


@pytest.mark.parametrize("ending", [*PACKINGS, ".zip"])
def test_as_git_writes_it(tree: Path, tmp_path: Path, ending: str) -> None:
    head = git(tree, "rev-parse", "HEAD")
    form = "zip" if ending == ".zip" else "tar"
    target = tmp_path / "packed" / f"mill-{head}{ending}"
    target.parent.mkdir()
    git(tree, "archive", f"--format={form}", f"--prefix=mill-{head}/", f"--output={tmp_path}/raw", "HEAD")
    target.write_bytes(PACKINGS.get(ending, bytes)((tmp_path / "raw").read_bytes()))
    documents, ledger = read(source(tmp_path / "cache", paths=[str(target.parent)], exclude=["*.md"]))
    assert paths(documents) == ["a.py", "lib/b.py", "lib/notes.txt", "run"]
    assert documents[0].text == "a = 1\r\n"
    assert {d.metadata["repo"] for d in documents} == {"mill"}
    assert {d.metadata["commit"] for d in documents} == {head}
    assert [d.metadata.get("executable") for d in documents] == [None, None, None, True]
    assert ledger.reasons() == {"read:symlink": 1}
    # The same file has the same id, wherever it was read.
    assert documents[0].id == stable_id("repository", "mill", head, "a.py")
    of_git, _ = read(source(tmp_path / "cache", roots=[str(tree)]))
    assert {d.id for d in documents} <= {d.id for d in of_git}


def test_names_that_lead_elsewhere_and_what_is_no_file(tmp_path: Path) -> None:
    data = tar(
        ("a.py", b"a = 1\n", tarfile.REGTYPE),
        ("../up.py", b"x = 1\n", tarfile.REGTYPE),
        ("/etc/abs.py", b"x = 1\n", tarfile.REGTYPE),
        ("lib/../../up.py", b"x = 1\n", tarfile.REGTYPE),
        ("link.py", None, tarfile.SYMTYPE),
        ("hard.py", None, tarfile.LNKTYPE),
        ("pipe.py", None, tarfile.FIFOTYPE),
        ("a.py", b"again = 1\n", tarfile.REGTYPE),
    )
    (tmp_path / "x.tar").write_bytes(data)
    documents, ledger = read(source(tmp_path / "cache", paths=[str(tmp_path / "x.tar")]))
    assert paths(documents) == ["a.py"]
    assert ledger.reasons() == {
        "read:duplicate_path": 1,
        "read:special_file": 1,
        "read:symlink": 2,
        "read:unsafe_path": 3,
    }
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("a.py", "../up.py", "C:/abs.py", "..\\up.py"):
            archive.writestr(name, "x = 1\n")
    documents, ledger = read(source(tmp_path / "cache", paths=[str(tmp_path / "x.zip")]))
    assert paths(documents) == ["a.py"]
    assert ledger.reasons() == {"read:unsafe_path": 3}


@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        ("mill-1.0.tar", ["mill-1.0/a.py", "mill-1.0/lib/b.py"], ["a.py", "lib/b.py"]),
        ("mill.tar", ["./mill/a.py"], ["a.py"]),
        ("mill.tar", ["src/a.py", "tests/b.py"], ["src/a.py", "tests/b.py"]),
        ("mill.tar", ["a.py", "mill/b.py"], ["a.py", "mill/b.py"]),
        ("mill.tar", ["mill/a.py", "other/b.py"], ["a.py", "other/b.py"]),
    ],
)
def test_the_folder_around_everything(
    tmp_path: Path, name: str, members: list[str], expected: list[str]
) -> None:
    (tmp_path / name).write_bytes(packed(*members))
    documents, _ = read(source(tmp_path / "cache", paths=[str(tmp_path / name)]))
    assert paths(documents) == expected
    assert {d.metadata["repo"] for d in documents} == {name.removesuffix(".tar")}


def test_200_megabytes_and_headers_without_end_cost_no_memory(tmp_path: Path) -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    with tarfile.open(tmp_path / "huge.tar.gz", "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("huge.py")
        info.size = 200 << 20
        archive.addfile(info, Zeros())
        small = tarfile.TarInfo("small.py")
        small.size = 6
        archive.addfile(small, io.BytesIO(b"x = 1\n"))
        header = tarfile.TarInfo("header")
        header.type, header.size = tarfile.XHDTYPE, 300 << 20
        archive.addfile(header, Zeros())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    documents, ledger = read(source(tmp_path / "cache", paths=[str(tmp_path / "huge.tar.gz")]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    assert paths(documents) == ["small.py"]
    assert ledger.reasons() == {"read:too_large": 1}
    assert [(one.reason, one.detail) for one in ledger.incomplete] == [
        ("corrupt_to_end", "a header too large")
    ]


def test_what_breaks_off_is_an_incomplete_input_and_what_came_before_stays(tmp_path: Path) -> None:
    data = packed("a.py", "b.py")
    cases = {
        "cut.tar": data[: 512 + 512 + 512 + 3],
        "cut.tar.gz": gzip.compress(packed("a.py", *(f"{n}.py" for n in range(500))))[:-200],
        "garbage.tar": b"garbage" * 1000,
        "empty.tar": b"",
        "not.zip": b"PK\3\4 garbage",
        "cut.zip": b"",
    }
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        archive.writestr("a.py", "a = 1\n")
    cases["cut.zip"] = (tmp_path / "x").read_bytes()[:-10]
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        documents, ledger = read(source(tmp_path / "cache", paths=[str(tmp_path / name)]))
        assert len(ledger.incomplete) == 1, name
        assert ("a.py" in paths(documents)) == (name in ("cut.tar", "cut.tar.gz"))


def test_damage_within_a_zip_costs_one_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.py", "b.py", "c.py"):
            archive.writestr(name, f"{name} = 1\n" * 50)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    at = data.index(b"b.py") + 8
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "x.zip").write_bytes(data)
    documents, ledger = read(source(tmp_path / "cache", paths=[str(tmp_path / "x.zip")]))
    assert paths(documents) == ["a.py", "c.py"]
    assert ledger.reasons() == {"read:corrupt": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_told(tmp_path: Path, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([packed("a.py", "lib/b.py"), gzip.compress(packed("a.py", "b.py"))]))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "x.tar.gz").write_bytes(broken)
    documents, ledger = read(source(tmp_path / "cache", paths=[str(tmp_path / "x.tar.gz")]))
    assert len(documents) + ledger.dropped == ledger.records


def test_over_http_with_breaks(tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    (root / "mill.tar.gz").write_bytes(gzip.compress(packed("mill/a.py", "mill/b.py")))
    with zipfile.ZipFile(root / "mill.zip", "w") as archive:
        archive.writestr("mill/a.py", "x = 1\n")
    server = CrawlServer(root, lambda asked: "reset" if asked.number == 1 else None)
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for name, expected in (("mill.tar.gz", ["a.py", "b.py"]), ("mill.zip", ["a.py"])):
            documents, ledger = read(
                source(tmp_path / "cache", paths=[server.url + name], transfer={"first_pause_seconds": 0.01})
            )
            assert paths(documents) == expected
            assert not ledger.incomplete
    finally:
        server.shutdown()
        server.server_close()


def test_names() -> None:
    assert repository_name(f"owner/mill-{'a' * 40}.tar.gz") == "owner/mill"
    assert repository_name("mill-1.0.zip") == "mill-1.0"
    assert safe("a/b.py")
    assert not any(map(safe, ("", "/a", "a/../b", "..", "\\a", "C:\\a", "a\\..\\b", "a\0b")))
