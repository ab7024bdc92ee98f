"""Near duplicates: candidates by MinHash, verified by true Jaccard, each beside a kept copy like it."""
