"""`multipart/form-data`: what is read, what is refused, and that neither depends on how the bytes were cut."""

import itertools
from typing import Any

import httpx2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forehearth.core.errors import MalformedBody, UnsupportedMediaType
from forehearth.dialects.multipart import LONGEST_HEADERS, MOST_HEADERS, MOST_PARTS, Multipart, Part, boundary

Read = list[tuple[str, str | None, bytes]]


def read(*pieces: bytes, at: bytes = b"b") -> Read:
    parser = Multipart(at)
    found: list[tuple[Part, list[bytes]]] = []
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, Part):
                found.append((event, []))
            else:
                assert event
                found[-1][1].append(event)
    parser.end()
    return [(part.name, part.filename, b"".join(data)) for part, data in found]


def part(disposition: str = 'form-data; name="a"', data: bytes = b"x", *, more: bytes = b"") -> bytes:
    return b"--b\r\nContent-Disposition: " + disposition.encode() + b"\r\n" + more + b"\r\n" + data + b"\r\n"


def test_fields_and_files_in_any_order() -> None:
    body = part(data=b"1") + part('form-data; name="f"; filename="a.txt"', b"line\r\n--", more=b"Content-Type: t/x\r\n")
    body += part('form-data; name="empty"', b"") + b"--b--\r\n"
    assert read(body) == [("a", None, b"1"), ("f", "a.txt", b"line\r\n--"), ("empty", None, b"")]


NAMED = {
    'form-data; name="a"; filename="x.txt"': "x.txt",
    'Form-Data ; Name=a ; FileName="x y.txt"': "x y.txt",
    r'form-data; name="a"; filename="a\"b\\c"': 'a"b\\c',
    r'form-data; name="a"; filename="C:\new\x"': r"C:\new\x",
    'form-data; name="a"; filename="a%22b"': 'a"b',
    'form-data; name="a"; filename="../../etc/passwd"': "../../etc/passwd",
    'form-data; name="a"; filename="übergröße.pdf"': "übergröße.pdf",
    'form-data; name="a"; filename="x"; filename*=UTF-8\'\'%e2%82%ac.txt': "€.txt",
    "form-data; name=\"a\"; filename*=utf-8'en'a%20b": "a b",
    'form-data; name="a"; filename=""': "",
    'form-data; name="a";': None,
}


@pytest.mark.parametrize(("disposition", "filename"), NAMED.items())
def test_names_are_text(disposition: str, filename: str | None) -> None:
    assert read(part(disposition) + b"--b--") == [("a", filename, b"x")]


LONG = b"X: " + b"y" * LONGEST_HEADERS
END = b"--b--\r\n"
FAULTS: list[tuple[bytes, str]] = [
    (b"", "ends before"),
    (b"--b", "ends before"),
    (part(), "ends before"),
    (part()[:-2] + END, "ends before"),
    (b"\r\n" + part() + END, "does not begin"),
    (b"hello\r\n" + part() + END, "does not begin"),
    (part() + END + b"more", "after its last"),
    (part() + b"--b \r\n", "followed by"),
    (part() + b"--bb--\r\n", "followed by"),
    (b"--b\n" + part(), "followed by"),
    (b"--b\r\n\r\nx\r\n" + END, "malformed"),
    (part(more=b"no colon\r\n") + END, "malformed"),
    (part(more=b"A: 1\r\n folded\r\n") + END, "malformed"),
    (part(more=b"A: \x01\r\n") + END, "malformed"),
    (part(more=b"A : 1\r\n") + END, "malformed"),
    (part(more=b"content-disposition: form-data; name=b\r\n") + END, "twice"),
    (part("attachment; name=a") + END, "Content-Disposition"),
    (part("form-data") + END, "Content-Disposition"),
    (part("form-data; name=a; name=b") + END, "Content-Disposition"),
    (part("form-data; name=a; name*=UTF-8''b") + END, "Content-Disposition"),
    (part('form-data; name="a') + END, "Content-Disposition"),
    (part('form-data; name="a"; filename="a\tb"') + END, "control"),
    (part('form-data; name="a"; filename="a\u0085b"') + END, "control"),
    (part('form-data; name="a"; filename="a\u2028b"') + END, "control"),
    (part("form-data; name=\"a\"; filename*=UTF-8''a%00b") + END, "control"),
    (part("form-data; name=\"a\"; filename*=UTF-8''a%0d%0ab") + END, "control"),
    (part("form-data; name=\"a\"; filename*=UTF-8''%ff") + END, "not UTF-8"),
    (part("form-data; name=\"a\"; filename*=iso-8859-1''a") + END, "percent-encoding"),
    (part(f'form-data; name="{"n" * 256}"') + END, "more than"),
    (part().replace(b'"a"', b'"\xff"') + END, "not UTF-8"),
    (part(more=b"Content-Transfer-Encoding: base64\r\n") + END, "encoded"),
    (part(more=b"".join(b"A%d: 1\r\n" % each for each in range(MOST_HEADERS))) + END, "more than"),
    (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n" + part() + END, "begins with the boundary"),
    (part(data=b"x\n--b\r\n") + END, "begins a line"),
    (part(data=b"x\r--b--") + END, "begins a line"),
    (part(data=b"\n--b") + END, "begins a line"),
    (b"--b\r\n" + LONG, "longer than"),
    (part() * (MOST_PARTS + 1) + END, "more than"),
]


@pytest.mark.parametrize(("body", "words"), FAULTS, ids=range(len(FAULTS)))
def test_what_is_wrong_is_said_however_the_bytes_are_cut(body: bytes, words: str) -> None:
    for size in (len(body) or 1, 7, 1):
        with pytest.raises(MalformedBody, match=words):
            read(*(body[at : at + size] for at in range(0, len(body), size)))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data;Boundary="a b\'c"', b"a b'c"),
        (b"multipart/form-data; charset=utf-8; boundary=----x", b"----x"),
        (b"multipart/form-data; boundary=" + b"a" * 70, b"a" * 70),
    ],
)
def test_a_boundary(header: bytes, found: bytes) -> None:
    assert boundary(header) == found


