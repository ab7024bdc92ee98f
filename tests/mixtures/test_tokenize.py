import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gristmill.base.errors import UserError
from mixtures import tokenizer, tokenstore
from mixtures.tokenize import tokenize
from mixtures.tokenstore import TokenStore
from tests.mixtures.conftest import document_id, small_mixture, texts, tree, write_store


class Notes:
    """A progress that remembers what it was told."""

    def __init__(self):
        self.notes, self.tasks = [], {}

    def task(self, name, total=None, unit="", done=0):
        self.tasks[name] = [total, 0]
        progress = self

        class Task:
            def advance(self, count=1, **fields):
                progress.tasks[name][1] += count

            def close(self):
                pass

        return Task()

    def note(self, message):
        self.notes.append(message)


def test_tokens_are_those_of_the_documents_one_by_one(stores):
    result = tokenize(small_mixture())
    encoder = tokenizer.load(result.tokenizer.path)
    for name, parts in stores.items():
        store = result.stores[name]
        assert store.parts == ("part-00000", "part-00001", "part-00002")
        for number, part in enumerate(parts):
            expected = [[*encoder.encode(text, add_special_tokens=False).ids, 2] for text in part if text]
            assert store.part_tokens(number).tolist() == [token for ids in expected for token in ids]
            ends = np.cumsum([len(ids) for ids in expected])
            assert store.part_offsets(number).tolist() == [0, *ends.tolist()]
            table = pq.read_table(store.document_path(number)).to_pydict()
            assert table["length"] == [len(ids) for ids in expected]
            first = 7 if (name, number) == ("a", 0) else 0  # the policy drops part 0's first seven
            rows = [first + row for row, text in enumerate(part) if text]
            assert table["id"] == [document_id(number, row) for row in rows]
        assert store.identity.dtype == np.uint16
        assert store.empty == sum(text == "" for part in parts for text in part)


def test_begin_and_end_tokens_as_the_manifest_says(stores):
    for add_bos, add_eos in ((True, True), (True, False), (False, False)):
        spec = {"type": "train", "vocab_size": 400, "add_bos": add_bos, "add_eos": add_eos}
        store = tokenize(small_mixture(tokenizer=spec)).stores["b"]
        starts, tokens = store.part_offsets(0), store.part_tokens(0)
        assert (tokens[starts[:-1]] == 1).all() == add_bos
        assert (tokens[starts[1:] - 1] == 2).all() == add_eos


def test_a_vocabulary_above_two_bytes_takes_four(stores, testdata):
    with pa.CompressedInputStream(testdata / "models/tekken_240911.hf.tokenizer.json.zst", "zstd") as packed:
        Path("tekken.json").write_bytes(packed.read())
    spec = {"type": "file", "path": "tekken.json", "bos": "<s>", "eos": "</s>"}
    result = tokenize(small_mixture(tokenizer=spec))
    store = result.stores["b"]
    assert result.tokenizer.vocab_size == 131072
    assert store.identity.dtype == np.uint32
    first = store.part_tokens(0)[: store.part_offsets(0)[1] - 1]
    assert (
        tokenizer.load("tekken.json").decode(first.tolist(), skip_special_tokens=False) == stores["b"][0][0]
    )


def test_bytes_do_not_depend_on_workers_and_unchanged_stores_are_reused(stores):
    tokenize(small_mixture(output="one"), workers=1)
    notes = Notes()
    tokenize(small_mixture(output="two"), workers=3, progress=notes)
    assert tree("one") == tree("two")
    assert notes.tasks["tokenize"] == [33 + 40 + 40 + 35, 148]
    before = {name: (Path("two") / name).stat().st_mtime_ns for name in tree("two")}
    notes = Notes()
    again = tokenize(small_mixture(output="two"), workers=2, progress=notes)
    assert again.reused == ("a", "b")
    assert sum("reused" in note for note in notes.notes) == 3
    assert before == {name: (Path("two") / name).stat().st_mtime_ns for name in tree("two")}


def test_output_names_no_machine(stores, tmp_path):
    tokenize(small_mixture(), workers=2)
    for content in tree("out").values():
        assert str(tmp_path).encode() not in content
        assert os.uname().nodename.encode() not in content


def test_a_run_goes_on_with_the_parts_that_are_missing(stores):
    manifest = small_mixture()
    store = tokenize(manifest).stores["a"]
    whole = tree("out")
    (store.folder / "store.json").unlink()
    store.document_path(1).unlink()  # what a kill leaves: tokens without the documents that finish the part
    (store.folder / "tokens" / ".part-00002.bin.tmp-leftover").write_bytes(b"half")
    kept = store.token_path(0).stat().st_mtime_ns
    notes = Notes()
    tokenize(manifest, progress=notes)
    assert tree("out") == whole
    assert store.token_path(0).stat().st_mtime_ns == kept
    assert any("2 of 3 parts are done already" in note for note in notes.notes)
    assert notes.tasks["tokenize"] == [40, 40]


