"""The command line: light to start, one line for each mistake, exit codes as documented."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.base.errors import UserError
from gristmill.base.numbers import human_count, human_seconds
from gristmill.cli import main
from gristmill.cli.progress import LineProgress


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom gristmill.cli.main import run_app\nassert run_app(['--help']) == 0\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'duckdb', 'datatrove', 'fasttext', 'tokenizers', 'pydantic'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in ("demo", "corpus", "mix", "train", "generate", "trace", "doctor"):
        assert verb in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["corpus", "build", "nowhere.yaml"], "error: nowhere.yaml: no such manifest"),
        (["train", "demo/web"], "error: demo/web: this is a manifest of kind 'corpus'"),
        (["trace", "demo/run"], "error: give exactly one of --step, --document, --domain"),
        (["schema", "crops"], "error: unknown kind 'crops'; did you mean 'corpus'?"),
        (["corpus", "biuld"], "No such command 'biuld'"),
        (["train", "demo/run", "--stp", "1"], "No such option"),
        (["corpus", "build", "demo/web", "--set", "sorce.type=x"], "--set sorce.type: unknown field 'sorce'"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run_app(arguments) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert "Traceback" not in told


def _fails_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    return main.run_app([])


def test_other_ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "stores/web/documents")
    assert _fails_with(full, monkeypatch) == 2
    assert capsys.readouterr().err.startswith("error: no space left at stores/web/documents; free some")
    assert _fails_with(KeyboardInterrupt(), monkeypatch) == 130
    assert _fails_with(UserError("x"), monkeypatch) == 2
    with pytest.raises(PermissionError):
        _fails_with(PermissionError(errno.EACCES, "no"), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        _fails_with(ZeroDivisionError(), monkeypatch)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run_app(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gristmill 0.")


def test_doctor_names_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run_app(["doctor"]) == 0
    told = capsys.readouterr().out
    for part in ("python", "duckdb", "fasttext", "language model", "device", "ssd: reference"):
        assert part in told


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (950, "950"), (0.5, "0.5"), (12_345, "12.3K"), (6.5858e12, "6.59T"), (8_888_227_328, "8.89B")],
)
def test_counts_for_people(value: float, text: str) -> None:
    assert human_count(value) == text


def test_durations_for_people() -> None:
    assert [human_seconds(s) for s in (0.4, 12, 184, 7800)] == ["0s", "12s", "3m04s", "2h10m"]


def test_line_progress_tells_rate_and_eta(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with LineProgress() as progress:
        task = progress.task("read", total=100, unit="docs", done=20)
        task.started -= 20
        task.spoken -= 20
        task.advance(20, kept="71%")
        task.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "read: 40/100 docs  1 docs/s  ETA 1m00s  kept 71%"
    assert lines[1].endswith("in 20s")
