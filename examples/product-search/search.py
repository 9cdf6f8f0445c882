"""Search the products by what is meant: the vector of a question, and the vectors of descriptions nearest to it."""

import sys

import duckdb
import polars as pl
from deltalake import DeltaTable

import forehearth.functions as aifunc

aifunc.default_conf.embedding_deployment_name = "all-minilm-l6-v2"
aifunc.default_conf.progress_bar_mode = "disable"

question = pl.Series([" ".join(sys.argv[1:])]).ai.embed()[0].to_list()
products = DeltaTable("products").to_pyarrow_table()
nearest = """
    SELECT name, price, round(list_cosine_similarity(embedding, $question::FLOAT[]), 3) AS similarity
    FROM products ORDER BY similarity DESC LIMIT 3
"""
print(duckdb.sql(nearest, params={"question": question}))
