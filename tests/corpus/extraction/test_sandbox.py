"""A page that ends its engine costs that page, whichever way it does it, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus.extraction.base import Page, Reading
from corpus.extraction.engines import EngineSpec
from corpus.extraction.sandbox import Sandbox
from corpus.sources.base import Unusable
from gristmill.base.errors import UserError
from tests.corpus.extraction.hostile import TARGET

ROOT = Path(__file__).parents[3]


def sandbox(*, timeout_seconds: float = 0.3, memory_mb: int = 128, **options: object) -> Sandbox:
    box = Sandbox(
        EngineSpec("hostile", "1", TARGET, options), timeout_seconds=timeout_seconds, memory_mb=memory_mb
    )
    box.wall_seconds = 1.5
    return box


def page(text: str) -> Page:
    return Page(text.encode(), url="http://example.org/")


def outcome(box: Sandbox, text: str) -> str:
    try:
        return box.read(page(text)).text
    except Unusable as bad:
        return f"{bad.stage}:{bad.reason}"


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to hear of its end does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids(log: Path) -> list[int]:
    """The processes in which the engine worked, in their order."""
    return list(dict.fromkeys(int(line) for line in log.read_text().split()))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("spin", "extract:timeout"),
        ("native-spin", "extract:timeout"),
        ("sleep", "extract:timeout"),
        ("native-sleep", "extract:timeout"),
        ("segfault", "extract:crash"),
        ("abort", "extract:crash"),
        ("exit", "extract:crash"),
        ("eat", "extract:crash"),
        ("close", "extract:crash"),
        ("raise", "extract:crash"),
        ("refuse", "extract:broken_html"),
        ("fork", "text of fork me"),
        ("fork-twice", "text of fork-twice me"),
        ("babble", "text of babble me"),
    ],
)
def test_what_a_page_does_costs_that_page_only(
    order: str, expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pages = ["one", f"{order} me", "two", f"{order} me", "three"]
    # Touching 128 MB takes some systems seconds; only the pages that spin use the time up.
    with sandbox(timeout_seconds=0.3 if "spin" in order else 10) as box:
        box.wall_seconds = 1.5 if "sleep" in order else 60
        found = [outcome(box, text) for text in pages]
    assert found == ["text of one", expected, "text of two", expected, "text of three"]
    assert "noise" not in "".join(capfd.readouterr())


def test_the_details_say_what_happened() -> None:
    details = {}
    for order in ("spin", "sleep", "segfault", "exit", "eat", "raise"):
        with sandbox(timeout_seconds=0.3 if order == "spin" else 10) as box:
            box.wall_seconds = 1.5 if order == "sleep" else 60
            with pytest.raises(Unusable) as error:
                box.read(page(f"{order} me"))
            details[order] = error.value.detail
    assert details == {
        "spin": "processor time",
        "sleep": "it waits",
        "segfault": "the process died of SIGSEGV",
        "exit": "the process ended with status 3",
        "eat": "out of memory",
        "raise": "KeyError: 'a bug'",
    }


def test_what_is_read_arrives_whole() -> None:
    text = "spaß 水車 \U0001f33e \x00 and some more words, so that it is text " * 100_000
    with sandbox(memory_mb=512, timeout_seconds=10) as box:
        found = box.read(Page(text.encode("utf-16-le"), charset="utf-16-le", media_type="text/plain"))
        assert found.charset == "utf-16-le"
        assert found.text == text.strip()
        assert box.read(page("surrogates x")) == Reading("\ufffdx", "utf-8", "\ufffd", {})
        assert box.read(page("x")) == Reading("text of x", "utf-8", "http://example.org/", {})


def test_the_limit_of_memory_is_a_page_s(tmp_path: Path) -> None:
    """What an engine hoards page by page ends its process at some page; that page gets another."""
    log = tmp_path / "log"
    with sandbox(timeout_seconds=10, log=str(log), hoard=50 << 20) as box:
        box.wall_seconds = 60
        found = [outcome(box, f"hoard {number}") for number in range(7)]
    assert found == [f"text of hoard {number}" for number in range(7)]
    assert 2 < len(pids(log)) < 7


def test_a_child_that_somebody_kills_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with sandbox(log=str(log)) as box:
        assert outcome(box, "one") == "text of one"
        os.kill(pids(log)[-1], signal.SIGKILL)
        assert outcome(box, "two") == "text of two"
        # In the middle of a page, as the first of a fresh child and as a later one.
        for name in ("a", "b"):
            assert outcome(box, f"kill {tmp_path / name}").startswith("text of kill")
    with sandbox() as box:
        assert outcome(box, f"kill {tmp_path / 'c'}").startswith("text of kill")


def test_nothing_stays_behind(tmp_path: Path) -> None:
    log = tmp_path / "log"
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        with sandbox(log=str(log)) as box:
            orders = (
                "one",
                "fork me",
                "shell 3600",
                "segfault me",
                "fork me",
                "fork-twice me",
                "spin me",
                "fork me",
            )
            found = [outcome(box, order) for order in orders]
            # What the engine forked holds the pipes open, and its parent's end is seen all the same.
            assert (found[3], found[6]) == ("extract:crash", "extract:timeout")
            group = pids(log)[-1]
            members = _group(group)
            assert len(members) >= 2
        assert wait_for(lambda members=members: not any(alive(pid) for pid in members))  # type: ignore[misc]
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert not any(alive(pid) for pid in pids(log))


def _group(number: int) -> list[int]:
    """Processes of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == number:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("order", ["one", "native-sleep me", "spin me", "fork me"])
