"""Files and folders of models and data sets by path, or from the Hugging Face Hub at a pinned revision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gristmill.base.errors import UserError, missing_extra

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://([^/@\s]+/[^/@\s]+)(?:@([^/\s]+))?(?:/(\S+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def model_file(ref: str | Path, what: str = "model", kind: str = "model") -> Path:
    """The file that `ref` names: a path, or `hf://organisation/name@commit/path/in/the/repository`.

    A file of the Hub is downloaded once, into the Hub's cache; `kind` says what sort of repository it is in
    (`model`, `dataset`). Raises UserError for an address without a
    commit (the next run might get another model), and for a file that cannot be had."""
    if not str(ref).startswith(SCHEME):
        return Path(ref)
    repository, revision, file = _parse(str(ref), what)
    if file is None:
        raise UserError(
            f"not an address of a file on the Hub: {ref}", mend="hf://organisation/name@commit/file"
        )
    return _fetch("hf_hub_download", str(ref), what, repository, file, revision=revision, repo_type=kind)


def model_folder(ref: str | Path, patterns: Sequence[str], what: str = "model", kind: str = "model") -> Path:
    """The folder that `ref` names: a path, or `hf://organisation/name@commit`.

    Of a repository the files that match `patterns` are downloaded once. Raises UserError as `model_file`
    does."""
    if not str(ref).startswith(SCHEME):
        return Path(ref)
    repository, revision, file = _parse(str(ref), what)
    if file is not None:
        raise UserError(f"not an address of a repository: {ref}", mend=f"hf://{repository}@{revision}")
    options = {"revision": revision, "allow_patterns": list(patterns), "repo_type": kind}
    return _fetch("snapshot_download", str(ref), what, repository, **options)


def _parse(ref: str, what: str) -> tuple[str, str, str | None]:
    """Repository, commit and file of an address."""
    match = _ADDRESS.fullmatch(ref)
    if match is None:
        raise UserError(
            f"not an address of a file on the Hub: {ref}", mend="hf://organisation/name@commit/file"
        )
    repository, revision, file = match.groups()
    if revision is None or not _COMMIT.fullmatch(revision):
        raise UserError(
            f"the {what} has no pinned revision: {ref}",
            mend=f"hf://{repository}@<40 hex digits of a commit>" + (f"/{file}" if file else ""),
        )
    return repository, revision, file


def _fetch(function: str, ref: str, what: str, *arguments: str, **options: Any) -> Path:
    try:
        import huggingface_hub
    except ImportError:
        raise missing_extra("huggingface_hub", "hub", f"a {what} of the Hub") from None
    try:
        return Path(getattr(huggingface_hub, function)(*arguments, **options))
    except (OSError, ValueError) as error:
        # Everything that huggingface_hub raises for a missing repository, file, network or permission is one
        # of the two.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot get the {what} from the Hub: {reason}", where=ref) from None
