"""`gristmill corpus`: exit codes, one line for each mistake, JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gristmill.cli.main import run_app
from tests.corpus.archives import pack, pages
from tests.corpus.stores import crawl, manifest


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    crawl(tmp_path / "crawl", 2, 5)
    path = tmp_path / "web.yaml"
    wanted = manifest(Path("store"), [Path("crawl")])
    path.write_text(yaml.safe_dump(wanted.model_dump(mode="json", exclude_none=True)))
    return path


def test_the_verbs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["corpus", "build", str(file), "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert (built["documents"], built["kept"], built["reused"]) == (14, 11, False)
    assert run_app(["corpus", "build", str(file)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert run_app(["corpus", "decide", str(file), "--json", "--set", "policy.rules=[]"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 14
    assert run_app(["corpus", "report", str(file), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["records"], counts["kept"]) == (16, 14)
    assert run_app(["corpus", "report", str(file)]) == 0
    assert "records in" in capsys.readouterr().out
    assert run_app(["corpus", "inspect", str(file), "http://example.org/900", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["annotations"]["gopher.words"] < 100
    assert run_app(["corpus", "inspect", str(file), found["id"][:10]]) == 0
    assert "gopher.words" in capsys.readouterr().out


def test_exit_code_1_names_the_input(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "crawl" / "cut.warc.gz").write_bytes(pack(pages(9, first=50), "members")[:-50])
    for _ in range(2):
        assert run_app(["corpus", "build", str(file)]) == 1
        said = capsys.readouterr().out
        assert "1 inputs could not be read to their end" in said
        assert "cut.warc.gz: truncated" in said
    assert run_app(["corpus", "report", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["incomplete"][0][0] == "cut.warc.gz"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "anotators=[gopher]"], "did you mean 'annotators'"),
        (["--set", "source.paths=[nowhere]"], "source.paths: nowhere: missing, or nothing to read there"),
        (["--set", "annotators=[gophre]"], "unknown annotator 'gophre'; did you mean 'gopher'"),
        (["--set", "policy.rules=gophre"], "unknown rule set 'gophre'; did you mean 'gopher'"),
        (["--set", "dedup={methods: [exact], prefer: urll}"], "unknown column 'urll'; did you mean 'url'"),
    ],
)
def test_mistakes(file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run_app(["corpus", "build", str(file), *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert message in said[0]


def test_a_store_that_is_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["decide"], ["report"]):
        assert run_app(["corpus", *verb, str(file)]) == 2
        assert "store: no document store; run `gristmill corpus build`" in capsys.readouterr().err
