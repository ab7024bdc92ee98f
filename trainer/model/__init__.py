"""The hybrid Mamba-2 / attention model: configuration, mixers, weights, decoding state."""
