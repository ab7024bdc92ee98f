"""Credentials in text: keys, tokens and passwords that give access to something.

A single pass (`filters.keywords`) finds the prefixes that providers give their tokens, and the words that
stand before passwords; what follows is then judged by its shape. Prefixes and lengths are those that the
providers document, for their users' own scanners.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections import Counter
from typing import Any

import pyarrow as pa

from filters.annotators.per_text import PerText
from filters.base import TextView
from filters.credentials import PLACEHOLDER, WORDS, credential_at, entropy, runs
from filters.findings import SPANS, Finding, disjoint, rows
from filters.keywords import Keywords
from filters.masking import exhaust

TOKENS: dict[str, tuple[tuple[str, ...], str]] = {
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (unique identifier prefixes)
    "aws_access_key": (("AKIA", "ASIA"), r"A[KS]IA[A-Z2-7]{16}"),
    # github.blog/2021-04-05-behind-githubs-new-authentication-token-formats
    "github_token": (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    ),
    # docs.gitlab.com/security/tokens (token prefixes)
    "gitlab_token": (
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-", "glsoat-", "glagent-", "glft-", "glimt-"),
        r"gl(?:pat|dt|rt|ptt|cbt|oas|soat|agent|ft|imt)-[\w-]{20,64}(?:\.[\w.]{9,30})?",
    ),
    # api.slack.com/authentication/token-types; api.slack.com/messaging/webhooks
    "slack_token": (
        ("xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-", "xoxe-"),
        r"xox[abeprs]-[0-9A-Za-z-]{20,250}",
    ),
    "slack_app_token": (("xapp-",), r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}"),
    "slack_webhook": (
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{6,}/[AB][A-Z0-9]{6,}/[A-Za-z0-9]{16,}",
    ),
    # docs.stripe.com/keys; docs.stripe.com/webhooks/signatures
    "stripe_key": (
        ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"),
        r"[sr]k_(?:live|test)_[0-9A-Za-z]{24,247}|whsec_[A-Za-z0-9+/]{32,}={0,2}",
    ),
    # platform.openai.com/docs/api-reference/authentication: "T3BlbkFJ" is "OpenAI" in base 64
    "openai_key": (
        ("sk-",),
        r"sk-(?:proj-|svcacct-|admin-|None-)?[\w-]{20,100}T3BlbkFJ[\w-]{20,100}",
    ),
    # docs.anthropic.com/en/api/admin-api (key prefixes)
    "anthropic_key": (("sk-ant-",), r"sk-ant-(?:api|admin|oat|sid)\d\d-[\w-]{40,120}"),
    # huggingface.co/docs/hub/security-tokens
    "huggingface_token": (("hf_", "api_org_"), r"(?:hf_|api_org_)[A-Za-z0-9]{34}"),
    # cloud.google.com/docs/authentication/api-keys; developers.google.com/identity/protocols/oauth2
    "google_key": (
        ("AIza", "ya29.", "GOCSPX-"),
        r"AIza[\w-]{35}|ya29\.[\w-]{40,500}|GOCSPX-[\w-]{28}",
    ),
    # learn.microsoft.com/azure/storage/common/storage-configure-connection-string
    "azure_storage_key": (("AccountKey=",), r"AccountKey=[A-Za-z0-9+/]{86}=="),
    # docs.npmjs.com/about-access-tokens; pypi.org/help/#apitoken; guides.rubygems.org/api-key-scopes
    "npm_token": (("npm_",), r"npm_[A-Za-z0-9]{36}"),
    "pypi_token": (("pypi-",), r"pypi-AgE[\w-]{60,}"),
    "rubygems_key": (("rubygems_",), r"rubygems_[a-f0-9]{48}"),
    # docs.docker.com/security/access-tokens; docs.digitalocean.com/reference/api/create-personal-access-token
    "docker_token": (("dckr_pat_", "dckr_oat_"), r"dckr_[po]at_[\w-]{27,32}"),
    "digitalocean_token": (("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[a-f0-9]{64}"),
    # twilio.com/docs/sendgrid/ui/account-and-settings/api-keys; twilio.com/docs/iam/api-keys
    "sendgrid_key": (("SG.",), r"SG\.[\w-]{22}\.[\w-]{43}"),
    # core.telegram.org/bots/api#authorizing-your-bot; the part before the colon is found backwards
    "telegram_token": ((":AA",), r":AA[\w-]{33}"),
    # discord.com/developers/docs/resources/webhook
    "discord_webhook": (
        ("discord.com/api/", "discordapp.com/api/"),
        r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,}",
    ),
    # shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing
    "shopify_token": (("shpat_", "shpca_", "shppa_", "shpss_"), r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32,64}"),
    # developer.squareup.com/docs/build-basics/access-tokens
    "square_token": (("sq0atp-", "sq0csp-"), r"sq0(?:atp-[\w-]{22}|csp-[\w-]{43})"),
    # docs.databricks.com/dev-tools/auth/pat.html
    "databricks_token": (("dapi",), r"dapi[a-f0-9]{32}(?:-\d)?"),
    # developer.hashicorp.com/vault/docs/concepts/tokens; developer.hashicorp.com/terraform/cloud-docs
    "vault_token": (("hvs.", "hvb."), r"hv[sb]\.[\w-]{24,300}"),
    "terraform_token": ((".atlasv1.",), r"\.atlasv1\.[\w-]{60,70}"),
    # developers.notion.com/docs/authorization; linear.app/docs/api-and-webhooks; learning.postman.com/docs
    "notion_token": (("ntn_",), r"ntn_[0-9]{11}[A-Za-z0-9]{35}"),
    "linear_key": (("lin_api_",), r"lin_api_[A-Za-z0-9]{40}"),
    "postman_key": (("PMAK-",), r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    # support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account
    "atlassian_token": (("ATATT3",), r"ATATT3[\w=-]{180,250}"),
    # docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys; grafana.com/docs (service account tokens)
    "newrelic_key": (("NRAK-",), r"NRAK-[A-Z0-9]{27}"),
    "grafana_token": (("glsa_", "glc_"), r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{40,400}={0,2}"),
    # console.groq.com/docs/quickstart; replicate.com/docs/topics/security/api-tokens; docs.x.ai;
    # docs.perplexity.ai
    "groq_key": (("gsk_",), r"gsk_[A-Za-z0-9]{52}"),
    "replicate_token": (("r8_",), r"r8_[A-Za-z0-9]{37}"),
    "xai_key": (("xai-",), r"xai-[A-Za-z0-9]{80}"),
    "perplexity_key": (("pplx-",), r"pplx-[A-Za-z0-9]{48}"),
    # age-encryption.org/v1
    "age_key": (("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
}
"""Kind to the beginnings of its tokens and the pattern of a whole one."""

MIN_ENTROPY_TOKEN = 2.5
"""Bits a character under which a token of the right shape is a placeholder ("ghp_xxxxxxxx")."""
_MAX_BLOCK = 20_000
"""Characters of the longest private key that is looked for (RSA of 16,384 bits: 12,700)."""

_PRIVATE_KEY = re.compile(r"-----BEGIN ((?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?)-----")
_KEY_BODY = re.compile(
    r"(?:[A-Za-z0-9+/=\s]|\\[nr]|[\"',]|(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\n]{0,80})*"
)
_JWT = re.compile(r"eyJ[\w-]{8,1000}\.[\w-]{8,4000}\.[\w-]{16,1000}", re.ASCII)
_URL_PASSWORD = re.compile(r"://[^\s:/@\"'<>`]{0,64}:([^\s:/@\"'<>`]{3,128})@[A-Za-z0-9\[_]")


class Secrets(PerText):
    """Credentials, by what they are and where.

    secrets.tokens: tokens with a provider's prefix; .private_keys: blocks in PEM; .jwts: signed JSON web
    tokens; .passwords: in URLs, connection strings, settings, headers and command lines, and assigned to a
    word such as "password"; .keys: random-looking values assigned to a word such as "secret".
    secrets.spans: where all these stand, in order, without overlaps: start and end in code points, and the
    kind (a name such as `github_token`, or `private_key`, `jwt`, `url_password`, `password`, `key`).
    """

    name = "secrets"
    version = "2"
    columns = {
        "secrets.tokens": pa.int64(),
        "secrets.private_keys": pa.int64(),
        "secrets.jwts": pa.int64(),
        "secrets.passwords": pa.int64(),
        "secrets.keys": pa.int64(),
        "secrets.spans": SPANS,
    }

    def measure(self, view: TextView) -> tuple[Any, ...]:
        found = find(view)
        counts = Counter(_FAMILIES.get(kind, "tokens") for _, _, kind in found)
        names = ("tokens", "private_keys", "jwts", "passwords", "keys")
        return (*(counts[name] for name in names), rows(found))


_FAMILIES = {
    "private_key": "private_keys",
    "jwt": "jwts",
    "url_password": "passwords",
    "password": "passwords",
    "key": "keys",
}


@functools.cache
def _automaton() -> tuple[Keywords, dict[str, list[tuple[str, re.Pattern[str]]]]]:
    """The automaton, and the kinds and patterns that a keyword calls for."""
    judges: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, (beginnings, pattern) in TOKENS.items():
        compiled = re.compile(rf"(?:{pattern})(?![\w-])", re.ASCII)
        for beginning in beginnings:
            judges.setdefault(beginning.lower(), []).append((kind, compiled))
    return Keywords([*judges, *WORDS, "-----begin ", "eyj", "://"]), judges


def find(view: TextView) -> list[Finding]:
    """Every credential of a text, in order, none overlapping another: start, end and kind."""
    return exhaust(view, _look)


def _look(view: TextView) -> list[Finding]:
    keywords, judges = _automaton()
    found: list[Finding] = []
    reached = 0
    for at, word in keywords.find(view.code_points):
        if at >= reached:
            finding = _judge(view.text, at, word, judges)
            if finding is not None:
                found.append(finding)
                reached = finding[1]
    return disjoint(found)


def _judge(
    text: str, at: int, word: str, judges: dict[str, list[tuple[str, re.Pattern[str]]]]
) -> Finding | None:
    if word in judges:
        return _token(text, at, judges[word])
    if word in WORDS:
        return credential_at(text, at, word)
    if word == "://":
        match = _URL_PASSWORD.match(text, at)
        if match is not None and not PLACEHOLDER.search(match[1]):
            return match.start(1), match.end(1), "url_password"
        return None
    if word == "eyj":
        match = _JWT.match(text, at) if not _inside(text, at, "_-") else None
        return (at, match.end(), "jwt") if match is not None and _is_jwt(match[0]) else None
    return _private_key(text, at)


def _token(text: str, at: int, candidates: list[tuple[str, re.Pattern[str]]]) -> Finding | None:
    for kind, pattern in candidates:
        if kind in ("telegram_token", "terraform_token"):
            start = _before(text, at, kind)
        else:
            start = None if _inside(text, at, "_") else at
        match = pattern.match(text, at) if start is not None else None
        if match is None or start is None:
            continue
        token = match[0]
        if "EXAMPLE" not in token.upper() and entropy(token) >= MIN_ENTROPY_TOKEN and not runs(token):
            return start, match.end(), kind
    return None


def _inside(text: str, at: int, more: str) -> bool:
    """Whether a token cannot begin here: the character before belongs to a word."""
    if not at:
        return False
    before = text[at - 1]
    return before.isascii() and (before.isalnum() or before in more)


def _before(text: str, at: int, kind: str) -> int | None:
    """Where a token begins whose mark stands inside it."""
    pattern, longest = (_DIGITS_BEFORE, 10) if kind == "telegram_token" else (_LETTERS_BEFORE, 14)
    match = pattern.search(text, max(0, at - longest - 1), at)
    return match.start(1) if match is not None else None


_DIGITS_BEFORE = re.compile(r"(?<!\w)(\d{8,10})$", re.ASCII)
_LETTERS_BEFORE = re.compile(r"(?<!\w)(\w{14})$", re.ASCII)


def _is_jwt(token: str) -> bool:
    """Whether the first part decodes to a JOSE header (RFC 7515, section 4.1.1: `alg` must be there)."""
    header = token.partition(".")[0]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(decoded, dict) and isinstance(decoded.get("alg"), str)


def _private_key(text: str, at: int) -> Finding | None:
    """A block of RFC 7468 (or OpenPGP's armour), to its end line, or as far as its body goes."""
    match = _PRIVATE_KEY.match(text, at)
    if match is None:
        return None
    body = _KEY_BODY.match(text, match.end(), match.end() + _MAX_BLOCK)
    end = body.end() if body is not None else match.end()
    if len(re.sub(r"[^A-Za-z0-9+/]", "", text[match.end() : end])) < 64:
        return None
    closing = f"-----END {match[1]}-----"
    if text.startswith(closing, end):
        end += len(closing)
    else:
        end = match.end() + len(text[match.end() : end].rstrip("\"', \n\r\t\\"))
    return at, end, "private_key"
