"""Rule files: what is read, and what a mistake is told."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from filters.conditions import parse_condition, thresholds
from filters.decide import bind
from filters.registry import known_columns
from filters.rules import load_ruleset, shipped_rulesets
from gristmill.base.errors import UserError

COLUMNS = {
    "id": pa.string(),
    "text": pa.string(),
    "url": pa.string(),
    "metadata": pa.string(),
    "fetched_at": pa.timestamp("us"),
    "gopher.words": pa.int64(),
    "gopher.mean_word_length": pa.float64(),
    "language.top": pa.string(),
    "exact.keep": pa.bool_(),
    "near.keep": pa.bool_(),
}


def message(rules: object, columns: dict[str, pa.DataType] = COLUMNS) -> str:
    with pytest.raises(UserError) as caught:
        bind(load_ruleset(rules), columns)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    return text


def drop(condition: object) -> list[dict[str, object]]:
    return [{"drop": condition, "reason": "no"}]


@pytest.mark.parametrize("name", shipped_rulesets())
def test_shipped_rules_fit_the_columns_and_cite_their_source(name: str) -> None:
    rules = load_ruleset(name)
    assert rules.name == name
    assert rules.rules
    assert rules.description
    if not name.startswith("demo"):
        assert re.search(r"arXiv \d{4}\.\d{5}|JMLR|RFC \d+|NeMo Curator, \S+\.yaml", rules.source)
    bound = bind(rules, COLUMNS | known_columns())
    assert len(bound.conditions) == len(rules.rules)


def test_a_file_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nversion: 3\nsource: me\nextends: c4\nrules:\n"
        "  - {drop: gopher.words < 9, reason: few}\n  - tier: all\n    when: true\n"
    )
    rules = load_ruleset(path)
    assert (rules.name, rules.version, rules.source) == ("mine", "3", "me")
    assert [(rule.action, rule.label) for rule in rules.rules] == [
        ("drop", "lorem_ipsum"),
        ("drop", "curly_bracket"),
        ("drop", "too_few_sentences"),
        ("drop", "few"),
        ("tier", "all"),
    ]
    assert rules.rules[3].where == f"{path}:6 (rule 1)"
    assert rules.rules[-1].condition == "true"


def test_a_plain_list_is_a_rule_set_and_the_digest_is_of_what_decides() -> None:
    rules = load_ruleset(drop("gopher.words < 9"))
    same = load_ruleset({"name": "other", "source": "x", "rules": drop("gopher.words < 9")})
    assert rules.digest == same.digest
    assert rules.digest != load_ruleset(drop("gopher.words < 10")).digest


def test_bases_extend_in_order_and_never_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: [c4, fineweb]\nrules: []\n")
    assert load_ruleset(tmp_path / "a.yaml").rules == load_ruleset("c4").rules + load_ruleset("fineweb").rules
    (tmp_path / "b.yaml").write_text(f"extends: {tmp_path}/c.yaml\n")
    (tmp_path / "c.yaml").write_text(f"extends: {tmp_path}/b.yaml\n")
    assert "extends itself" in message(tmp_path / "b.yaml")


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (
            "rules:\n- {drop: gopher.wrds < 5, reason: x}",
            2,
            "unknown column 'gopher.wrds'; did you mean 'gopher.words'?",
        ),
        (
            "rules:\n\n- {drop: 'true', reason: x}\n- {drop: 5 <, reason: x}",
            4,
            "cannot read the condition `5 <`",
        ),
        ("- {drop: id}", 1, "`reason` must be a name"),
        ("rules:\n- {dorp: id, reason: x}", 2, "unknown field 'dorp'; did you mean 'drop'?"),
        ("ruls: []", None, "unknown field 'ruls'; did you mean 'rules'?"),
        ("rules:\n- {drop: id, reason: x, tier: y}", 2, "drops or gives a tier, not both"),
        ("rules:\n- {drop: id, when: id, reason: x}", 2, "`when` belongs to `tier`"),
        ("rules:\n- {tier: a, when: id, reason: x}", 2, "`reason` belongs to `drop`"),
        ("rules:\n- {tier: a}", 2, "`when` must be an SQL condition"),
        ("rules:\n- {reason: a}", 2, "needs `drop` or `tier`"),
        ("rules:\n- {drop: 5, reason: x}", 2, "`drop` must be an SQL condition"),
        ("rules:\n- {drop: 'true', reason: \"it's\"}", 2, "`reason` must be a name"),
        ("rules:\n- just words", 2, "a rule is {drop: CONDITION, reason: NAME}"),
        ("rules: no", None, "`rules` must be a list"),
        ("extends: 5", None, "`extends` must be a list"),
        ("extends: [5]", None, "`extends` names shipped rule sets or paths"),
        ("word", None, "a rule set is a list of rules"),
        ("", None, "a rule set is a list of rules"),
        ("rules: [", 1, "not valid YAML"),
        ("extends: gofer", None, "unknown rule set 'gofer'; did you mean 'gopher'?"),
        ("extends: [nowhere.yaml]", None, "no such rule set: 'nowhere.yaml'"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(
    tmp_path: Path, text: str, line: int | None, expected: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    told = message(path)
    assert expected in told
    assert told.startswith(f"{path}:{line}" if line else f"{path}: "), told


def test_a_rule_set_that_is_not_there() -> None:
    assert "did you mean 'fineweb'?" in message("finweb")
    assert "no such rule set" in message("rules/none.yaml")


@pytest.mark.parametrize(
    "condition",
    [
        "gopher.words < 5",
        '"gopher.words" < 5 AND gopher.mean_word_length BETWEEN 3 AND 10',
        "GOPHER.Words < 5",
        "gopher.words IS NULL OR NOT exact.keep",
        "language.top NOT IN ('en', 'de')",
        "url LIKE '%.edu/%' OR regexp_matches(url, '^https://')",
        "metadata ->> '$.status' = '404'",
        "json_extract_string(metadata, '$.a') = 'b'",
        "(metadata -> '$.a') IS NOT NULL",
        "try_cast(metadata ->> '$.n' AS INTEGER) > 5",
        "CASE WHEN exact.keep THEN gopher.words > 5 ELSE false END",
        "coalesce(exact.keep, true)",
        "nullif(language.top, 'en') IS NULL",
        "length(text) < 5 -- with a comment",
        "fetched_at < TIMESTAMP '2020-01-01'",
        "year(fetched_at) = 2020",
        "round(gopher.mean_word_length) = 4",
        "list_contains(['en'], language.top)",
        "if(exact.keep, true, false)",
        "true",
    ],
)
def test_conditions_that_are_taken(condition: str) -> None:
    bound = bind(load_ruleset(drop(condition)), COLUMNS)
    assert set(bound.columns) <= set(COLUMNS)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("gopher.words", "is BIGINT, not true or false"),
        ("NULL", "not true or false"),
        ("'yes'", "not true or false"),
        ("length(gopher.words) > 1", "cannot use the condition"),
        ("url > 5 AND language.tops = 'en'", "unknown column 'language.tops'; did you mean 'language.top'?"),
        ("nothing.here > 5", "unknown column 'nothing.here'; available: exact.*, fetched_at, gopher.*"),
        ("gopher.zzzzzzzzzz > 5", "columns there: gopher.mean_word_length, gopher.words"),
        ("true; DROP TABLE batch", "cannot read"),
        ("true) FROM (SELECT 1", "cannot read"),
        ("true FROM batch", "is not one expression"),
        ("true, false", "is not one expression"),
        ("true WHERE false", "is not one expression"),
        ("true ORDER BY 1", "is not one expression"),
        ("true UNION SELECT false", "is not one expression"),
        ("DISTINCT exact.keep", "is not one expression"),
        ("gopher.words IN (SELECT 1)", "contains a subquery"),
        ("EXISTS (FROM read_csv('/etc/passwd'))", "contains a subquery"),
        ("(SELECT true)", "contains a subquery"),
        ("sum(gopher.words) > 5", "calls 'sum'"),
        ("count(*) > 5", "calls 'count_star'"),
        ("row_number() OVER () > 5", "contains a window function"),
        ("read_text('/etc/passwd') = ''", "calls 'read_text'"),
        ("now() > fetched_at", "calls 'now'"),
        ("current_date > fetched_at", "unknown column 'current_date'"),
        ("random() < 0.5", "calls 'random'"),
        ("current_setting('threads') = 1", "calls 'current_setting'"),
        ("getenv('HOME') = ''", "calls 'getenv'"),
        ("nextval('s') = 1", "calls 'nextval'"),
        ("lenght(url) > 5", "did you mean 'length'?"),
        ("$1", "contains a parameter"),
        ("?", "contains a parameter"),
        ("*", "contains a star"),
        ("COLUMNS('a')", "contains a star"),
        ("list_any_value([1], x -> x > 1)", "calls 'list_any_value'"),
        ("len(list_filter([1], x -> x > 1)) = 1", "unknown column 'x'"),
    ],
)
def test_conditions_that_are_refused(condition: str, expected: str) -> None:
    told = message(drop(condition))
    assert expected in told, told
    assert told.startswith("rules (rule 1): ")


def test_rule_files_are_package_data() -> None:
    assert {"gopher", "c4", "fineweb", "demo-web", "demo-code"} <= set(shipped_rulesets())
    folder = Path(__file__).parents[2] / "filters" / "rulesets"
    for file in folder.glob("*.yaml"):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert set(content) <= {"name", "version", "description", "source", "extends", "rules"}


def test_the_numbers_that_conditions_compare_with_are_found() -> None:
    text = "0.5 < a OR b NOT BETWEEN -1e-3 AND 2 OR c = 'x' OR d > a OR e IS NULL OR coalesce(a, 0) > 9"
    condition = parse_condition(text, list("abcde"), "here")
    assert thresholds(condition) == [("a", 0.5), ("b", -0.001), ("b", 2.0)]
