"""What a page's owner says about its use by crawlers and for training: headers, meta elements, robots.txt.

Nothing is decided here; the rule set `opt-out` honours what is found. See docs/opt-out.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.base import TextView
from filters.robots import disallowed, open_table, table_digest, training_preference, training_refused
from filters.urls import parse_url
from gristmill.base.errors import UserError

AGENTS = (
    "CCBot",
    "GPTBot",
    "ClaudeBot",
    "anthropic-ai",
    "Google-Extended",
    "Applebot-Extended",
    "Meta-ExternalAgent",
    "Bytespider",
    "Amazonbot",
    "AI2Bot",
    "cohere-training-data-crawler",
)
"""Crawlers and control tokens that gather text to train language models, as their operators say: Common Crawl
(commoncrawl.org/ccbot), OpenAI, Anthropic (the second name is its former one), Google, Apple
(support.apple.com/en-us/119829), Meta, ByteDance, Amazon, Ai2, Cohere; by the table of
github.com/ai-robots-txt/ai.robots.txt (table-of-bot-metrics.md), which has more."""
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Directives with a value of their own, whose colon names no agent (developers.google.com, "Robots meta tag
specifications")."""
_AGENT = re.compile(r"\s*([A-Za-z*][\w.*-]*)\s*:\s*(.*)", re.DOTALL)


class OptOut:
    """What the owner of a page has said.

    opt_out.noai, .noimageai, .noindex: that directive (for the last also `none`) in `X-Robots-Tag` or a
    robots meta element, for everybody or for one of the agents. opt_out.tdm: rights to text and data mining
    are reserved (TDM Reservation Protocol, header or meta element); opt_out.tdm_policy: address of the
    policy. opt_out.no_training: usage preferences refuse training, in a header (`Content-Usage`,
    `Content-Signal`) or in robots.txt. opt_out.robots: robots.txt bars the address to at least one of the
    agents; opt_out.robots_agents: which, with commas between. The last two are null where no robots.txt is
    known, the others for documents without an address.

    Args:
        agents: crawlers and tokens whose rules count.
        robots: a table that `gristmill corpus robots` made; none by default.
    """

    name = "opt_out"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "opt_out.noai": pa.bool_(),
        "opt_out.noimageai": pa.bool_(),
        "opt_out.noindex": pa.bool_(),
        "opt_out.tdm": pa.bool_(),
        "opt_out.tdm_policy": pa.string(),
        "opt_out.no_training": pa.bool_(),
        "opt_out.robots": pa.bool_(),
        "opt_out.robots_agents": pa.string(),
    }
    places = frozenset({"robots"})

    def __init__(self, agents: Sequence[str] = AGENTS, robots: str | Path | None = None) -> None:
        for agent in agents:
            if not re.fullmatch(r"[A-Za-z*][\w.-]*", agent):
                raise UserError(
                    f"not the name of a crawler: '{agent}'", mend="as in robots.txt: letters, digits, dashes"
                )
        self.agents = tuple(agents)
        self.robots = Path(robots) if robots is not None else None
        self.identity = table_digest(self.robots) if self.robots is not None else None

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        addresses = [document.get("url") for document in documents]
        urls = [parse_url(address) if isinstance(address, str) else None for address in addresses]
        answers = open_table(self.robots).answers(urls) if self.robots is not None else [None] * len(urls)
        rows: list[tuple[Any, ...]] = []
        for document, address, url, answer in zip(documents, addresses, urls, answers, strict=True):
            if url is None:
                rows.append((None,) * len(self.columns))
                continue
            http, page = _mapping(document.get("http")), _mapping(document.get("page"))
            directives = self._header(http.get("x-robots-tag")) | self._meta(_mapping(page.get("robots")))
            tdm, policy = _tdm(http, _mapping(page.get("tdm")))
            refused = any(_refuses(kind, http.get(f"content-{kind}")) for kind in ("usage", "signal"))
            barred = disallowed(answer, str(address), self.agents) if answer is not None else None
            if answer is not None and barred is not None:
                refused = refused or training_refused(answer.body, url.path, self.agents)
            rows.append(
                (
                    "noai" in directives,
                    "noimageai" in directives,
                    bool(directives & {"noindex", "none"}),
                    tdm,
                    policy,
                    refused,
                    bool(barred) if barred is not None else None,
                    ",".join(barred) if barred is not None else None,
                )
            )
        return {
            name: pa.array([row[index] for row in rows], kind)
            for index, (name, kind) in enumerate(self.columns.items())
        }

    def _heard(self, agent: str) -> bool:
        return agent in ("*", "robots") or agent in {name.lower() for name in self.agents}

    def _header(self, value: Any) -> set[str]:
        """Directives of `X-Robots-Tag` for everybody or for one of the agents; a line for each header that
        was sent.

        An agent holds for what follows it in its line: `otherbot: noindex, nofollow`.
        """
        found: set[str] = set()
        for line in (value if isinstance(value, str) else "").lower().splitlines():
            heard = True
            for item in line.split(","):
                named = _AGENT.match(item)
                if named and named[1] not in _VALUED:
                    heard = self._heard(named[1])
                if heard:
                    found.update((named[2] if named else item).split())
        return found

    def _meta(self, robots: Mapping[str, Any]) -> set[str]:
        found: set[str] = set()
        for name, content in robots.items():
            if isinstance(content, str) and self._heard(str(name).lower()):
                found.update(re.split(r"[\s,;]+", content.lower()))
        return found


def _tdm(http: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether rights are reserved, in the header or in the meta element, and the policy.

    The protocol asks the header first and then the meta element; a reservation in either is heeded here. Any
    value but 1 is none."""
    for stated, policy in (
        (http.get("tdm-reservation"), http.get("tdm-policy")),
        (meta.get("reservation"), meta.get("policy")),
    ):
        if isinstance(stated, str) and stated.strip().splitlines()[:1] == ["1"]:
            return True, policy if isinstance(policy, str) else None
    return False, None


def _refuses(kind: str, value: Any) -> bool:
    return isinstance(value, str) and any(training_preference(kind, line) for line in value.splitlines())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
