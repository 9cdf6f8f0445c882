"""Byte strings put together from a grammar's own words, so that most of them are nearly right."""

from collections.abc import Sequence

from hypothesis import strategies as st


def words(vocabulary: Sequence[bytes], most: int) -> st.SearchStrategy[bytes]:
    """Up to `most` words one after the other. Drawn as bytes, which is the cheapest there is to draw."""
    count = len(vocabulary)
    return st.binary(max_size=most).map(lambda picks: b"".join(vocabulary[pick % count] for pick in picks))
