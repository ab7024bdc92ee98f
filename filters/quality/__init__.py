"""Quality classifiers: models that score texts, how they are trained and measured, and their ensemble."""
