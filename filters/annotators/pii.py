"""Personal data in text: how much of it there is, and where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.base import TextView
from filters.findings import SPANS, rows
from filters.pii.context import regions_of
from filters.pii.finder import find
from gristmill.base.errors import UserError

_COLUMNS = {
    "email": "emails",
    "ipv4": "ips",
    "ipv6": "ips",
    "phone": "phones",
    "card": "cards",
    "iban": "ibans",
}


class Pii:
    """Personal data by kind, and where.

    pii.emails, .ips (public addresses), .phones, .cards, .ibans, .national_ids: how many. pii.spans: where
    they stand, in order and without overlaps: start and end in code points, and the kind (`email`, `ipv4`,
    `ipv6`, `phone`, `card`, `iban`, or a national identifier such as `us_ssn`). Masking takes these spans and
    searches no more.

    Args:
        regions: countries (ISO 3166-1, two letters) whose numbers are looked for in every document, besides
            those of its language and of its country domain.
    """

    name = "pii"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "pii.emails": pa.int64(),
        "pii.ips": pa.int64(),
        "pii.phones": pa.int64(),
        "pii.cards": pa.int64(),
        "pii.ibans": pa.int64(),
        "pii.national_ids": pa.int64(),
        "pii.spans": SPANS,
    }

    def __init__(self, regions: Sequence[str] = ()) -> None:
        for region in regions:
            if len(region) != 2 or not region.isalpha() or not region.isupper():
                raise UserError(
                    f"'{region}' is no country", mend="two capital letters (ISO 3166-1), for instance DE"
                )
        self.regions = tuple(regions)

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        columns: dict[str, list[Any]] = {name: [] for name in self.columns}
        for view, document in zip(views, documents, strict=True):
            found = find(view, tuple(dict.fromkeys((*self.regions, *regions_of(document)))))
            counts = Counter(_COLUMNS.get(kind, "national_ids") for _, _, kind in found)
            for name, values in columns.items():
                values.append(rows(found) if name == "pii.spans" else counts[name.removeprefix("pii.")])
        return {name: pa.array(values, self.columns[name]) for name, values in columns.items()}