def test_sql_conditions_select(stores):
    sources = {
        "a": {"address": "stores/a", "select": {"where": "text LIKE '%café%'"}},
        "b": {"address": "stores/b"},
    }
    store = tokenize(small_mixture(sources=sources)).stores["a"]
    kept = pq.read_table(store.document_path(2), columns=["id"]).column("id").to_pylist()
    assert kept == [document_id(2, row) for row, text in enumerate(stores["a"][2]) if "café" in text]


def test_a_store_that_is_not_the_pinned_one_is_refused(stores):
    pinned = "ab" * 32
    sources = {"a": {"address": "stores/a", "digest": pinned}, "b": {"address": "stores/b"}}
    with pytest.raises(UserError, match=f"changed: the manifest pins {pinned}, found [0-9a-f]{{64}}"):
        tokenize(small_mixture(sources=sources))


def test_sources_on_the_hub_are_declared_only(stores):
    sources = {"a": {"address": "hf://org/data@0123abc"}, "b": {"address": "stores/b"}}
    with pytest.raises(UserError, match="'a' is declared only"):
        tokenize(small_mixture(sources=sources))


def test_a_full_disk_stops_cleanly_and_the_next_run_goes_on(stores, monkeypatch):
    manifest = small_mixture()
    real = tokenstore.PartWriter.add
    calls = []

    def full(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *arguments)

    monkeypatch.setattr(tokenstore.PartWriter, "add", full)
    with pytest.raises(OSError, match="No space left") as error:
        tokenize(manifest)
    monkeypatch.setattr(tokenstore.PartWriter, "add", real)
    assert error.value.errno == errno.ENOSPC
    assert not list(Path("out").rglob("store.json"))
    assert not list(Path("out").rglob("*.tmp-*"))
    tokenize(manifest)
    tokenize(small_mixture(output="other"))
    assert tree("out") == tree("other")


def test_killed_at_random_times_and_resumed_with_other_workers_it_ends_in_the_same_bytes(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_store(Path("stores/a"), [texts(part, 1500, longest=120) for part in range(6)])
    write_store(Path("stores/b"), [texts(9, 200)])
    began = time.monotonic()
    tokenize(small_mixture(output="whole"))
    whole_run = time.monotonic() - began
    script = (
        "import sys\n"
        "from mixtures.tokenize import tokenize\n"
        "from tests.mixtures.conftest import small_mixture\n"
        "if __name__ == '__main__': tokenize(small_mixture(output='killed'), workers=int(sys.argv[1]))"
    )
    Path("run.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    chance = random.Random(5)
    kills = 0
    for attempt in range(40):
        run = subprocess.Popen([sys.executable, "run.py", str(1 + attempt % 2)], env=environment)
        try:
            run.wait(timeout=0.6 + chance.random() * (whole_run + 1))
        except subprocess.TimeoutExpired:
            kills += 1
            run.send_signal(signal.SIGKILL)
            run.wait()
            for path in Path("killed").rglob("store.json"):  # whatever looks finished is finished
                TokenStore.open(path.parent)
                assert path.read_bytes() == (Path("whole") / path.relative_to("killed")).read_bytes()
            continue
        assert run.returncode == 0
        if kills >= 4:
            break
        if attempt < 30:
            shutil.rmtree("killed")
    tokenize(small_mixture(output="killed"), workers=2)
    assert kills >= 1
    assert tree("killed") == tree("whole")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for open files in /proc")
def test_a_killed_worker_ends_the_run_and_a_killed_run_leaves_no_worker(stores):
    write_store(Path("stores/a"), [texts(part, 3000, longest=200) for part in range(4)])
    script = (
        "import sys\n"
        "from mixtures.tokenize import tokenize\n"
        "from tests.mixtures.conftest import small_mixture\n"
        "if __name__ == '__main__': tokenize(small_mixture(), workers=2)"
    )
    Path("run.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def begin():
        run = subprocess.Popen([sys.executable, "run.py"], env=environment, stderr=subprocess.PIPE, text=True)
        while run.poll() is None and not (workers := writers()):
            time.sleep(0.01)
        assert run.poll() is None
        return run, workers

    def writers():
        """Processes that hold one of our temporary files open."""
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                links = [link.readlink() for link in (process / "fd").iterdir()]
            except OSError:
                continue  # it ended meanwhile
            if any(str(Path("out/stores").resolve()) in str(link) for link in links):
                found.add(int(process.name))
        return found

    run, workers = begin()
    os.kill(min(workers), signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "a worker process was killed" in said
    run, workers = begin()
    run.kill()
    run.communicate()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    tokenize(small_mixture())


def test_two_commands_do_not_write_into_one_folder(stores):
    from corpus.lock import lock

    with lock(Path("out")), pytest.raises(UserError, match="another command is writing"):
        tokenize(small_mixture())