@pytest.mark.parametrize(
    "parameters",
    [
        b"",
        b"; boundary=",
        b'; boundary=""',
        b"; boundary=" + b"a" * 71,
        b'; boundary="a "',
        b"; boundary=a; boundary=b",
        b"; boundary=a\x80",
        b'; boundary="a\\"b"',
        b"; boundary=a;=;",
        b"; charset=utf-8",
    ],
)
def test_what_is_no_boundary(parameters: bytes) -> None:
    with pytest.raises(MalformedBody, match="no boundary"):
        boundary(b"multipart/form-data" + parameters)


@pytest.mark.parametrize("header", [b"", b"application/json", b"multipart/mixed; boundary=a", b"multipart/form-datax"])
def test_another_media_type(header: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        boundary(header)


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(body), *(each % (len(body) + 1) for each in cuts)})
    return [body[start:end] for start, end in itertools.pairwise(places)]


TRICKY = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n--", b"\r\n--b", b"--b", b"b", b"x", b"\0"])
).map(b"".join)
NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters='%"\\'), min_size=1, max_size=40
)
CUTS = st.lists(st.integers(0, 10_000), max_size=10)


@given(parts=st.lists(st.tuples(NAMES, NAMES, TRICKY | st.binary(max_size=80)), max_size=5), cuts=CUTS)
def test_what_is_written_is_read_again_however_it_is_cut(parts: list[tuple[str, str, bytes]], cuts: list[int]) -> None:
    at = b"bound"
    while any(b"--" + at in data for *_, data in parts):  # a writer chooses one that is not in its data
        at += b"0"
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\n%b\r\n'
        % (at, name.encode(), filename.encode(), data)
        for name, filename, data in parts
    )
    assert read(*cut(body + b"--%b--\r\n" % at, cuts), at=at) == parts


@given(name=NAMES, data=st.binary(max_size=200), fields=st.dictionaries(st.sampled_from("abc"), st.text(max_size=9)))
def test_what_a_client_writes_is_read(name: str, data: bytes, fields: dict[str, str]) -> None:
    request = httpx2.Request("POST", "http://x", data=fields, files={"file": (name, data)})
    found = read(request.read(), at=boundary(request.headers["content-type"].encode()))
    assert found == [*((key, None, value.encode()) for key, value in fields.items()), ("file", name, data)]


def verdict(pieces: list[bytes]) -> Any:
    try:
        return read(*pieces)
    except MalformedBody as error:
        return error.message


DISPOSITION = b"Content-Disposition: form-data; name=a"
VOCABULARY = (
    b"--b",
    b"--",
    b"\r\n",
    DISPOSITION,
    b'; filename="x"',
    b"\r\n\r\n",
    b"b",
    b":",
    b'"',
    b"%22",
    b"*=UTF-8''",
)
WORDS = st.sampled_from(VOCABULARY)


@given(body=st.lists(WORDS | st.binary(max_size=4), max_size=14).map(b"".join), cuts=CUTS)
def test_whatever_comes_the_verdict_is_the_same_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    assert verdict(cut(body, cuts)) == verdict([body])


@given(body=st.binary(max_size=300))
def test_data_is_not_held_back(body: bytes) -> None:
    parser = Multipart(b"b")
    assert [*parser.feed(b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n")]
    assume(b"--b" not in body)
    given_back = b"".join(event for event in parser.feed(body + b"x" * 5) if isinstance(event, bytes))
    assert given_back == body + b"x" * 5
