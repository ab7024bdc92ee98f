"""The corpus manifest: where documents come from, what is measured, what is dropped, and what runs it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from corpus.deduplication import Deduplication, Written, annotators_of, normalised
from corpus.extraction.options import AutoExtraction, Extraction
from gristmill.base.manifest import Manifest, Model

MEBIBYTE = 1 << 20


class Transfer(Model):
    """How remote inputs are read (HTTP, S3 and the like): how patiently, and how politely."""

    tries: int = Field(default=12, ge=1)
    """How often in a row a request may fail or break without a byte in between; then the input is named as
    incomplete, and the same command tries it again."""
    timeout_seconds: float = Field(default=60, gt=0)
    """How long an HTTP connection may be silent."""
    first_pause_seconds: float = Field(default=1, ge=0)
    """Pause before the second try, and up to half as much by chance; doubled for every further one ..."""
    longest_pause_seconds: float = Field(default=60, ge=0)
    """... up to this."""
    patience_seconds: float = Field(default=600, ge=0)
    """Longest pause that a server may ask for (`Retry-After`); a longer one ends the tries."""
    requests_per_second: float | None = Field(default=100, gt=0)
    """Most requests a second to a host, of all workers of this machine together; null for no limit."""
    parallel: int = Field(default=4, ge=1)
    """Most byte ranges that a worker fetches at a time."""


class _Defaults(Model):
    """What a source says about all its documents."""

    language: str | None = None
    """Language of all documents (BCP 47), where it is known; identification is an annotator."""
    license: str | None = None
    """Licence of all documents (SPDX expression, or words)."""
    storage_options: dict[str, Any] = {}
    """Options of the file system (fsspec) that opens remote paths. Keep secrets in the environment."""
    transfer: Transfer = Transfer()
    """How remote paths are read. Says nothing about what is read: a store does not depend on it."""


class Archives(_Defaults):
    """Web archives."""

    extract: Extraction = AutoExtraction()
    """How HTML becomes text: an engine, its options, and the limits of a page."""
    media_types: tuple[str, ...] = ("text/html", "application/xhtml+xml", "text/plain")
    """Media types that become documents; all others go to the ledger."""
    statuses: tuple[int, ...] = (200,)
    """HTTP status codes that become documents; all others go to the ledger."""
    max_record_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    """A larger record goes to the ledger without being decoded."""


class WarcSource(Archives):
    """Web archives: WARC 0.18 to 1.1 (responses and the conversions of WET files) and ARC 1; plain, gzip,
    zstd, lz4."""

    type: Literal["warc"]
    paths: tuple[str, ...] = Field(min_length=1)
    """Archives, folders of archives, or patterns (`crawl/*.warc.gz`); local or any fsspec URL
    (`s3://…`)."""


class ArchiveChoice(Model):
    """Some of a crawl's archives."""

    first: int | None = Field(default=None, ge=1)
    """So many from the top of the crawl's list, of each crawl."""
    sample: int | None = Field(default=None, ge=1)
    """So many at random, of each crawl; a larger sample with the same seed contains a smaller one."""
    seed: int = 0
    """Of the sample."""

    @model_validator(mode="after")
    def _one(self) -> ArchiveChoice:
        if (self.first is None) == (self.sample is None):
            raise ValueError("give one of `first` and `sample`")
        return self


class Lookup(Model):
    """Single records, found in a crawl's columnar index. Conditions are joined by AND, the values of one
    by OR."""

    domains: tuple[str, ...] = ()
    """Registered domains (`example.co.uk`), with all their hosts."""
    hosts: tuple[str, ...] = ()
    """Host names (`www.example.org`)."""
    tlds: tuple[str, ...] = ()
    """Top-level domains (`org`)."""
    languages: tuple[str, ...] = ()
    """Main language of the page, as the crawl detected it: ISO 639-3 (`deu`) or two letters (`de`)."""
    mime_types: tuple[str, ...] = ()
    """Media types, as detected from the content (`application/pdf`)."""
    statuses: tuple[int, ...] = ()
    """HTTP status codes."""
    where: str | None = None
    """Any further SQL condition on the index's columns (`url_path LIKE '/blog/%'`)."""
    sample: int | None = Field(default=None, ge=1)
    """So many of the records found, at random; a larger sample with the same seed contains a smaller
    one."""
    seed: int = 0
    """Of the sample."""


CrawlName = Annotated[str, Field(pattern=r"^CC-MAIN-\d{4}(-\d{2})?(-\d{4})?$")]


