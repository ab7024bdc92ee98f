"""Manifest to plan to lock to token store to global order to batches."""
