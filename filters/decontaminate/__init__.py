"""Benchmark items found in documents, as annotations: what is dropped or cut for it is a choice that a
manifest states."""
