"""What is there twice, as part of a store's page: copies side by side, and repeated pieces."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq

from corpus.report.facts import read_documents
from corpus.store import LEDGERS, Store
from filters.dedup.base import CLUSTERS
from gristmill.base.html import Bar, Markup, histogram, join, table, tag

CHARACTERS = 1200
"""Characters shown of a document."""
PIECE = 300
"""Characters shown of a repeated piece."""
SIZES = (2, 3, 5, 10, 100, 1000, 10_000)
"""Least sizes of the classes of clusters that are counted."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A kept copy and one of its duplicates."""

    cluster: str
    id: str
    size: int
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Clusters:
    """What a method found of documents."""

    name: str
    clusters: int
    duplicates: int
    sizes: list[tuple[int, int, int]]
    """Least size of the class, clusters in it, documents in them."""
    similarities: list[float]
    """Of the duplicates with the kept copy, none where nothing was measured; a sample of a large ledger."""
    pairs: list[Pair]
    """Of the largest clusters, and of others."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text that stands in several places."""

    id: str
    """Where it is kept (where it stands first, if it is kept nowhere)."""
    start: int
    end: int
    count: int
    """How often it is cut."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a method found of pieces of documents."""

    name: str
    spans: int
    documents: int
    characters: int
    most: list[Piece]
    """Those that are cut most often."""


def find(store: Store, samples: int) -> list[Clusters | Pieces]:
    """What the ledgers of deduplication say, method by method.

    Args:
        store: the store.
        samples: how many pairs or pieces to choose for people to look at.
    """
    found: list[Clusters | Pieces] = []
    for name, entry in sorted(store.content["annotations"].items()):
        if "ledger" in entry:
            file = store.path / LEDGERS / f"{name}.parquet"
            short = name.split("@")[0]
            with duckdb.connect() as database:
                if pq.read_schema(file).names == CLUSTERS.names:
                    found.append(_clusters(database, short, str(file), samples))
                else:
                    found.append(_pieces(database, short, str(file), samples, entry["characters"]))
    return found


def _clusters(database: duckdb.DuckDBPyConnection, name: str, file: str, samples: int) -> Clusters:
    ledger = {"file": file}
    classes = " ".join(f"WHEN size >= {least} THEN {least}" for least in reversed(SIZES))
    sizes = database.execute(
        f"SELECT CASE {classes} END AS class, count(*), sum(size)::BIGINT FROM read_parquet($file)"
        " WHERE keep GROUP BY 1 ORDER BY 1",
        ledger,
    ).fetchall()
    row = database.execute("SELECT count(*) FILTER (NOT keep) FROM read_parquet($file)", ledger).fetchone()
    similarities = database.execute(
        "SELECT similarity FROM read_parquet($file) WHERE NOT keep AND similarity IS NOT NULL"
        " ORDER BY id LIMIT 100000",
        ledger,
    ).fetchall()
    pairs = database.execute(
        "SELECT cluster, min_by(id, (coalesce(similarity, 1), id)), max(size), min(coalesce(similarity, 1))"
        " FROM read_parquet($file) WHERE NOT keep GROUP BY cluster"
        " QUALIFY row_number() OVER (ORDER BY max(size) DESC, cluster) <= $few"
        " OR row_number() OVER (ORDER BY min(coalesce(similarity, 1)), cluster) <= $few"
        " OR row_number() OVER (ORDER BY cluster) <= $few"
        " ORDER BY max(size) DESC, cluster",
        {**ledger, "few": samples},
    ).fetchall()
    return Clusters(
        name,
        sum(clusters for _, clusters, _ in sizes),
        row[0] if row else 0,
        sizes,
        [similarity for (similarity,) in similarities],
        [
            Pair(cluster, identity, size, similarity if similarities else None)
            for cluster, identity, size, similarity in pairs
        ],
    )


def _pieces(
    database: duckdb.DuckDBPyConnection, name: str, file: str, samples: int, characters: int
) -> Pieces:
    row = database.execute(
        "SELECT count(*), count(DISTINCT id) FROM read_parquet($file)",
        {"file": file},
    ).fetchone()
    most = database.execute(
        'SELECT coalesce(kept_id, id), coalesce(kept_start, start), coalesce(kept_end, "end"), count(*)'
        " FROM read_parquet($file) GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2 LIMIT $few",
        {"file": file, "few": 4 * samples},
    ).fetchall()
    spans, documents = row or (0, 0)
    return Pieces(name, spans, documents, characters, [Piece(*piece) for piece in most])


