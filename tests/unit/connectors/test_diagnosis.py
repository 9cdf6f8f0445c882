"""How the steps on the way to an answer are judged."""

import base64
import json
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.connectors import diagnosis
from forehearth.connectors.remedies import Remedy

NOW = 1_800_000_000.0
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


def token(**claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.signature"


@pytest.mark.parametrize(
    ("off", "state", "words"),
    [
        (0, "ok", "0 s apart"),
        (-29, "ok", "29 s apart"),
        (31, "warning", "31 s ahead of"),
        (-300, "warning", "300 s behind"),
        (301, "failed", "301 s ahead of"),
    ],
)
def test_two_clocks(off, state, words):
    check = diagnosis.clock(DATE, NOW + off)
    assert (check.state, words in check.found) == (state, True)


@pytest.mark.parametrize("date", [None, "", "yesterday", "0"])
def test_a_server_that_tells_no_time(date):
    assert diagnosis.clock(date, NOW).state == "warning"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (token(exp=NOW - 90), "it expired 90 s ago"),
        (token(exp=NOW + 90, nbf=NOW - 5), ""),
        (token(nbf=NOW + 301), "not good before 301 s"),
        (token(nbf=NOW + 299), ""),
        (token(exp="soon"), ""),
        ("opaque", ""),
        ("a.b.c", ""),
        ("e30.W10.x", ""),
    ],
)
def test_what_a_token_says_of_its_time(text, words):
    found = diagnosis.expired(text, NOW)
    assert words in found
    assert bool(words) is bool(found)


@given(st.text())
def test_whatever_a_token_is_it_is_looked_at(text):
    diagnosis.expired(f"x.{text}.y", NOW)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "does not exist"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "No name server"),
        (TimeoutError(), "No name server"),
        (UnicodeError("x"), "does not exist"),
    ],
)
def test_no_name(error, words):
    assert words in diagnosis.unresolved(error).found


@pytest.mark.parametrize(
    ("error", "words"),
    [(ConnectionRefusedError(), "port 8080"), (TimeoutError(), "drops it"), (OSError("no route"), "cannot be reached")],
)
def test_no_connection(error, words):
    assert words in diagnosis.unconnected(error, 8080).found


def test_no_tls():
    assert "plain http" in diagnosis.untrusted(ssl.SSLError(1, "WRONG_VERSION_NUMBER")).found


@pytest.mark.parametrize(
    ("headers", "state", "words"),
    [
        ({}, "ok", "none is told"),
        ({b"x-ratelimit-remaining-tokens": b"900"}, "ok", "left: 900 tokens"),
        (
            {b"x-ratelimit-remaining-requests": b"0", b"x-ratelimit-remaining-tokens": b"9"},
            "warning",
            "0 requests, 9 tokens",
        ),
    ],
)
def test_what_is_left(headers, state, words):
    check = diagnosis.limits(headers)
    assert (check.state, words in check.found) == (state, True)


@pytest.mark.parametrize(("wait", "told"), [(b"37", " Again in 37 s."), (b"", ""), (b"<soon>", "")])
def test_a_limit_says_when_to_come_again(wait, told):
    check = diagnosis.exhausted(Remedy(cause="A limit.", remedy="Wait."), "429", {b"retry-after": wait})
    assert check.found == f"A limit (429).{told}"


def test_every_step_has_an_exit_status_of_its_own():
    assert len({*diagnosis.EXIT_STATUS.values()}) == len(diagnosis.EXIT_STATUS)
    assert min(diagnosis.EXIT_STATUS.values()) > 3
