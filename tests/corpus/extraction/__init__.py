"""Tests of extraction: charsets, engines, the child process they run in."""
