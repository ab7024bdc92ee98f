"""`gristmill mix`, as typed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gristmill.base.errors import UserError
from gristmill.cli.mix import app
from tests.mixtures.conftest import small_mixture


@pytest.fixture
def mix(stores):
    """Runs one verb on the small mixture; returns (exit code, output or parsed JSON)."""
    Path("small.yaml").write_text(yaml.safe_dump(small_mixture().model_dump(mode="json", exclude_none=True)))

    def run(verb, *arguments, as_json=True):
        options = ["--json"] if as_json else []
        result = CliRunner().invoke(app, [verb, "small.yaml", *arguments, *options])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.output) if as_json else result.output

    return run


def test_the_path_from_plan_to_explain(mix):
    with pytest.raises(UserError, match="not tokenised yet"):
        mix("plan")
    code, planned = mix("plan", "--set", "sources.a.tokens=10k", "--set", "sources.b.tokens=2k")
    assert code == 0
    assert planned["counts"] == ["declared"]
    code, made = mix("tokenize", "--workers", "1")
    assert [source["reused"] for source in made["sources"]] == [False, False]
    assert [source["reused"] for source in mix("tokenize")[1]["sources"]] == [True, True]
    code, planned = mix("plan", "--set", "sources.a.tokens=10k")
    assert planned["counts"] == ["measured"]
    code, planned = mix("plan", "--declared", "--set", "sources.a.tokens=10k", "--set", "sources.b.tokens=2k")
    assert planned["counts"] == ["declared"]
    with pytest.raises(UserError, match="no such lock"):
        mix("verify")
    code, locked = mix("lock")
    assert locked["changed"]
    assert not mix("lock")[1]["changed"]
    assert [phase["sequences"] for phase in locked["phases"]] == [280, 80, 156]
    code, report = mix("verify")
    assert (code, report["problems"]) == (0, [])
    assert report["lock_digest"] == locked["sha256"]
    code, told = mix("explain", "two", "3")
    assert told == mix("explain", "1", "3")[1]
    assert told["phase"] == "two"
    assert told["documents"]
    assert "text" in mix("explain", "two", "3", "--text")[1]
    with pytest.raises(UserError, match="did you mean 'three'"):
        mix("explain", "thre", "0")
    with pytest.raises(UserError, match="has sequences 0 to 79"):
        mix("explain", "two", "80")


def test_what_a_person_sees(mix):
    assert "made" in mix("tokenize", as_json=False)[1]
    assert "unchanged" in mix("tokenize", as_json=False)[1]
    said = mix("lock", as_json=False)[1]
    assert "phase one: 8.96k tokens, 70 steps of 4 sequences of 32" in said
    assert "whole run" in said
    assert "lock: written" in said
    assert "lock: unchanged" in mix("lock", as_json=False)[1]
    assert "all as locked" in mix("verify", as_json=False)[1]
    assert "first token" in mix("explain", "one", "0", "--text", as_json=False)[1]


def test_damage_is_exit_code_1(mix):
    mix("tokenize")
    mix("lock")
    part = next(Path("out/stores").glob("b-*/tokens/part-00000.bin"))
    part.write_bytes(b"\0" + part.read_bytes()[1:])
    code, said = mix("verify", as_json=False)
    assert code == 1
    assert "damaged" in said
    assert "1 problems" in said
    code, report = mix("verify")
    assert code == 1
    assert len(report["problems"]) == 1
