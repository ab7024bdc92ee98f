"""Clusters of documents with a kept copy each: equal sets put beside their representatives, sizes, places."""

from __future__ import annotations

import pyarrow as pa
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.near.candidates import Keys
from filters.dedup.near.scratch import Files
from filters.dedup.numbering import database, documents_file
from filters.dedup.tables import write_relation

MEMBERS = pa.schema(
    [
        ("part", pa.int32()),
        ("row", pa.int32()),
        ("number", pa.int64()),
        ("id", pa.string()),
        ("kept", pa.int64()),
        ("cluster", pa.string()),
        ("size", pa.int64()),
        ("similarity", pa.float64()),
    ]
)
"""A document in a cluster of two or more: where it is, its number and id, the kept copy's number and id, how
many there are, and the similarity with the kept copy. Ordered by part and row."""


class ClusterStep(PipelineStep):
    """Writes the members of all clusters; one task."""

    type = "🫂 - NEAR"
    name = "clusters"

    def __init__(self, files: Files, keys: Keys) -> None:
        super().__init__()
        self.files, self.keys = files, keys

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        job = self.files.job
        if self.files.members.is_file():
            return
        with self.track_time(), database(job, "clustering") as connection:
            leaders = [str(self.files.leaders(each)) for each in range(job.tasks)]
            equal = [str(self.files.equal(each)) for each in range(self.keys.ranges(job))]
            connection.read_parquet(leaders).create_view("followers")
            connection.read_parquet(equal).create_view("equal")
            connection.execute(
                "CREATE TABLE clustered AS SELECT number, leader, similarity FROM followers"
                " UNION ALL SELECT e.number, coalesce(f.leader, e.leader), coalesce(f.similarity, 1)"
                " FROM equal AS e LEFT JOIN followers AS f ON f.number = e.leader"
                " UNION ALL SELECT leader, leader, 1 FROM (SELECT DISTINCT leader FROM equal) AS e"
                " WHERE leader NOT IN (SELECT number FROM followers)"
            )
            connection.execute(
                "CREATE TABLE sizes AS SELECT leader, count(*) AS size FROM clustered"
                " GROUP BY leader HAVING count(*) > 1"
            )
            # The document with number n stands in row n.
            documents = connection.read_parquet(str(documents_file(job)), file_row_number=True)
            documents.create_view("documents")
            connection.execute(
                "CREATE TABLE members AS"
                " SELECT part, row, number, id, leader AS kept, size, similarity"
                " FROM clustered JOIN sizes USING (leader) JOIN documents ON number = file_row_number"
            )
            found = connection.sql(
                f"SELECT {', '.join(MEMBERS.names)} FROM members JOIN"
                " (SELECT number AS kept, id AS cluster FROM members WHERE number = kept) USING (kept)"
                " ORDER BY part, row"
            )
            write_relation(found, MEMBERS, self.files.members)
