"""The source that a manifest asks for."""

from __future__ import annotations

from pathlib import Path

from corpus.executors import LOGS
from corpus.manifest import (
    CommonCrawlSource,
    CorpusManifest,
    DatasetSource,
    FilesSource,
    JsonlSource,
    ParquetSource,
    StoreSource,
    WarcSource,
)
from corpus.sources.base import Source
from corpus.sources.common_crawl import CommonCrawl
from corpus.sources.dataset import Dataset
from corpus.sources.files import Files
from corpus.sources.jsonl import Jsonl
from corpus.sources.parquet import Parquet
from corpus.sources.stored import Stored
from corpus.sources.warc import Warc

CRAWL = "crawl"
"""Folder among the logs: lists of archives and look-ups, asked for once."""


def build_source(manifest: CorpusManifest) -> Source:
    """The manifest's source; its documents carry the manifest's name in the column `source`."""
    options, name = manifest.source, manifest.name
    match options:
        case WarcSource():
            return Warc(options, name)
        case CommonCrawlSource():
            return CommonCrawl(options, name, Path(manifest.output) / LOGS / CRAWL)
        case FilesSource():
            return Files(options, name)
        case JsonlSource():
            return Jsonl(options, name)
        case ParquetSource():
            return Parquet(options, name)
        case DatasetSource():
            return Dataset(options, name)
        case StoreSource():
            return Stored(options, name, manifest.output)
