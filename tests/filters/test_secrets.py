"""Credentials of every documented form are found; what only looks like one is not.

The examples are put together here from their prefixes and random characters: no file holds one.
"""

from __future__ import annotations

import base64
import json
import os
import random
import string
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.annotators.secrets import TOKENS, find
from filters.base import TextView, annotate_texts
from filters.credentials import entropy
from filters.masking import Masking
from filters.registry import build_annotator
from tests.filters.samples import real_texts

WORD = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"


def maker(seed: str) -> Callable[[int, str], str]:
    source = random.Random(seed)
    return lambda count, alphabet=WORD: "".join(source.choices(alphabet, k=count))


R = maker("examples")
EXAMPLES: dict[str, list[str]] = {
    "aws_access_key": ["AKIA" + R(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")],
    "github_token": ["ghp_" + R(36), "ghs_" + R(36), "github_pat_" + R(22) + "_" + R(59)],
    "gitlab_token": ["glpat-" + R(20), "glrt-" + R(20)],
    "slack_token": ["xoxb-" + R(12, string.digits) + "-" + R(12, string.digits) + "-" + R(24)],
    "slack_app_token": ["xapp-1-" + R(11, UPPER) + "-" + R(13, string.digits) + "-" + R(64, HEX)],
    "slack_webhook": ["hooks.slack.com/services/T" + R(10, UPPER) + "/B" + R(10, UPPER) + "/" + R(24)],
    "stripe_key": ["sk_live_" + R(24), "rk_test_" + R(99), "whsec_" + R(32)],
    "openai_key": ["sk-" + R(20) + "T3BlbkFJ" + R(20), "sk-proj-" + R(74) + "T3BlbkFJ" + R(74)],
    "anthropic_key": ["sk-ant-api03-" + R(93) + "AA"],
    "huggingface_token": ["hf_" + R(34, string.ascii_letters)],
    "google_key": ["AIza" + R(35), "ya29." + R(60), "GOCSPX-" + R(28)],
    "azure_storage_key": ["AccountKey=" + R(86) + "=="],
    "npm_token": ["npm_" + R(36)],
    "pypi_token": ["pypi-AgE" + R(80)],
    "rubygems_key": ["rubygems_" + R(48, HEX)],
    "docker_token": ["dckr_pat_" + R(27)],
    "digitalocean_token": ["dop_v1_" + R(64, HEX)],
    "sendgrid_key": ["SG." + R(22) + "." + R(43)],
    "telegram_token": [R(10, "123456789") + ":AA" + R(33)],
    "discord_webhook": ["discord.com/api/webhooks/" + R(18, "123456789") + "/" + R(68)],
    "shopify_token": ["shpat_" + R(32, HEX)],
    "square_token": ["sq0atp-" + R(22), "sq0csp-" + R(43)],
    "databricks_token": ["dapi" + R(32, HEX)],
    "vault_token": ["hvs." + R(24)],
    "terraform_token": [R(14) + ".atlasv1." + R(64)],
    "notion_token": ["ntn_" + R(11, string.digits) + R(35)],
    "linear_key": ["lin_api_" + R(40)],
    "postman_key": ["PMAK-" + R(24, HEX) + "-" + R(34, HEX)],
    "atlassian_token": ["ATATT3" + R(186)],
    "newrelic_key": ["NRAK-" + R(27, UPPER)],
    "grafana_token": ["glsa_" + R(32) + "_" + R(8, HEX)],
    "groq_key": ["gsk_" + R(52)],
    "replicate_token": ["r8_" + R(37)],
    "xai_key": ["xai-" + R(80)],
    "perplexity_key": ["pplx-" + R(48)],
    "age_key": ["AGE-SECRET-KEY-1" + R(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")],
}


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for start, end, kind in find(TextView(text))]


def test_there_is_an_example_of_every_token() -> None:
    assert set(EXAMPLES) == set(TOKENS)


@pytest.mark.parametrize(
    ("kind", "token"), [(kind, token) for kind, tokens in EXAMPLES.items() for token in tokens]
)
@pytest.mark.parametrize(
    "around", ["{}", "key: {}\n", 'X = "{}"', "https://a.b/?k={}&x", "({}), it", "日本{}語"]
)
def test_tokens_are_found_wherever_they_stand(kind: str, token: str, around: str) -> None:
    if kind == "terraform_token" and around.startswith("日"):
        pytest.skip("begins with a word of its own")
    assert (kind, token) in found(around.format(token))


@pytest.mark.parametrize(("kind", "token"), [(kind, tokens[0]) for kind, tokens in EXAMPLES.items()])
def test_a_token_inside_a_word_a_short_one_and_a_placeholder_are_none(kind: str, token: str) -> None:
    prefix = next(start for start in TOKENS[kind][0] if start in token)
    rest = token.partition(prefix)[2]
    assert all(other != kind for other, _ in found(prefix + rest[: len(rest) // 3]))
    assert found(prefix + "x" * len(rest)) == []
    if token.startswith(prefix):
        assert all(other != kind for other, _ in found("a" + token))


def jwt(header: dict[str, str]) -> str:
    parts = [json.dumps(header), json.dumps({"sub": "1234", "name": "A"})]
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, R(43)])


def test_web_tokens_need_a_header_with_an_algorithm() -> None:
    token = jwt({"alg": "HS256", "typ": "JWT"})
    assert found(f"Authorization: Bearer {token}") == [("jwt", token)]
    assert found(jwt({"typ": "JWT", "kid": "x"})) == []
    assert found("eyJ" + R(40) + "." + R(40) + "." + R(40)) == []


def block(label: str, end: str | None = None, line: str = "\n") -> str:
    lines = [R(64) for _ in range(6)]
    return line.join([f"-----BEGIN {label}-----", *lines, f"-----END {end or label}-----"])


@pytest.mark.parametrize(
    "label",
    ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"],
)
@pytest.mark.parametrize("line", ["\n", "\r\n", "\\n"])
def test_private_keys_are_found_whole(label: str, line: str) -> None:
    key = block(label, line=line)
    assert found(f'before "{key}" after') == [("private_key", key)]


def test_private_keys_without_their_end_and_what_is_none() -> None:
    key = block("PRIVATE KEY")
    cut = key[:300]
    assert found(cut + "\n\nSome prose, which is - no key.")[0][1].startswith(cut[:250])
    assert found("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----") == []
    assert found(block("PUBLIC KEY")) == []
    assert found(block("CERTIFICATE")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://app:n7Kq-w2Lm@db.corp.org:5432/x", [("url_password", "n7Kq-w2Lm")]),
        ("redis://:9vLq2mXw@10.0.0.5:6379", [("url_password", "9vLq2mXw")]),
        ("https://user:password@host/ and http://u:<PASSWORD>@h and a://b:$PASS@c and x://y:your-pass@z", []),
        ("http://host:8080/a@b and https://en.wikipedia.org/wiki/Foo:bar@x", []),
        ('db_password = "hX9!kQ2#vLp"', [("password", "hX9!kQ2#vLp")]),
        ("'PASSWORD': 'kT4$wq9Zrr'", [("password", "kT4$wq9Zrr")]),
        ('password = "password123" pwd = "changeme" passwd="********" password: "${DB_PASS}"', []),
        ('password = get_password("x") and password="secretvalue" and Password = "Enter yours"', []),
    ],
)
def test_passwords(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_keys_are_assigned_values_of_high_entropy() -> None:
    key, digest = R(40), R(40, HEX)
    assert found(f'SECRET_KEY = "{key}"') == [("key", key)]
    assert found(f"api_key: '{digest}'") == [("key", digest)]
    assert found(f"export API_TOKEN={key}\n") == [("key", key)]
    assert found(f'{{"clientSecret": "{key}"}}') == [("key", key)]
    for value in (
        "my_secret_key_name",
        "AVeryLongIdentifierName42",
        "a" * 40,
        "abcdefghijklmnop12345",
        "x.y.z.token",
    ):
        assert found(f'secret = "{value}"') == []
    assert found(f'sha = "{key}" and see commit {digest}') == []
    assert found('token = "fee5173a-3972-428e-ae73-cd4c2a371222"') == []


def test_entropy() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abcd") == pytest.approx(2)
    assert entropy("aabb") == pytest.approx(1)


def test_counts_and_spans() -> None:
    token, signed, key = EXAMPLES["github_token"][0], jwt({"alg": "none"}), block("PRIVATE KEY")
    text = f"{token} {signed} {key}\npwd='kT4$wq9Zrr' secret='{R(40)}'"
    (table,) = annotate_texts([build_annotator("secrets")], [text, ""]).values()
    row, empty = table.to_pylist()
    assert [row[f"secrets.{name}"] for name in ("tokens", "private_keys", "jwts", "passwords", "keys")] == [
        1
    ] * 5
    assert [span["kind"] for span in row["secrets.spans"]] == [
        "github_token",
        "jwt",
        "private_key",
        "password",
        "key",
    ]
    assert empty.pop("secrets.spans") == []
    assert set(empty.values()) == {0}


PIECES = st.sampled_from(
    [
        *(token for tokens in EXAMPLES.values() for token in tokens[:1]),
        *(
            "password = ",
            '"',
            "'",
            "hX9!kQ2#vLp",
            "secret: ",
            "://",
            "u:n7Kq-w2Lm@",
            "h.org",
            "eyJ",
            "=",
            ":",
            " ",
            "\n",
        ),
        *(
            "-----BEGIN PRIVATE KEY-----",
            "-----END PRIVATE KEY-----",
            R(64),
            "\n",
            "<KEY>",
            "token",
            "x",
            "AKIA",
        ),
    ]
)


@given(st.lists(PIECES, max_size=16).map("".join))
@settings(max_examples=500, deadline=None)
def test_spans_are_in_order_and_masked_text_holds_none(text: str) -> None:
    spans = find(TextView(text))
    reached = 0
    for start, end, _ in spans:
        assert reached <= start < end <= len(text)
        reached = end
    masked, _ = Masking().mask(text, spans)
    assert find(TextView(masked)) == [], masked


def test_prose_and_the_standard_library_hold_none(testdata: Path) -> None:
    """168 modules that very many people have read, and 1,233 texts."""
    for text in real_texts(testdata):
        assert found(text) == []
    for file in sorted(Path(os.__file__).parent.glob("*.py")):
        assert found(file.read_text(encoding="utf-8", errors="replace")) == [], file.name


@pytest.mark.parametrize(
    "piece", ["password=", "://", "://a:b", "eyJ.", "-----BEGIN PRIVATE KEY-----", "sk-", "AKIA", "a@b:"]
)
def test_hostile_texts_take_no_longer(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    began = time.process_time()
    find(TextView(text))
    # Not a measure of speed: it would be hours if anything were quadratic.
    assert time.process_time() - began < 120