class CommonCrawlSource(Archives):
    """Crawls of Common Crawl by name: whole archives, or single records by a look-up in the columnar
    index."""

    type: Literal["common_crawl"]
    crawls: tuple[CrawlName, ...] = Field(min_length=1)
    """Names of crawls (`CC-MAIN-2024-33`)."""
    kind: Literal["warc", "wet"] = "warc"
    """Pages as they were served, or the plain text that Common Crawl made of them."""
    archives: ArchiveChoice | None = None
    """Which archives of a crawl; all by default."""
    lookup: Lookup | None = None
    """Fetch only the records that the index names for these conditions."""
    base_url: str = "https://data.commoncrawl.org/"
    """Where crawls lie: a URL, `s3://commoncrawl/` (needs AWS credentials), or a folder of the same
    layout."""
    records_per_part: int = Field(default=10_000, ge=1)
    """With `lookup`: records a part."""
    gap_bytes: int = Field(default=256 << 10, ge=0)
    """With `lookup`: records of one archive with at most so many bytes between them come in one request."""

    @field_validator("crawls")
    @classmethod
    def _no_crawl_twice(cls, crawls: tuple[str, ...]) -> tuple[str, ...]:
        for name in crawls:
            if crawls.count(name) > 1:
                raise ValueError(f"crawl '{name}' is listed twice")
        return crawls

    @model_validator(mode="after")
    def _ways(self) -> CommonCrawlSource:
        if self.lookup is not None and self.kind == "wet":
            raise ValueError("the index knows WARC records only: `lookup` needs `kind: warc`")
        if self.lookup is not None and self.archives is not None:
            raise ValueError("give one of `archives` and `lookup`")
        return self


class FileRoot(Model):
    """One tree of files."""

    path: str
    """A folder or a file; local or any fsspec URL."""
    name: str | None = None
    """What the tree is called in ids and in the column `repo`; the folder's own name by default."""
    commit: str | None = None
    """The revision of the tree, if it is a checkout."""
    language: str | None = None
    """Language of the tree's documents; the source's by default."""
    license: str | None = None
    """Licence of the tree's documents; the source's by default."""


class FilesSource(_Defaults):
    """Files, one document each: source code, plain text."""

    type: Literal["files"]
    roots: tuple[str | FileRoot, ...] = Field(min_length=1)
    """Trees of files: paths, or objects that say more."""
    include: tuple[str, ...] = ("**/*",)
    """Patterns relative to the root; `**/` stands for any folders, also none."""
    exclude: tuple[str, ...] = ()
    """Patterns of files to leave out."""
    max_file_bytes: int = Field(default=MEBIBYTE, ge=1)
    """A larger file goes to the ledger without being read."""
    files_per_part: int = Field(default=10_000, ge=1)
    """A part ends when it has so many files ..."""
    bytes_per_part: int = Field(default=64 * MEBIBYTE, ge=1)
    """... or when the next file would take it over so many bytes."""


class GitRoot(Model):
    """One git repository."""

    path: str
    """A repository on this machine, bare or with a work tree, or a URL that git can fetch from."""
    name: str | None = Field(default=None, pattern=r"^[^@\s]+$")
    """What it is called in ids and in the column `repo`: by default `owner/name` of a URL, the folder's name
    of a local one."""
    commit: str = Field(default="HEAD", pattern=r"^[A-Za-z0-9][^\s:^~?*\[\\]*$")
    """Commit, tag or branch. What is no full hash is looked up once, kept in the store's log folder, and read
    again by every later build."""
    language: str | None = None
    """Language of the repository's documents; the source's by default."""
    license: str | None = None
    """Licence of the repository's documents; the source's by default."""


class ListFields(Model):
    """Which fields of a list of files are what."""

    repo: str = "repo"
    """The repository (`owner/name`)."""
    commit: str = "commit_id"
    """The commit."""
    path: str = "rel_path"
    """The path of a file."""
    language: str | None = "language"
    """The language of the file, where the list states it; null if it does not."""


class Notebooks(Model):
    """How Jupyter notebooks become text: text cells, code cells in fences, outputs in fences."""

    max_file_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    """A larger notebook goes to the ledger without being read; the images in it make notebooks large."""
    output_characters: int | None = Field(default=2000, ge=0)
    """Most characters of a cell's output; what is longer is cut. 0 for no outputs, null for no limit."""


