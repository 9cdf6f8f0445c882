"""What may stand in a version: required members, what stays as it was made, merge patches, and any JSON at all."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.assets.family import DATASETS, INDEXES, LONGEST
from forehearth.core.errors import InvalidField

SEARCH = {"type": "AzureSearch", "connectionName": "c", "indexName": "i"}
COSMOS = {
    "type": "CosmosDBNoSqlVectorStore",
    "connectionName": "c",
    "databaseName": "d",
    "containerName": "x",
    "embeddingConfiguration": {"modelDeploymentName": "vectors", "embeddingField": "v"},
    "fieldMapping": {"contentFields": ["text"], "titleField": "title", "vectorFields": ["v"]},
}
MANAGED = {"type": "ManagedAzureSearch", "vectorStoreId": "vs_1"}
FILE = {"type": "uri_file", "dataUri": "https://example.com/a.jsonl"}
FOLDER = {"type": "uri_folder", "dataUri": "azureml://datastores/a/paths/b/", "connectionName": "storage"}
WHOLE = [(INDEXES, SEARCH), (INDEXES, COSMOS), (INDEXES, MANAGED), (DATASETS, FILE), (DATASETS, FOLDER)]


@pytest.mark.parametrize(("family", "members"), WHOLE)
def test_each_type_is_kept_whole_with_members_that_nobody_knows(family, members):
    more = members | {"description": "What it is.", "tags": {"a": "b"}, "later": {"x": [1, None, {"y": 2.5}]}}
    assert family.patched({}, more) == more


@pytest.mark.parametrize(("family", "members"), WHOLE)
def test_what_is_required_is_named_where_it_is_missing(family, members):
    for name in set(members) - ({"connectionName"} if family is DATASETS else set()):
        for wrong in ({k: v for k, v in members.items() if k != name}, members | {name: None}):
            with pytest.raises(InvalidField) as refused:
                family.patched({}, wrong)
            assert refused.value.param == name


@pytest.mark.parametrize(("family", "members"), WHOLE)
def test_what_is_of_another_type_is_named(family, members):
    for name in members:
        with pytest.raises(InvalidField) as refused:
            family.patched({}, members | {name: 5})
        assert refused.value.param.split(".")[0] == name


@pytest.mark.parametrize(
    ("family", "members", "param"),
    [
        (INDEXES, {"type": "uri_file", "dataUri": "https://example.com"}, "type"),
        (DATASETS, SEARCH, "type"),
        (DATASETS, {"type": "uri_file", "dataUri": "a.jsonl"}, "dataUri"),
        (DATASETS, {"type": "uri_file", "dataUri": "https://a b"}, "dataUri"),
        (DATASETS, FILE | {"connectionName": ""}, "connectionName"),
        (DATASETS, FILE | {"tags": {"a": 1}}, "tags[...]"),
        (DATASETS, FILE | {"description": ["x"]}, "description"),
        (INDEXES, SEARCH | {"fieldMapping": {}}, "fieldMapping.contentFields"),
        (INDEXES, SEARCH | {"fieldMapping": {"contentFields": ["a", 1]}}, "fieldMapping.contentFields[1]"),
        (INDEXES, COSMOS | {"embeddingConfiguration": {}}, "embeddingConfiguration.modelDeploymentName"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(family, members, param):
    with pytest.raises(InvalidField) as refused:
        family.patched({}, members)
    assert refused.value.param == param


def test_description_and_tags_are_changed_tag_by_tag():
    before = DATASETS.patched({}, FILE | {"description": "old", "tags": {"a": "1", "b": "2"}})
    after = DATASETS.patched(before, {"description": "new", "tags": {"a": None, "c": "3"}})
    assert after == FILE | {"description": "new", "tags": {"b": "2", "c": "3"}}
    assert DATASETS.patched(after, {"description": None, "tags": None}) == FILE
    assert before == FILE | {"description": "old", "tags": {"a": "1", "b": "2"}}


@pytest.mark.parametrize(("family", "members"), WHOLE)
def test_everything_else_stays_as_it_was_made(family, members):
    before = family.patched({}, members)
    assert family.patched(before, members) == before
    for name, value in members.items():
        changed = {**value, "more": 1} if isinstance(value, dict) else f"{value}x"
        with pytest.raises(InvalidField) as refused:
            family.patched(before, {name: changed})
        assert refused.value.param == name


def test_members_of_members_stay_too_and_so_do_those_that_were_left_out():
    for before in (SEARCH, COSMOS):
        with pytest.raises(InvalidField, match="'fieldMapping' of a version cannot be changed"):
            INDEXES.patched(before, {"fieldMapping": {"contentFields": ["new"]}})


def test_another_type_is_said_to_be_another_type():
    with pytest.raises(InvalidField, match="'type' of a version cannot be changed: write another version of the index"):
        INDEXES.patched(SEARCH, {"connectionName": "c", "vectorStoreId": "v", "type": "ManagedAzureSearch"})


def test_a_connection_that_was_not_named_stays_so():
    with pytest.raises(InvalidField) as refused:
        DATASETS.patched(FILE, {"connectionName": "other"})
    assert refused.value.param == "connectionName"


def test_what_the_server_says_itself_is_not_taken_from_a_caller():
    own = {"id": "azureai://accounts/other/projects/p/data/a/versions/1", "name": [], "version": 5, "isReference": 0}
    assert DATASETS.patched({}, FILE | own) == FILE


def test_a_version_is_no_larger_than_its_bound():
    room = LONGEST - len(msgspec.json.encode(FILE | {"description": ""}))
    assert DATASETS.patched({}, FILE | {"description": "x" * room})
    with pytest.raises(InvalidField, match=str(LONGEST)):
        DATASETS.patched({}, FILE | {"description": "x" * (room + 1)})
    before = DATASETS.patched({}, FILE | {"tags": {"a": "x" * (LONGEST // 2)}})
    with pytest.raises(InvalidField, match=str(LONGEST)):
        DATASETS.patched(before, {"tags": {"b": "x" * (LONGEST // 2)}})


def test_numbers_of_any_size_are_kept():
    large = FILE | {"later": [2**64, -(10**400), 0.1]}
    assert json.loads(msgspec.json.encode(DATASETS.patched({}, large))) == large


def test_objects_are_nested_to_a_bound():
    def nested(depth):
        return {"x": nested(depth - 1)} if depth else {}

    assert DATASETS.patched({}, FILE | {"later": nested(30)})["later"] == nested(30)
    with pytest.raises(InvalidField, match="more than 32 deep"):
        DATASETS.patched({}, FILE | {"later": nested(31)})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
NAMES = sorted({name for _, members in WHOLE for name in members} | {"description", "tags", "id", "isReference"})
PATCHES = st.one_of(
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), JSON, max_size=5),
    st.builds(
        lambda known, more: known | more,
        st.sampled_from([members for _, members in WHOLE]),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), JSON, max_size=3),
    ),
)


@given(st.sampled_from([INDEXES, DATASETS]), PATCHES, PATCHES)
def test_any_patch_is_taken_or_refused_and_what_is_taken_can_be_kept(family, first, second):
    try:
        members = family.patched({}, first)
        kept = msgspec.json.encode(members)
        again = family.patched(msgspec.json.decode(kept), second)
    except InvalidField:
        return
    assert not set(again) & family.given
    assert again["type"] in family.types
    own = next(each for _, each in WHOLE if each["type"] == again["type"])
    assert all(again.get(name) == members.get(name) for name in own)
    assert json.loads(msgspec.json.encode(again)) == again
