"""Repositories as documents: git, archives, lists of files to fetch."""
