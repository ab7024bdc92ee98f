"""The ground of all parts: errors, atomic files, digests, progress, manifest models."""