class RepositoriesSource(_Defaults):
    """Source files of git repositories, of archives of repositories, and of lists that name files."""

    type: Literal["repositories"]
    roots: tuple[str | GitRoot, ...] = ()
    """Git repositories: paths or URLs, or objects that say more."""
    paths: tuple[str, ...] = ()
    """Archives (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst) of one repository each, and lists of files
    (.parquet, .jsonl, .csv), told apart by their endings: files, folders or patterns; local or any fsspec
    URL."""
    fields: ListFields = ListFields()
    """Which fields of the lists are what."""
    base_url: tuple[str, ...] = ("https://raw.githubusercontent.com/{repo}/{commit_id}/{rel_path}",)
    """Where the files of the lists are, tried in this order: URLs or paths of files (with `{rel_path}`), or
    of git repositories (`/mirrors/{repo}.git`, `https://github.com/{repo}`), of which one commit is fetched
    for all its files. A local repository that is not there is passed over."""
    include: tuple[str, ...] = ("**/*",)
    """Patterns relative to the repository; `**/` stands for any folders, also none."""
    exclude: tuple[str, ...] = ()
    """Patterns of files to leave out."""
    max_file_bytes: int = Field(default=MEBIBYTE, ge=1)
    """A larger file goes to the ledger without being read."""
    notebooks: Notebooks | None = Notebooks()
    """How `.ipynb` files are read; null reads them like any other file."""
    documents: Literal["files", "repository"] = "files"
    """A document a file, or the files of a repository one after the other, each after those that it
    imports."""
    header: Literal["comment", "file_sep"] = "comment"
    """With `documents: repository`: the line before each file. `comment` is its path in a comment of its
    language, as DeepSeek-Coder has it (arXiv 2401.14196, 2.2); `file_sep` is `<file_sep>path`, as StarCoder2
    has it (arXiv 2402.19173, 5.1)."""
    max_characters: int = Field(default=200_000, ge=1)
    """With `documents: repository`: a document ends before the file that would take it over so many
    characters; a longer file is a document by itself."""
    max_repository_bytes: int = Field(default=256 * MEBIBYTE, ge=1)
    """With `documents: repository`: what is ordered together, in memory; further files go to the ledger."""
    files_per_part: int = Field(default=10_000, ge=1)
    """A part ends when it has so many files ..."""
    bytes_per_part: int = Field(default=64 * MEBIBYTE, ge=1)
    """... or when the next file would take it over so many bytes. Archives and remote repositories are a part
    each."""

    @field_validator("base_url", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _templates(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            names = re.findall(r"\{([^{}]*)\}", template)
            if "repo" not in names or not {*names} <= {"repo", "commit_id", "rel_path"}:
                raise ValueError(
                    f"'{template}' needs {{repo}}, and knows {{commit_id}} and {{rel_path}} besides"
                )
        return templates

    @model_validator(mode="after")
    def _something(self) -> RepositoriesSource:
        if not self.roots and not self.paths:
            raise ValueError("give `roots` (git repositories) or `paths` (archives, lists of files)")
        return self


class Rows(_Defaults):
    """Tables: which fields are what. A field inside another one is named by its path (`content.text`)."""

    text: str = "text"
    """Field of the text."""
    id: str | None = None
    """Field that identifies a document; by default its file (or shard) and line (or row) do."""
    url: str | None = "url"
    """Field of the URL, where documents have one."""
    keep: tuple[str, ...] | None = None
    """Further fields that go into the column `metadata`: all by default, `[]` for none. What is not kept
    is not read where the format allows it. Fields called as the store's own columns (`language`,
    `license`, `fetched_at`, …) always become those."""

    @field_validator("keep")
    @classmethod
    def _keep_once(cls, keep: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in keep or ():
            if keep is not None and keep.count(name) > 1:
                raise ValueError(f"field '{name}' is listed twice")
        return keep


class JsonlSource(Rows):
    """JSON lines, plain or compressed (gzip, zstd, lz4, bzip2, xz), one document a line."""

    type: Literal["jsonl"]
    paths: tuple[str, ...] = Field(min_length=1)
    """Files, folders or patterns; local or any fsspec URL."""
    max_record_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    """A longer line goes to the ledger without being decoded."""
    bytes_per_part: int = Field(default=256 * MEBIBYTE, ge=1)
    """An uncompressed local file is cut into parts of about so many bytes."""


class ParquetSource(Rows):
    """Parquet files, one document a row."""

    type: Literal["parquet"]
    paths: tuple[str, ...] = Field(min_length=1)
    """Files, folders or patterns; local or any fsspec URL."""
    bytes_per_part: int = Field(default=256 * MEBIBYTE, ge=1)
    """A file is cut between row groups into parts of about so many uncompressed bytes."""


class DatasetSource(Rows):
    """A data set of the Hugging Face Hub, or a local folder that the library `datasets` understands."""

    type: Literal["dataset"]
    path: str
    """Name on the Hub (`org/name`), a local folder, or a format name (`json`, `parquet`, …) with
    `data_files`."""
    config: str | None = None
    """Configuration (subset)."""
    split: str = "train"
    """Split."""
    revision: str | None = None
    """Commit, tag or branch of the Hub repository. One build reads one commit, whatever it is called;
    only a commit makes sure that the next build sees the same data."""
    data_files: tuple[str, ...] = ()
    """Files to load, where the data set needs to be told."""
    streaming: bool = True
    """Read shard by shard without a local copy; false prepares the data set in the cache first."""
    rows_per_part: int = Field(default=100_000, ge=1)
    """Without streaming: rows a part."""


class Mask(Model):
    """Masking: what annotators found in the texts is replaced by tokens."""

    columns: tuple[str, ...] = Field(default=("pii.spans",), min_length=1)
    """Columns of the store that say where: `pii.spans`, `secrets.spans`."""
    tokens: dict[str, str | None] = {}
    """What stands for each kind (`email`, `ip`, `phone`, `card`, `iban`, `national_id`, `password`,
    `key`, or a single one such as `us_ssn`), where it is not to be `<EMAIL>` and so on; null leaves the
    kind as it is."""


class StoreSource(Model):
    """Documents of another document store: they keep their ids, and say where they come from."""

    type: Literal["store"]
    path: str
    """Folder of the store."""
    policy: str | None = None
    """Only the documents that this policy of the store keeps."""
    where: str | None = None
    """Only the documents that make this SQL condition over the store's columns true."""
    mask: Mask | None = None
    """Replace what annotators found; without it texts stay as they are."""
    cut: tuple[str, ...] = ()
    """Columns of pieces that are cut out of the texts: `substring.spans`, `repeated.spans`. A document of
    which nothing but white space is left goes to the ledger."""


Source = Annotated[
    WarcSource
    | CommonCrawlSource
    | FilesSource
    | RepositoriesSource
    | JsonlSource
    | ParquetSource
    | DatasetSource
    | StoreSource,
    Field(discriminator="type"),
]


class AnnotatorChoice(Model):
    """An annotator with its options."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    name: str
    """Name of the annotator, for instance `gopher`."""
    label: str | None = Field(default=None, alias="as", pattern=r"^[a-z][a-z0-9_]*$")
    """Another name for its folder and columns, so that it can run several times with different options:
    `{name: language, as: glot, …}` writes `glot.top`, `{name: quality, as: edu, …}` writes
    `quality.edu`."""
    options: dict[str, Any] = {}
    """Its options."""


class Ensemble(Model):
    """Scores of several classifiers as one bucket (0 to 19) and a tier, after Nemotron-CC."""

    classifiers: tuple[str, ...] = Field(min_length=1)
    """Names of classifiers (`dclm` for the column `quality.dclm`), or columns."""
    sample: float = Field(default=1, gt=0, le=1)
    """Share of the documents whose scores make the thresholds."""
    seed: int = Field(default=0, ge=0)
    """Chooses another sample."""
    where: str | None = None
    """SQL condition: only documents that make it true count for the thresholds."""
    thresholds: str | None = None
    """Take thresholds from here instead: a JSON file, or the store of an older crawl."""
    tiers: dict[str, int] = {"high": 19, "medium-high": 18, "medium": 12, "medium-low": 7, "low": 0}
    """Least bucket of each tier."""

    @field_validator("tiers")
    @classmethod
    def _buckets(cls, tiers: dict[str, int]) -> dict[str, int]:
        if len(set(tiers.values())) < len(tiers) or not all(0 <= bucket <= 19 for bucket in tiers.values()):
            raise ValueError("each tier has a least bucket of its own, from 0 to 19")
        return tiers


class Policy(Model):
    """A named set of decisions."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the decisions in the store: `decisions/<name>/`."""
    rules: str | tuple[dict[str, Any], ...]
    """Shipped rule set, path of a rule file, or rules written in place."""


class LocalExecutor(Model):
    """Worker processes on this machine."""

    type: Literal["local"]
    workers: int | None = Field(default=None, ge=1)
    """How many at a time; one a core by default. The store is the same whatever their number."""


class SlurmExecutor(Model):
    """A Slurm job array over the parts, then a dependent job that finishes the store."""

    type: Literal["slurm"]
    partition: str
    """Partition."""
    time: str
    """Time limit of a task, as Slurm writes it (`20:00:00`)."""
    workers: int = -1
    """Most tasks at a time; -1 for no limit."""
    cpus_per_task: int = Field(default=1, ge=1)
    """Cores a task: more than one only buys memory."""
    mem_per_cpu_gb: int = Field(default=4, ge=1)
    """Memory a core, GB."""
    qos: str | None = None
    """Quality of service."""
    job_name: str | None = None
    """Name of the job; the manifest's by default."""
    tasks_per_job: int = Field(default=1, ge=1)
    """Parts a job of the array."""
    max_array_size: int = Field(default=1001, ge=1)
    """Longest job array that the cluster takes."""
    env_command: str | None = None
    """Shell command that prepares the environment."""
    condaenv: str | None = None
    """Conda environment to activate."""
    venv_path: str | None = None
    """Script of a virtual environment to source (`…/bin/activate`)."""
    sbatch_args: dict[str, str | int] = {}
    """Further options of sbatch, without the dashes."""
    srun_args: dict[str, str | int] = {}
    """Options of srun, without the dashes."""
    requeue: bool = True
    """Whether Slurm may start a task again."""
    mail_user: str | None = None
    """Whom Slurm writes to."""
    mail_type: str = "ALL"
    """When Slurm writes."""


class RayExecutor(Model):
    """Ray tasks on the cluster of `RAY_ADDRESS`, or on a Ray that is started on this machine."""

    type: Literal["ray"]
    address: str | None = None
    """Address of the cluster; Ray's own rules when left out."""
    workers: int = -1
    """Most tasks at a time; -1 for no limit."""
    cpus_per_task: int = Field(default=1, ge=1)
    """Cores a task."""
    mem_per_cpu_gb: float = Field(default=2, gt=0)
    """Memory a core, GB."""
    tasks_per_job: int = Field(default=1, ge=1)
    """Parts a Ray task."""
    time: int | None = None
    """Time limit of a task, seconds."""


Executor = Annotated[LocalExecutor | SlurmExecutor | RayExecutor, Field(discriminator="type")]


class CorpusManifest(Manifest):
    """What `gristmill corpus` makes: a document store with annotations and decisions."""

    kind: Literal["corpus"]
    output: str
    """Folder of the document store."""
    source: Source
    """Where documents come from."""
    annotators: tuple[str | AnnotatorChoice, ...] = ()
    """What is measured, once: names, or objects with options."""
    early_drop: str | tuple[dict[str, Any], ...] | None = None
    """Rules by which a document is not even stored: only its id and the reason are kept, in the ledger."""
    dedup: Written | None = None
    """Annotate what is there twice, documents or pieces of them: a method (`exact`), a list of methods, or
    an object that says more. A rule such as `drop: NOT exact.keep` then drops."""
    ensemble: Ensemble | None = None
    """Buckets and tiers (`quality.bucket`, `quality.tier`) from the scores of classifiers."""
    policy: Policy | None = None
    """Which documents are kept. Without one, nothing is decided."""
    executor: Executor = LocalExecutor(type="local")
    """What runs the build."""

    @field_validator("annotators")
    @classmethod
    def _once(cls, chosen: tuple[str | AnnotatorChoice, ...]) -> tuple[str | AnnotatorChoice, ...]:
        names = [(item, None) if isinstance(item, str) else (item.name, item.label) for item in chosen]
        for name, label in names:
            if names.count((name, label)) > 1:
                shown = f"'{name}'" if label is None else f"'{name}' as '{label}'"
                raise ValueError(f"annotator {shown} is listed twice; `as:` gives it another name")
        return chosen

    @property
    def deduplication(self) -> Deduplication | None:
        """The field `dedup`, in full."""
        return normalised(self.dedup)

    @property
    def choices(self) -> tuple[AnnotatorChoice, ...]:
        """The annotators with their options, and those that deduplication needs."""
        chosen = [AnnotatorChoice(name=a) if isinstance(a, str) else a for a in self.annotators]
        known = {(choice.name, choice.label) for choice in chosen}
        dedup = self.deduplication
        for name, label, options in annotators_of(dedup) if dedup is not None else ():
            if (name, label) not in known:
                known.add((name, label))
                chosen.append(
                    AnnotatorChoice.model_validate({"name": name, "label": label, "options": options})
                )
        return tuple(chosen)
