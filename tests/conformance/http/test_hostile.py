"""Every hostile request gets its verdict, and nothing behind it is taken for another request."""

from collections.abc import Iterator

import pytest

from tests.conformance.http.hostile import APP, CALL, cases, name, nginx_verdicts, request
from tests.http_toys import Serving, get

CASES = cases()
ON_CALL = [case for case in CASES if case.get("on", "call") == "call"]
ON_APP = [case for case in CASES if case.get("on", "app") == "app"]


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as server:
        yield server


def check(serving: Serving, case, data: bytes) -> None:
    method = "HEAD" if case.get("head") else "GET"
    with serving.client() as client:
        client.send_until_refused(data)
        for status in case["expect"]:
            response = client.response(method)
            assert response.status == status
            assert response.status < 500
            if status >= 400:
                assert response.headers[b"connection"] == b"close"
                assert response.body
        if case["closed"]:
            assert client.is_ended()
        else:
            client.send(get("/app/still-in-step"))
            assert client.response().body == b"/app/still-in-step"


@pytest.mark.parametrize("case", ON_CALL, ids=name)
def test_a_call(serving, case):
    check(serving, case, request(case))


@pytest.mark.parametrize("case", ON_APP, ids=name)
def test_the_application(serving, case):
    check(serving, case, request(case).replace(CALL, APP))


def test_there_is_one_case_of_a_name_and_enough_of_them():
    names = [name(case) for case in CASES]
    assert len(names) == len(set(names)) >= 150


def accepted(statuses: list[int]) -> int:
    return sum(200 <= status < 300 for status in statuses)


@pytest.mark.parametrize("case", [case for case in CASES if case.get("nginx", True)], ids=name)
def test_laxer_than_nginx_only_with_a_reason(case):
    """More requests accepted than nginx accepts, of the same bytes, needs a reason; and a reason needs that."""
    nginx = nginx_verdicts()["verdicts"][name(case)]
    laxer = accepted(case["expect"]) > accepted(nginx["statuses"])
    assert laxer == ("laxer_than_nginx" in case), nginx
