"""`/admin/openapi.json`: a document of its form, of all endpoints and of nothing else."""

import openapi_spec_validator
import pytest

from forehearth.wire.admin_table import ENDPOINTS
from tests.unit.admin.offices import TestOffice
from tests.unit.wire.admin_door import AdminDoor


@pytest.fixture
async def shown():
    async with TestOffice() as office:
        answer = await AdminDoor(office).ask("GET", "/admin/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return answer.json


async def test_it_is_a_document_by_the_schemas_of_openapi(shown):
    openapi_spec_validator.validate(shown)


async def test_it_has_every_endpoint_and_no_other(shown):
    found = {(method.upper(), path) for path, operations in shown["paths"].items() for method in operations}
    assert found == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


async def test_a_parameter_that_is_not_in_it_is_refused_and_those_in_it_are_not(shown):
    async with TestOffice() as office:
        door = AdminDoor(office)
        for path, operations in shown["paths"].items():
            for method, operation in operations.items():
                target = path.replace("{id}", "nobody")
                refused = await door.ask(method.upper(), f"{target}?nonsense=1")
                assert refused.code == "unknown_parameter"
                for each in operation["parameters"]:
                    if each["in"] == "query":
                        answer = await door.ask(method.upper(), f"{target}?{each['name']}=x")
                        assert b"Unrecognized query parameter" not in answer.body, (path, each["name"])


async def test_nobody_sees_it_without_a_credential():
    async with TestOffice() as office:
        answer = await AdminDoor(office).ask("GET", "/admin/openapi.json", key=None)
    assert answer.status == 401