def test_the_parent_s_violent_end_is_the_child_s(where: str, order: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import threading, time
            from corpus.extraction.base import Page
            from corpus.extraction.engines import EngineSpec
            from corpus.extraction.sandbox import Sandbox

            def work():
                box = Sandbox(
                    EngineSpec("hostile", "1", {TARGET!r}, {{"log": {str(log)!r}}}),
                    timeout_seconds=2, memory_mb=128,
                )
                box.wall_seconds = 2
                box.submit(Page({order!r}.encode()))
                time.sleep(3600)

            if {where!r} == "main":
                work()
            else:
                threading.Thread(target=work).start()
            """
        )
    )
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        # The page that the child warms up with is the first.
        assert wait_for(lambda: log.exists() and len(log.read_text().split()) >= 2)
    finally:
        parent.kill()
        parent.wait()
    (child,) = pids(log)
    assert wait_for(lambda: not alive(child))


def test_it_works_in_a_thread_and_outlives_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    box = sandbox(log=str(log))
    thread = threading.Thread(target=lambda: outcome(box, "one"))
    thread.start()
    thread.join()
    with box:
        assert outcome(box, "two") == "text of two"
    assert len(pids(log)) == 1


def test_reading_ahead_keeps_the_order_and_overlaps() -> None:
    made = []

    def items() -> Iterator[tuple[int, Page | None]]:
        for number in range(12):
            made.append(number)
            text = "segfault me" if number == 4 else f"page {number}"
            yield number, None if number % 3 == 2 else page(text)

    found = []
    with sandbox() as box:
        for number, read in box.read_ahead(items()):
            # The next item was made while this one's page was read.
            assert made[-1] == min(number + (1 if number % 3 != 2 else 0), 11)
            found.append((number, read.text if isinstance(read, Reading) else read and read.reason))
    expected = [None if n % 3 == 2 else "crash" if n == 4 else f"text of page {n}" for n in range(12)]
    assert found == list(enumerate(expected))


def test_an_engine_that_is_not_the_planned_one(tmp_path: Path) -> None:
    older = Sandbox(EngineSpec("hostile", "0", TARGET, {}), timeout_seconds=1, memory_mb=128)
    with older, pytest.raises(UserError, match="version 1 here, planned was 0"):
        older.read(page("one"))
    absent = EngineSpec(
        "rs-trafilatura", "0", "corpus.extraction.rs_trafilatura_engine:RsTrafilaturaEngine", {}
    )
    with (
        Sandbox(absent, timeout_seconds=1, memory_mb=128) as box,
        pytest.raises(UserError, match="not installed"),
    ):
        box.read(page("one"))
    broken = EngineSpec("x", "0", "tests.corpus.extraction.hostile:NoSuchThing", {})
    with (
        Sandbox(broken, timeout_seconds=1, memory_mb=128) as box,
        pytest.raises(RuntimeError, match="not start"),
    ):
        box.read(page("one"))


def test_the_child_needs_no_heavy_modules() -> None:
    """It starts for every part, and again after every crash."""
    code = (
        "import json, sys; import corpus.extraction.worker, corpus.extraction.resiliparse_engine; "
        "print(json.dumps([name for name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"datatrove", "pyarrow", "pydantic", "numpy", "fsspec"} & set(json.loads(done.stdout))
