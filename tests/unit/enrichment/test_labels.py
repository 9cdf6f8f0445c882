"""Labels of `extract`: the schemas that they are asked by, and the cells of what is found."""

import pytest

from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.enrichment.labels import ExtractLabel, asked_of, labels_of

STRING = {"type": "string"}

ASKED = [
    (ExtractLabel("name"), {"type": "array", "items": STRING}),
    (ExtractLabel("name", "in full", 2), {"type": "array", "items": STRING, "maxItems": 2, "description": "in full"}),
    (ExtractLabel("age", max_items=1, type="integer"), {"type": ["integer", "null"]}),
    (
        ExtractLabel("size", max_items=1, properties={"enum": ["s", "m"]}),
        {"type": ["string", "null"], "enum": ["s", "m", None]},
    ),
    (
        ExtractLabel("skills", type="array", properties={"items": STRING}),
        {"type": ["array", "null"], "items": STRING},
    ),
    (
        ExtractLabel(
            "player", type="object", properties={"name": STRING, "goals": {"type": "integer"}}, required=["name"],
            additionalProperties=False, max_items=1,
        ),
        {
            "type": ["object", "null"],
            "properties": {"name": STRING, "goals": {"type": ["integer", "null"]}},
            "required": ["name", "goals"],
        },
    ),
    (
        ExtractLabel("place", type="object", properties={"properties": {"city": STRING}, "required": ["city"]}),
        {"type": "array", "items": {"type": "object", "properties": {"city": STRING}, "required": ["city"]}},
    ),
    (ExtractLabel("note", type=["string", "null"], max_items=1), {"type": ["string", "null"]}),
]  # fmt: skip


@pytest.mark.parametrize(("label", "asked"), ASKED, ids=lambda each: getattr(each, "label", ""))
def test_what_is_asked_can_be_checked(label, asked):
    assert label.asked() == asked
    assert AnswerSchema(asked_of([label])).columns.keys() == {label.label}


def test_where_reasons_are_wanted_they_are_asked_for():
    label = ExtractLabel("city", max_items=1, raw_col="city_raw")
    members = {"reason": STRING, "extraction_text": STRING}
    item = {"type": "object", "properties": members, "required": ["reason", "extraction_text"]}
    assert label.asked() == {"type": "array", "items": item, "maxItems": 1}
    assert label.found([{"reason": "r", "extraction_text": "Paris"}]) == "Paris"
    assert label.found([]) is None
    assert ExtractLabel("city", raw_col="raw").found([{"reason": "r", "extraction_text": "Paris"}]) == ["Paris"]


def test_nothing_found_is_null():
    assert (ExtractLabel("a").found([]), ExtractLabel("a").found(["b"])) == (None, ["b"])
    assert ExtractLabel("a", max_items=1).found(None) is None


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ([], "at least one label"),
        (["a", ExtractLabel("a")], "'a' is there twice"),
        (["a", ExtractLabel("b", raw_col="a")], "'a' is there twice"),
    ],
)
def test_labels_have_names_of_their_own(labels, complaint):
    with pytest.raises(ValueError, match=complaint):
        labels_of(labels)


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"label": ""}, "not empty"),
        ({"label": "a", "max_items": 0}, "at least 1, and not 0"),
        ({"label": "a", "type": "object", "additionalProperties": True}, "members that are not named"),
    ],
)
def test_a_label_that_cannot_be_is_refused(members, complaint):
    with pytest.raises(ValueError, match=complaint):
        ExtractLabel(**members)


def test_a_label_shows_what_it_is():
    assert repr(ExtractLabel("age", max_items=1, type="integer")) == (
        "ExtractLabel(label='age', max_items=1, type='integer')"
    )
