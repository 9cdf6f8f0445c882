"""Values as the model is shown them: each type of column as text."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from forehearth.enrichment import columns
from tests.unit.enrichment.hosts import spec


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array(["x"], pa.large_string()), "x"),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([2**63], pa.uint64()), "9223372036854775808"),
        (pa.array([Decimal("0.10")]), "0.10"),
        (pa.array([True]), "true"),
        (pa.array([timedelta(seconds=1)], pa.duration("s")), "1"),
        (pa.array([{"a": ["ü", None]}]), '{"a": ["ü", null]}'),
        (pa.array([b"\xff"]), "\"b'\\\\xff'\""),
        (pa.array([b"\xff"], pa.large_binary()), "\"b'\\\\xff'\""),
        (pa.array([b"\xff"], pa.binary(1)), "\"b'\\\\xff'\""),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "[1, 2, 3]"),
        (pa.array([None], pa.int64()), None),
    ],
    ids=lambda each: str(each.type) if isinstance(each, pa.Array) else "",
)
def test_a_value_of_any_type_has_a_text(column: Any, text: str | None) -> None:
    batch = pa.RecordBatch.from_arrays([column], names=["text"])
    assert columns.prompts(spec(), batch) == [text]
