"""The hybrid Mamba-2/attention model: operations, pretraining, checkpoints, generation."""
