"""Copies, generated files, lock files, data, tests and documents among source files
(`filters.code.origin`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.annotators.code_language import language_of, path_of
from filters.base import TextView
from filters.code.language import type_of
from filters.code.origin import origin


class CodeOrigin:
    """Where a source file comes from.

    code_origin.vendored: a copy of somebody else's work, by its path; .vendored_by says which convention.
    .generated: made by a program; .generated_by says how it is known (`lock_file`, `minified`, `protobuf`,
    `marked`, ...). .lock: a lock file of a package manager. .data: data, such as JSON, CSV, SVG. .test: a
    test or its data. .documentation: prose, or a file of a folder of documents. Without a path only what
    the text tells.
    """

    name = "code_origin"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "code_origin.vendored": pa.bool_(),
        "code_origin.vendored_by": pa.string(),
        "code_origin.generated": pa.bool_(),
        "code_origin.generated_by": pa.string(),
        "code_origin.lock": pa.bool_(),
        "code_origin.data": pa.bool_(),
        "code_origin.test": pa.bool_(),
        "code_origin.documentation": pa.bool_(),
    }

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows = []
        for view, document in zip(views, documents, strict=True):
            language, _ = language_of(view, document)
            found = origin(path_of(document), language, type_of(language), view.text, view.text.count("\n"))
            rows.append(
                (
                    found.vendored is not None,
                    found.vendored,
                    found.generated is not None,
                    found.generated,
                    found.lock,
                    found.data,
                    found.test,
                    found.documentation,
                )
            )
        return {
            name: pa.array([row[index] for row in rows], kind)
            for index, (name, kind) in enumerate(self.columns.items())
        }