def section(store: Store, samples: int) -> Markup | None:
    """The page's section; None where no method has compared anything."""
    found = find(store, samples)
    if not found:
        return None
    rows = []
    for one in found:
        count = one.duplicates if isinstance(one, Clusters) else one.documents
        what = (
            f"{one.clusters:,} clusters"
            if isinstance(one, Clusters)
            else f"{one.spans:,} pieces, {one.characters:,} characters"
        )
        rows.append(
            (one.name, what, count, f"{count / max(1, store.rows):.1%}", Bar(count / max(1, store.rows)))
        )
    heads = ("", "found", "documents", "of the store", "")
    pieces: list[object] = [table(heads, rows)]
    for one in found:
        pieces.append(tag("h3", one.name))
        pieces += _show_clusters(store, one) if isinstance(one, Clusters) else _show_pieces(store, one)
    return join(pieces)


def _show_clusters(store: Store, found: Clusters) -> Iterable[object]:
    rows = [
        (
            _class(least),
            clusters,
            documents,
            Bar(documents / max(1, sum(d for *_, d in found.sizes)), "dropped"),
        )
        for least, clusters, documents in found.sizes
    ]
    yield table(("", "clusters", "documents", ""), rows)
    if found.similarities and min(found.similarities) < 1:
        counts, edges = np.histogram(found.similarities, 40, (min(found.similarities) // 0.05 * 0.05, 1))
        figure = histogram(edges.tolist(), {"dropped": counts.tolist()})
        caption = tag("figcaption", tag("b", "similarity"), " of duplicates with the kept copy")
        yield tag("div", tag("figure", figure, caption), class_="grid")
    ids = [identity for pair in found.pairs for identity in (pair.cluster, pair.id)]
    known = read_documents(store, ids, [], CHARACTERS)
    for pair in found.pairs:
        if pair.cluster in known and pair.id in known:
            yield _pair(pair, known[pair.cluster], known[pair.id])


def _class(least: int) -> str:
    """The name of a class of sizes."""
    following = next((size for size in SIZES if size > least), None)
    if following is None:
        return f"{least:,} and more copies"
    return f"{least:,} copies" if following == least + 1 else f"{least:,} to {following - 1:,} copies"


def _pair(pair: Pair, kept: Mapping[str, Any], other: Mapping[str, Any]) -> Markup:
    told = f"{pair.size:,} copies" + (
        f", similarity {pair.similarity:.3f}" if pair.similarity is not None else ""
    )
    texts = differences(kept["text"], other["text"])
    sides = [
        tag(
            "article",
            tag(
                "header",
                tag("b", head),
                f", {document['characters']:,} characters",
                Markup("<br>"),
                document["url"] or "",
                " ",
                tag("code", document["id"]),
            ),
            tag("pre", text),
            class_=kind,
        )
        for head, kind, document, text in (
            ("kept", "kept", kept, texts[0]),
            ("duplicate", "dropped", other, texts[1]),
        )
    ]
    return tag(
        "details", tag("summary", told, " ", tag("code", pair.cluster)), tag("div", *sides, class_="pair")
    )


def differences(first: str, second: str) -> tuple[Markup, Markup]:
    """Two texts with the words marked that the other has not, in their order."""
    sides = [re.findall(r"\s*\S+|\s+$", text) for text in (first, second)]
    words = [[word.strip() for word in side] for side in sides]
    match = difflib.SequenceMatcher(a=words[0], b=words[1], autojunk=False)
    shown: tuple[list[object], list[object]] = ([], [])
    for kind, a, b, c, d in match.get_opcodes():
        for pieces, found in zip(shown, (sides[0][a:b], sides[1][c:d]), strict=True):
            text = "".join(found)
            pieces.append(text if kind == "equal" or not text else tag("mark", text))
    return join(shown[0]), join(shown[1])


def _show_pieces(store: Store, found: Pieces) -> Iterable[object]:
    ids: Sequence[str] = [piece.id for piece in found.most]
    longest = max((piece.start + PIECE for piece in found.most), default=0)
    known = read_documents(store, ids, [], longest)
    rows = []
    for piece in found.most:
        if piece.id in known:
            text = known[piece.id]["text"][piece.start : min(piece.end, piece.start + PIECE)]
            more = "…" if piece.end - piece.start > PIECE else ""
            rows.append(
                (tag("pre", text + more), piece.count, piece.end - piece.start, tag("code", piece.id))
            )
    yield table(("piece", "times cut", "characters", "kept in"), rows)
