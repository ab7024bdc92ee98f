"""Where documents come from: web archives, files, JSON lines, Parquet, data sets."""
