"""A table of reviews, as a shop would have it. Its change feed is on, so that each night sees what changed."""

import pyarrow as pa
from deltalake import write_deltalake

reviews = pa.table(
    {
        "review": [1, 2, 3],
        "product": ["lamp", "lamp", "chair"],
        "text": [
            "Warm light and easy to put together.",
            "It flickered from the first day on.",
            "Looks good, but one leg is shorter than the others.",
        ],
    }
)
write_deltalake("reviews", reviews, configuration={"delta.enableChangeDataFeed": "true"})
