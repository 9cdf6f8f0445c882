"""Each string format, judged by the standard library and not by us."""

import datetime as dt
import ipaddress
import random
import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from forehearth.embedded.formats import FORMATS
from forehearth.embedded.gbnf import render
from tests.unit.embedded.gbnf_reader import Grammar, read

LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
HOSTNAME = re.compile(rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*")
DURATION = re.compile(r"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)")


def is_hostname(text: str) -> bool:
    return bool(HOSTNAME.fullmatch(text))


def is_email(text: str) -> bool:
    local, _, host = text.rpartition("@")
    return bool(re.fullmatch(r"[a-z0-9]+([._+-][a-z0-9]+)*", local)) and len(local) <= 64 and is_hostname(host)


def is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme) and is_hostname(parts.hostname or "") and bool(re.fullmatch(r"[\w:/.-]+", text, re.ASCII))


JUDGES: dict[str, Callable[[str], object]] = {
    "date": dt.date.fromisoformat,
    "time": lambda text: dt.time.fromisoformat(text).tzinfo is not None,
    "date-time": lambda text: dt.datetime.fromisoformat(text).tzinfo is not None,
    "duration": DURATION.fullmatch,
    "uuid": lambda text: str(uuid.UUID(text)) == text,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "hostname": is_hostname,
    "email": is_email,
    "uri": is_uri,
}

EXAMPLES = {
    "date": ("2000-02-29", "2024-02-29", "1999-12-31"),
    "time": ("00:00:00Z", "23:59:59.123456+05:30"),
    "date-time": ("2024-02-29T12:30:00Z",),
    "duration": ("P1Y2M3DT4H5M6S", "PT0S", "P3W", "P1DT12H"),
    "uuid": ("2eb8aa08-aa98-11ea-b4aa-73b441d16380",),
    "ipv4": ("0.0.0.0", "255.255.255.255", "192.168.0.1"),
    "ipv6": ("2001:db8:0:0:0:0:0:1",),
    "hostname": ("www.example.com", "a-b.example"),
    "email": ("joe.bloggs@example.com",),
    "uri": ("https://example.com/a/b-1",),
}

WRONG = {
    "date": ("1900-02-29", "2023-02-29", "2023-13-01", "2023-00-10", "2023-04-31", "2023-1-1", "0000-01-01"),
    "time": ("24:00:00Z", "12:60:00Z", "12:00:60Z", "12:00:00", "12:00:00+24:00"),
    "date-time": ("2023-02-29T12:30:00Z", "2024-02-29 12:30:00Z"),
    "duration": ("P", "PT", "P1", "1Y", "P1YT", "P1H", "P1Y2W"),
    "ipv4": ("256.0.0.1", "01.0.0.1", "1.2.3"),
    "hostname": ("-a.com", "a-.com", "a..com", "a_b.com"),
    "email": ("@example.com", "a@", "a..b@example.com"),
}


def grammar_of(name: str) -> Grammar:
    text = render({"start": FORMATS[name]}, "start")
    assert text is not None
    return read(text)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_generated_has_the_format(name: str) -> None:
    grammar, chance = grammar_of(name), random.Random(7)
    texts = {grammar.derive(chance) for _ in range(2_000)}
    assert len(texts) > 300
    assert all(JUDGES[name](text) for text in texts)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in EXAMPLES.items() for text in texts])
def test_ordinary_examples_can_be_generated(name: str, text: str) -> None:
    assert grammar_of(name).matches(text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_wrong_ones_cannot(name: str, text: str) -> None:
    assert not grammar_of(name).matches(text)


def test_every_format_has_a_judge_and_an_example() -> None:
    assert FORMATS.keys() == JUDGES.keys() == EXAMPLES.keys()
