"""A merge of one table by dlt; run by `opponents` in their environment, as a program: SOURCE TARGET BACKEND HOME."""

import sys

import dlt  # type: ignore[import-not-found,unused-ignore] # it is in the opponents' environment only
from dlt.sources.sql_database import sql_table  # type: ignore[import-not-found,unused-ignore]

source, target, backend, home = sys.argv[1:]
table = sql_table(
    credentials=source, table="contact", backend=backend, primary_key="id", write_disposition="merge", chunk_size=50_000
)
pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=home,
    destination=dlt.destinations.postgres(target, create_indexes=True),
    dataset_name=f"by_{backend}",
)
print(pipeline.run(table))
