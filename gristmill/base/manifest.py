"""The base of all manifest models, and of the models inside them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A strict, immutable model: an unknown field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Manifest(Model):
    """What all kinds of manifest share.

    Each package defines its own kind in its module `manifest` and narrows `kind` to a literal. Relative paths
    in a manifest are relative to the folder in which the command runs.
    """

    kind: str
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Short name: letters, digits, dot, dash, underscore."""
    description: str = ""
    """One or two sentences for a person."""
