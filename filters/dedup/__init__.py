"""Duplicates among documents, as annotations: which copy is kept is a choice that a manifest states."""
