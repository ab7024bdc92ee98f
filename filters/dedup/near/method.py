"""Near duplicates as a method of deduplication: see the modules beside this one, in the order of `stages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.dedup.base import CLUSTERS, Job, Stage
from filters.dedup.near.candidates import CandidateStep, Keys
from filters.dedup.near.clusters import ClusterStep
from filters.dedup.near.components import ComponentStep
from filters.dedup.near.leaders import LeaderStep
from filters.dedup.near.pairs import PairStep
from filters.dedup.near.rest import RestStep
from filters.dedup.near.scratch import Files
from filters.dedup.near.shingle_sets import AddressStep, ShingleStep
from filters.dedup.near.wanted import WantedStep
from filters.dedup.numbering import database, read_numbers
from filters.dedup.shingles import Recipe
from filters.dedup.tables import by_part, write_relation
from gristmill.base.atomic import atomic_path
from gristmill.base.progress import Progress

NAME, VERSION = "near", "1"


class Near:
    """Documents that share a band of their MinHash signatures and have a true Jaccard similarity of at least
    the threshold with a kept copy.

    Columns: `.cluster`, the id of the kept copy; `.size`, how many documents it stands for; `.keep`, whether
    this is the kept copy; `.similarity`, the true Jaccard similarity with the kept copy, 1.0 for itself.

    Candidates are pairs of documents with an equal band. Those whose shingle sets are similar connect
    documents to components (one array of 8 bytes a candidate, in one task). Inside a component each document,
    in the order of numbers, follows the first leader that it is similar to, or leads.

    Args:
        recipe: of the shingles, and how many bands there are: that of the annotator.
        threshold: least Jaccard similarity of a document and its kept copy, above 0; 0.8 is what NeMo
            Curator's fuzzy deduplication verifies (`jaccard_threshold`).
        label: of the annotator `minhash`.
        name: prefix of the columns.
    """

    version = VERSION

    def __init__(
        self, recipe: Recipe, threshold: float = 0.8, label: str = "minhash", name: str = NAME
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError("the threshold is above 0 and at most 1")
        self.recipe, self.threshold, self.name = recipe, threshold, name
        self.keys = Keys(label, recipe.bands)

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        kinds = {"cluster": pa.string(), "size": pa.int64(), "keep": pa.bool_(), "similarity": pa.float64()}
        return {f"{self.name}.{column}": kind for column, kind in kinds.items()}

    @property
    def needs(self) -> Sequence[str]:
        return (*(self.keys.band(band) for band in range(self.keys.bands)), self.keys.digest)

    def meaning(self) -> Any:
        return {"recipe": asdict(self.recipe), "threshold": self.threshold, "label": self.keys.label}

    def stages(self, job: Job) -> list[Stage]:
        """From bands to clusters."""
        files, keys, threshold = Files(job, self.name), self.keys, self.threshold
        bands = keys.bands * keys.ranges(job)
        parts = max(1, min(len(job.parts), job.tasks))
        stages = [
            Stage("candidates", CandidateStep(files, keys), keys.tasks(job)),
            Stage("candidates noted", WantedStep(files, keys), 1),
            Stage("shingles", ShingleStep(files, self.recipe), parts),
            Stage("addresses", AddressStep(files), 1),
            Stage("pairs", PairStep(files, keys, threshold), job.tasks),
            Stage("components of pairs", ComponentStep(files, "pairs", job.tasks), 1),
            Stage("rest of buckets", RestStep(files, threshold), bands),
            Stage("components", ComponentStep(files, "rest", bands, before="pairs"), 1),
            Stage("leaders", LeaderStep(files, threshold), job.tasks),
            Stage("clusters", ClusterStep(files, keys), 1),
        ]
        return [Stage(f"{self.name}: {stage.name}", stage.step, stage.tasks) for stage in stages]

    def conclude(self, job: Job, target: Path, ledger: Path, progress: Progress) -> dict[str, Any]:
        """Write the annotation of every part that is not known, and the ledger (CLUSTERS): the clusters that
        have a member there, with all their members.

        Returns `clusters`, how many those are, and `duplicates`, how many annotated documents are not the
        copy to keep.
        """
        task = progress.task(f"{self.name}: write", total=len(job.parts), unit="parts")
        duplicates = 0
        wanted = [index for index, part in enumerate(job.parts) if not part.known]
        with database(job, f"writing {self.name}") as connection:
            connection.register("indexes", pa.table({"part": pa.array(wanted, pa.int32())}))
            connection.execute("CREATE TABLE wanted AS SELECT part FROM indexes")
            connection.read_parquet(str(Files(job, self.name).members)).create_view("members")
            found = by_part(
                connection.sql("SELECT * FROM members SEMI JOIN wanted USING (part) ORDER BY part, row")
            )
            at, members = next(found, (-1, None))
            for index in wanted:
                here = members if at == index else None
                duplicates += self._write_part(job, index, here, target)
                if here is not None:
                    at, members = next(found, (-1, None))
                task.advance()
            connection.execute(
                "CREATE TABLE touched AS SELECT DISTINCT kept FROM members SEMI JOIN wanted USING (part)"
            )
            counted = connection.execute("SELECT count(*) FROM touched").fetchall()
            write_relation(
                connection.sql(
                    "SELECT cluster, id, number = kept AS keep, size, similarity"
                    " FROM members SEMI JOIN touched USING (kept) ORDER BY kept, number"
                ),
                CLUSTERS,
                ledger,
            )
        task.close()
        return {"clusters": counted[0][0], "duplicates": duplicates}

    def _write_part(self, job: Job, index: int, members: pa.Table | None, target: Path) -> int:
        """Annotate a part; returns how many of its documents are not the copy to keep."""
        part = job.parts[index]
        ids = pq.read_table(part.files[0], columns=["id"], partitioning=None).column("id")
        ids = ids.combine_chunks().cast(pa.string())
        left_out = read_numbers(job, index)[0] < 0
        clusters = ids.to_numpy(zero_copy_only=False).copy()
        sizes, keep, similar = np.ones(len(ids), np.int64), np.ones(len(ids), np.bool_), np.ones(len(ids))
        if members is not None:
            rows = members.column("row").to_numpy()
            clusters[rows] = members.column("cluster").to_numpy()
            sizes[rows] = members.column("size").to_numpy()
            keep[rows] = members.column("number").to_numpy() == members.column("kept").to_numpy()
            similar[rows] = members.column("similarity").to_numpy()
        arrays = [
            ids,
            pa.array(clusters, pa.string(), mask=left_out),
            pa.array(sizes, mask=left_out),
            pa.array(keep, mask=left_out),
            pa.array(similar, mask=left_out),
        ]
        with atomic_path(target / f"{part.name}.parquet") as path:
            pq.write_table(pa.table(arrays, ["id", *self.columns]), path, compression="zstd")
        return int(np.count_nonzero(~keep))
