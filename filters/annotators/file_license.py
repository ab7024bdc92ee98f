"""The licence of a source file: its own, else its repository's (`filters.code.license_header`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.annotators.code_language import language_of, path_of
from filters.base import TextView
from filters.code.languages import languages
from filters.code.license_header import license_of_file, license_of_head
from filters.code.license_names import named
from filters.code.repository_license import MAX_CHARACTERS, declared_license, is_license_file, permissive


class FileLicense:
    """Under which licence a source file stands.

    file_license.spdx: an SPDX expression. file_license.source: what says it: `spdx` (a tag in the file),
    `text` (the licence's text), `phrase` (a sentence or a line of the head), `package` (package metadata
    that this file is), `repository` (the document's field `license`, where the file itself says nothing).
    file_license.permissive: by the Blue Oak Council's list (`filters.code.spdx`); null where nothing is
    known, so that unknown is kept apart from not permissive. file_license.score: share of the licence's
    text that is there; 1 for the other sources.
    """

    name = "file_license"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "file_license.spdx": pa.string(),
        "file_license.source": pa.string(),
        "file_license.permissive": pa.bool_(),
        "file_license.score": pa.float64(),
    }

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows = [_judge(view, document) for view, document in zip(views, documents, strict=True)]
        return {
            name: pa.array([row[index] for row in rows], kind)
            for index, (name, kind) in enumerate(self.columns.items())
        }


def _judge(
    view: TextView, document: Mapping[str, Any]
) -> tuple[str | None, str | None, bool | None, float | None]:
    text, path = view.text, path_of(document)
    declared = declared_license(path, text) if path else None
    if declared is not None:
        return declared, "package", permissive(declared), 1.0
    if path and is_license_file(path):
        found = license_of_file(text[:MAX_CHARACTERS])
    else:
        language, _ = language_of(view, document)
        found = license_of_head(text, languages()[language].syntax if language is not None else "plain")
    if found is not None:
        return found.expression, found.source, permissive(found.expression), found.score
    field = document.get("license")
    stated = named(field) if isinstance(field, str) else None
    if stated is not None:
        return stated, "repository", permissive(stated), 1.0
    return None, None, None, None
