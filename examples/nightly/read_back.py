"""What is known of the reviews now."""

import polars as pl

print(pl.read_delta("judged").sort("review").select("review", "product", "tone", "about", "_source_version"))
