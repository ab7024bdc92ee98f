"""The source that a manifest asks for."""

from __future__ import annotations

from corpus.manifest import CorpusManifest, DatasetSource, FilesSource, JsonlSource, ParquetSource, WarcSource
from corpus.sources.base import Source
from corpus.sources.dataset import Dataset
from corpus.sources.files import Files
from corpus.sources.jsonl import Jsonl
from corpus.sources.parquet import Parquet
from corpus.sources.warc import Warc


def build_source(manifest: CorpusManifest) -> Source:
    """The manifest's source; its documents carry the manifest's name in the column `source`."""
    options, name = manifest.source, manifest.name
    match options:
        case WarcSource():
            return Warc(options, name)
        case FilesSource():
            return Files(options, name)
        case JsonlSource():
            return Jsonl(options, name)
        case ParquetSource():
            return Parquet(options, name)
        case DatasetSource():
            return Dataset(options, name)
