"""The list of shapes is made of the endpoint tables: all of them are in it, and nothing else."""

import pytest

from forehearth.connectors import listing
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES
from forehearth.server import served

ADDRESS = Address.of_url("http://127.0.0.1:8080")
TABLES = served.endpoints()
LISTED = {each.shape.name: each for each in listing.listed(ADDRESS, TABLES)}


@pytest.mark.parametrize("name", ["foundry", "v1", "classic", "project"])
def test_every_endpoint_of_the_surface_is_an_operation_of_its_shape(name):
    shape = SHAPES[name]
    told = {
        f"{line.partition(' ')[0]} {shape.operations_base}{line.partition(' ')[2]}" for line in LISTED[name].operations
    }
    tables = {f"{each.method} {each.path}" for each in TABLES[shape.surface]}
    assert told == {each for each in tables if not each.endswith("/")}


def test_responses_are_the_part_of_v1_below_responses():
    assert "POST /responses" in LISTED["responses"].operations
    assert set(LISTED["responses"].operations) < set(LISTED["v1"].operations)


def test_families_name_each_beginning_once():
    found = listing.families(LISTED["v1"])
    assert {"/chat/completions", "/responses", "/files", "/deployments/{deployment}/chat/completions"} <= {*found}
    assert not any("{" in each for each in found if "{deployment}" not in each)
    assert len(found) == len({*found})


def test_every_surface_of_the_tables_is_told_of():
    assert {shape.surface for shape in SHAPES.values()} | {served.ADMIN, served.SERVER} == {*TABLES}


def test_a_shape_for_programs_has_no_marks_of_text():
    told = listing.as_json(LISTED["project"])
    assert "`" not in str(told)
    assert told["baseUrl"] == "http://127.0.0.1:8080/api/projects/default"
    assert told["credentials"] == ["token"]


def test_the_comparison_has_a_column_a_shape_and_a_row_a_question():
    table = listing.comparison([*LISTED.values()])
    assert {len(row) for row in table} == {len(SHAPES) + 1}
    assert [row[0] for row in table[1:]] == [name for name, _ in listing.rows(LISTED["v1"])]


def test_a_bar_in_a_cell_does_not_end_it():
    assert listing.markdown_table([["a|b"], ["c"]]) == "| a\\|b |\n|---|\n| c |"
