"""The next day: a new review comes in, somebody changes theirs, and somebody takes theirs back."""

import pyarrow as pa
from deltalake import DeltaTable

reviews = DeltaTable("reviews")
come = pa.table(
    {
        "review": [2, 4],
        "product": ["lamp", "chair"],
        "text": ["It flickered, they sent a new one, and that one is fine.", "The best chair that I ever had."],
    }
)
merging = reviews.merge(come, "old.review = new.review", source_alias="new", target_alias="old")
merging.when_matched_update_all().when_not_matched_insert_all().execute()
reviews.delete("review = 3")
