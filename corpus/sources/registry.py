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
    RepositoriesSource,
    StoreSource,
    WarcSource,
)
from corpus.sources.base import Source
from corpus.sources.common_crawl import CommonCrawl
from corpus.sources.dataset import Dataset
from corpus.sources.files import Files
from corpus.sources.jsonl import Jsonl
from corpus.sources.parquet import Parquet
from corpus.sources.repositories.source import Repositories
from corpus.sources.stored import Stored
from corpus.sources.warc import Warc

CRAWL = "crawl"
"""Folder among the logs: lists of archives and look-ups, asked for once."""

REPOSITORIES = "repositories"
"""Folder among the logs: commits that names stood for, commits that were fetched, lists in order."""


def build_source(manifest: CorpusManifest) -> Source:
    """The manifest's source; its documents carry the manifest's name in the column `source`."""
    options, name = manifest.source, manifest.name
    source: Source
    match options:
        case WarcSource():
            source = Warc(options, name)
        case CommonCrawlSource():
            source = CommonCrawl(options, name, Path(manifest.output) / LOGS / CRAWL)
        case FilesSource():
            source = Files(options, name)
        case RepositoriesSource():
            source = Repositories(options, name, Path(manifest.output) / LOGS / REPOSITORIES)
        case JsonlSource():
            source = Jsonl(options, name)
        case ParquetSource():
            source = Parquet(options, name)
        case DatasetSource():
            source = Dataset(options, name)
        case StoreSource():
            source = Stored(options, name, manifest.output)
    return source
