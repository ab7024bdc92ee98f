"""Tests of sources, stores, builds and decisions."""
