"""Training quality classifiers from labelled stores and files."""
