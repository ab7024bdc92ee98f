"""Measurements of texts, one module each; `filters.registry` knows them by name."""
