"""Model files by path, or from the Hugging Face Hub at a pinned revision."""

from __future__ import annotations

import re
from pathlib import Path

from gristmill.base.errors import UserError, missing_extra

_ADDRESS = re.compile(r"hf://([^/@\s]+/[^/@\s]+)(?:@([^/\s]+))?/(\S+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def model_file(ref: str | Path, what: str = "model") -> Path:
    """The file that `ref` names: a path, or `hf://organisation/name@commit/path/in/the/repository`.

    A file of the Hub is downloaded once, into the Hub's cache. Raises UserError for an address without a
    commit (the next run might get another model), and for a file that cannot be had."""
    if not str(ref).startswith("hf://"):
        return Path(ref)
    match = _ADDRESS.fullmatch(str(ref))
    if match is None:
        raise UserError(
            f"not an address of a file on the Hub: {ref}", mend="hf://organisation/name@commit/file"
        )
    repository, revision, file = match.groups()
    if revision is None or not _COMMIT.fullmatch(revision):
        raise UserError(
            f"the {what} has no pinned revision: {ref}",
            mend=f"hf://{repository}@<40 hex digits of a commit>/{file}",
        )
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise missing_extra("huggingface_hub", "hub", f"a {what} of the Hub") from None
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except (OSError, ValueError) as error:
        # Everything that huggingface_hub raises for a missing repository, file, network or permission is one
        # of the two.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot get the {what} from the Hub: {reason}", where=str(ref)) from None
