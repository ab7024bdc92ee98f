"""The ground: atomic files, digests, errors."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.base.atomic import atomic_folder, atomic_open, atomic_path, atomic_write, sweep
from gristmill.base.digest import canonical_json, derive_seed, digest_json, sha256_file, stable_id
from gristmill.base.errors import UserError, did_you_mean, nearest


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    atomic_write(target, "old")

    def fail() -> None:
        with atomic_open(target, "w") as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_path_makes_the_folder_and_gives_ordinary_permissions(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "x.bin"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"1")
        assert not target.exists()
    assert target.read_bytes() == b"1"
    assert target.stat().st_mode & 0o777 == 0o644


def test_atomic_folder_replaces_a_whole_folder_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "store"

    def write(name: str, fail: bool) -> None:
        with atomic_folder(target) as temporary:
            (temporary / name).write_text(name)
            if fail:
                raise RuntimeError

    write("first", fail=False)
    with pytest.raises(RuntimeError):
        write("second", fail=True)
    assert [path.name for path in target.iterdir()] == ["first"]
    write("second", fail=False)
    assert [path.name for path in target.iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_writer_killed_at_any_time_leaves_the_old_or_the_new_and_litter_that_is_swept(
    tmp_path: Path,
) -> None:
    script = textwrap.dedent(
        """
        import sys
        from gristmill.base.atomic import atomic_write
        for size in range(10**9):
            atomic_write(sys.argv[1], str(size % 10) * 200_000)
        """
    )
    target = tmp_path / "a.txt"
    for attempt in range(6):
        process = subprocess.Popen([sys.executable, "-c", script, str(target)])
        while not target.exists():
            time.sleep(0.005)
        time.sleep(0.013 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = target.read_text()
        assert content == content[0] * 200_000
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_ids_differ_exactly_when_keys_do(one: list[str], other: list[str]) -> None:
    assert (stable_id(*one) == stable_id(*other)) == (one == other)
    assert len(stable_id(*one)) == 32


def test_ids_and_seeds_never_change() -> None:
    # Stores in the field carry these ids: a change of the function would orphan them.
    assert stable_id("warc", "a.warc.gz", 17) == "93a7657e344137086095e759f6748b29"
    assert derive_seed("order", 7) == derive_seed("order", "7") != derive_seed("order", 8)


def test_canonical_json_has_one_spelling_and_no_nan(tmp_path: Path) -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert digest_json({"b": 1, "a": 2}) == digest_json({"a": 2, "b": 1})
    with pytest.raises(ValueError):
        canonical_json(float("nan"))
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_file(tmp_path / "x").startswith("ba7816bf")


def test_errors_are_one_line_and_survive_the_way_home_from_a_worker() -> None:
    error = UserError("unknown field 'sorce'", where="web.yaml:3", mend="did you mean 'source'?")
    assert str(error) == "web.yaml:3: unknown field 'sorce'; did you mean 'source'?"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_nearest_names() -> None:
    assert nearest("sorce", ["source", "output"]) == "source"
    assert nearest("zzz", ["source", "output"]) is None
    assert did_you_mean("zzz", ["b", "a"]) == "valid names: a, b"
