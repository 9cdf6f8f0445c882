"""Read what landed: with DuckDB, and with Polars."""

import duckdb
import polars as pl
from deltalake import DeltaTable

triaged = DeltaTable("triaged").to_pyarrow_table()
print(duckdb.sql("SELECT team, count(*) AS tickets, max(urgency) AS urgency FROM triaged GROUP BY team ORDER BY team"))

frame = pl.read_delta("triaged")
print(frame.sort("urgency", "id", descending=[True, False]).select("id", "team", "urgency", "about").head(5))
