"""What is fuzzed: each part that reads bytes of strangers, and what must hold whatever they are.

A target takes bytes and says what kind they were; anything that it raises is a finding. It needs no fuzzer: the unit
tests hold it to its seeds.
"""

import json
import random
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from forehearth.core import web_address
from forehearth.core.errors import AddressRefused, Broken, InvalidField
from forehearth.core.settings import InboundLimits
from forehearth.core.usage import Usage
from forehearth.dialects import json_members, usage
from forehearth.http.faults import Malformed
from forehearth.http.head import Peer, read
from forehearth.http.host import is_authority
from forehearth.http.target import split
from forehearth.identity.claims import Untrue
from forehearth.identity.token_text import TokenText, Unreadable, parse
from forehearth.tools import json_rpc
from forehearth.tools.events import Events, EventTooLong
from tests.conformance.http import hostile
from tests.unit.config import test_any_text
from tests.unit.dialects import test_form_fields, test_multipart, test_usage
from tests.unit.dice import cut
from tests.unit.http import test_chunks, test_head
from tests.unit.identity import minting, test_token_claims
from tests.unit.providers import test_media

LLHTTP_KNOWS = {b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS"}
"""Methods that both know; llhttp has a list of them."""
MOST_TOKENS = 2**63 - 1


class Target(NamedTuple):
    """One part, the inputs to begin with, words that inputs are made of, and bytes of an input at most."""

    judge: Callable[[bytes], str]
    seeds: Callable[[], Iterable[bytes]]
    words: Iterable[bytes]
    longest: int


def cuts(data: bytes) -> list[bytes]:
    """The input in pieces, cut by itself: the same input is always cut alike."""
    return cut(random.Random(zlib.crc32(data)), data, 6)


def head(data: bytes) -> str:
    """The head of a request: the same however it is cut; llhttp reads what is accepted, and alike."""
    whole = test_head.verdict_by_parts(data, [])
    assert test_head.verdict_by_parts(data, [len(piece) for piece in cuts(data)]) == whole
    block = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        request = read(block, InboundLimits(), Peer())
    except Malformed:
        return "refused"
    if request.head.method in LLHTTP_KNOWS and b"upgrade" not in request.head.headers:
        other = test_head.Llhttp(block)
        assert [(name.lower(), value.strip()) for name, value in request.fields] == other.headers
        assert request.head.raw_path in other.url or request.head.raw_path == b"/"
    return "accepted"


def chunks(data: bytes) -> str:
    """A body in chunks: the same however it is cut; llhttp reads what is accepted, and alike."""
    whole = test_chunks.outcome([data])
    assert test_chunks.outcome(cuts(data)) == whole
    if whole is None:
        return "refused"
    body, done, rest = whole
    if done:
        other = test_chunks.Llhttp(data.removesuffix(rest))
        assert other.done
        assert other.body == body
    return "accepted" if done else "awaited"


def tokens_used(data: bytes) -> str:
    """What a host says was used, whole and streamed: the same however it is cut, and possible."""
    watchers = usage.StreamUsage(), usage.StreamUsage()
    for watcher, pieces in zip(watchers, ([data], cuts(data)), strict=True):
        for piece in pieces:
            watcher.feed(piece)
    streamed, other = (watcher.finish() for watcher in watchers)
    assert streamed == other
    try:
        whole = usage.read(data)
    except Broken:
        whole = None
    assert _possible(streamed)
    assert _possible(whole)
    return "reported" if streamed or whole else "not reported"


def _possible(found: Usage | None) -> bool:
    counts = [] if found is None else [found.prompt, found.completion, found.cached, found.reasoning]
    return all(0 <= count <= MOST_TOKENS for count in counts)


class _Named(msgspec.Struct):
    """A body as a surface reads it: one member typed, the others passed over."""

    model: str | None = None


def members(data: bytes) -> str:
    """The editor of a body's members: whatever a surface takes for JSON, the host reads the model that was put in."""
    try:
        msgspec.json.decode(data, type=_Named)
        decoded = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        json_members.members(data)
        return "no object"
    found = json_members.members(data)
    assert {member.key: data[member.value_start : member.end] for member in found} == {
        key: bytes(value) for key, value in decoded.items()
    }
    edited = (
        json_members.replace(data, "model", b'"new"')
        if "model" in decoded
        else json_members.insert_first(data, "model", b'"new"')
    )
    assert msgspec.json.decode(edited, type=_Named).model == "new"
    assert all(value == "new" for value in _every(edited, "model"))
    left = json_members.remove(data, {"model"})
    assert list(msgspec.json.decode(left, type=dict[str, msgspec.Raw])) == [key for key in decoded if key != "model"]
    return "object"


def _every(body: bytes, key: str) -> list[Any]:
    """All values of a key at the top, as a reader sees them who takes the first of them, or the last."""
    pairs: list[tuple[str, Any]] = []

    def keep(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found  # the outermost object ends last
        return dict(found)

    try:
        json.loads(body, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return []
    return [value for name, value in pairs if name == key]


def token(data: bytes) -> str:
    """A token's text: of any bytes, and of a header and a payload, one a line, that were put into the right form."""
    parsed = _parsed(data)
    first, _, second = data.partition(b"\n")
    made = _parsed(b".".join([minting.part(first), minting.part(second), b"c2ln"]))
    if made is None:
        return "unreadable" if parsed is None else "readable"
    assert made.payload == json.loads(second)
    for is_entra in (False, True):
        try:
            claims = test_token_claims.judged(made.payload, is_entra=is_entra)
        except Untrue:
            continue
        assert claims.id.isprintable()
        assert claims.application.isprintable()
        assert claims.name.isprintable()
        return "true"
    return "readable"


def _parsed(text: bytes) -> TokenText | None:
    try:
        return parse(text)
    except Unreadable:
        return None


def configuration(data: bytes) -> str:
    """The configuration file: settings, or problems with their places."""
    return test_any_text.check(data.decode(errors="surrogateescape"))


def target(data: bytes) -> str:
    """A host and a request target: what is accepted means the same to whoever takes it apart, or decodes it."""
    host, _, rest = data.partition(b" ")
    verdicts = {"host" if _is_host(host) else "no host"}
    asked = bytes(byte for byte in rest if 0x20 < byte < 0x7F) or b"/"
    try:
        path, query, authority = split(b"OPTIONS" if host[:1] == b"*" else b"GET", asked)
    except Malformed:
        return " and ".join([*verdicts, "no target"])
    if path != b"*":
        assert path.startswith(b"/")
        decoded = unquote_to_bytes(path)
        assert not {b".", b".."} & set(decoded.split(b"/"))
        assert b"\\" not in decoded
        assert b"\0" not in decoded
    if authority is None:
        assert asked == path + (b"?" + query if b"?" in asked else b"")
    else:
        assert is_authority(authority)
    return " and ".join([*verdicts, "target"])


def multipart(data: bytes) -> str:
    """A form: the same however it is cut; its names are text, and no more comes out than went in."""
    whole = test_multipart.verdict([data])
    assert test_multipart.verdict(cuts(data)) == whole
    if isinstance(whole, str):
        return "refused"
    assert sum(len(content) for *_, content in whole) < len(data)
    assert not any(each < " " or each == "\x7f" for name, filename, _ in whole for each in f"{name}{filename or ''}")
    return "read"


def _is_host(host: bytes) -> bool:
    if not is_authority(host):
        return False
    read_by_others = urlsplit(b"http://" + host)
    assert not read_by_others.username
    assert read_by_others.netloc == host
    assert host.lower().startswith((read_by_others.hostname or b"?", b"[" + (read_by_others.hostname or b"?") + b"]"))
    assert read_by_others.port is None or 0 < read_by_others.port < 65_536
    return True


DEEP = b'{"usage":{"a":' + b"[" * 1_100
"""Deeper than a parser in Python goes."""


def media_form(data: bytes) -> str:
    """A form of media: read alike however it is cut; whatever is accepted, a host reads the model that was put in."""
    whole = test_form_fields.verdict([data], test_form_fields.HEARD)
    assert test_form_fields.verdict(cuts(data), test_form_fields.HEARD) == whole
    if isinstance(whole[0], type):
        return "refused"
    try:
        request = test_media.THERE.request(test_media.call(data), "theirs")
    except InvalidField:  # a name of the model that is no text
        return "refused"
    named = [value for name, _, value in test_multipart.read(test_media.sent(request)) if name == "model"]
    assert named == [b"theirs"]
    return "accepted"


def _hostile() -> list[bytes]:
    return [found for case in hostile.cases() if len(found := hostile.request(case)) < 700]


def _bodies() -> list[bytes]:
    return [
        *(body for each in _hostile() if b"chunked" in each.lower() and (body := each.partition(b"\r\n\r\n")[2])),
        *(chunk + end for chunk in test_chunks.CHUNKS for end in test_chunks.ENDS),
    ]


def _usages() -> list[bytes]:
    streams = [test_usage.STREAM.replace(b"\n", end) for end in (b"\n", b"\r\n", b"\r")]
    return [
        DEEP,
        b"data: " + DEEP + b"\n\n",
        *streams,
        *test_usage.STREAM.split(b"data: "),
        json.dumps({"usage": test_usage.COUNTS}).encode(),
    ]


def url(data: bytes) -> str:
    """A URL of a caller, and a redirect: read in one way or refused, and what is public is public all the way."""
    text, _, location = data.decode("utf-8", "replace").partition("\n")
    try:
        address = web_address.read(text)
    except AddressRefused:
        return "refused"
    assert web_address.read(address.url) == address
    again = urlsplit(address.url)
    assert (again.hostname, again.port or address.port) == (address.host, address.port)
    try:
        there = web_address.follow(address, location.encode())
    except AddressRefused:
        return "read"
    assert web_address.read(there.url) == there
    return "followed"


def tool_messages(data: bytes) -> str:
    """What an MCP server streams: the same messages however they are cut, or none."""

    def found(pieces: list[bytes]) -> list[str]:
        events = Events(1_000)
        try:
            return [
                repr(each) for piece in pieces for event in events.feed(piece) for each in json_rpc.read(event.data)
            ]
        except (json_rpc.NotJsonRpc, EventTooLong) as error:
            return [type(error).__name__]

    whole = found([data])
    parts = found(cuts(data))
    assert parts == whole or "EventTooLong" in whole + parts
    return "messages" if any(each.startswith("Message") for each in whole) else "none"


def _urls() -> list[bytes]:
    return [
        b"https://a.example/b\n/c", b"https://[::ffff:1.2.3.4]:81/?q\n//d.example", b"http://127.1/", b"http://a@b/",
        "https://ü.example/".encode(), b"https://a.example/\nhttp://[::1", b"http://0x7f.1:80\\@c/",
    ]  # fmt: skip


def _streams() -> list[bytes]:
    return [
        b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
        b'id: 5\r\ndata: [{"id":"a","method":"ping"},\r\ndata: {"error":{"code":1,"message":"x"}}]\r\n\r\n',
        b"data: {\n\n", b": comment\n\nretry: 5\r\r",
    ]  # fmt: skip


def _objects() -> list[bytes]:
    chat = {"model": "a", "messages": [{"role": "user", "content": 'say "model": {[}'}], "n": 1, "stream": True}
    odd = [rb'{"mod\u0065l": "a", "x": {"model": "b"}}', rb'{ "model" : null , "t": "\"model\": \"x\"" }']
    return [
        json.dumps(chat).encode(),
        json.dumps(chat, indent=1).encode(),
        b"{}",
        b"[1]",
        DEEP,
        b'{"model":"a","model":"b"}',
        *odd,
    ]


def _tokens() -> list[bytes]:
    header = json.dumps({"alg": "RS256", "typ": "JWT", "kid": "one"}).encode()
    changes: list[dict[str, Any]] = [{}, {"aud": ["a", "b"], "roles": ["x"]}, {"exp": 1e300}, {"idtyp": "app"}]
    return [
        minting.mint(),
        b"a.b.c",
        header + b"\n" + DEEP,
        *(header + b"\n" + json.dumps(minting.payload(**each)).encode() for each in changes),
    ]


def _files() -> list[bytes]:
    whole = test_any_text.WHOLE
    sections = ["version: 1\n" + each for each in test_any_text.SECTIONS]
    return [each.encode() for each in ("version: 1\n" + "".join(test_any_text.SECTIONS), *sections, "[", whole[:1_500])]


def _places() -> list[bytes]:
    hosts = [b"localhost:8080", b"a.services.ai.azure.com", b"[2001:db8::1]:80", b"a@b", b"*"]
    targets = [b"/a/b?c=d", b"/a%2Fb", b"/a/%2e%2e/b", b"http://h:1/a?b", b"/openai/v1/models?api-version=v1", b"*"]
    return [host + b" " + each for host in hosts for each in targets]


def _forms() -> list[bytes]:
    files = [test_multipart.part(each) + test_multipart.END for each in test_multipart.NAMED]
    return [*files, *(body for body, _ in test_multipart.FAULTS if len(body) < 700)]


def _media_forms() -> list[bytes]:
    model, file = test_form_fields.field("model", "whisper"), test_form_fields.FILE
    forms = [test_form_fields.form(*fields) for fields in ((file,), (model, file), (file, model), (model, model, file))]
    return [*forms, *(body for body, *_ in test_form_fields.WRONG if len(body) < 700)]


JSON_WORDS = (b'"usage"', b'"model"', b"\\u0065", b"null", b"true", b"1e400", b"-1", b'":', b'{"', b"}", b"[", b"]")
EVENT_WORDS = (b"data: ", b"\n\n", b"\r\n\r\n", b"\r\r", b'{"usage": {"prompt_tokens":1}}', b'"completion_tokens":')
CLAIM_WORDS = tuple(f'"{name}":'.encode() for name in (*test_token_claims.MEMBERS, "alg", "kid", "crit"))
YAML_WORDS = tuple(piece.encode(errors="surrogateescape") for piece in test_any_text.PIECES if 1 < len(piece) < 40)
PLACE_WORDS = (b"%2e", b"%2F", b"%5c", b"%00", b"..", b"/./", b"http://", b"[::", b":65535", b"#", b"@", b"\\")

TARGETS = {
    "head": Target(head, _hostile, test_head.VOCABULARY, 700),
    "chunks": Target(chunks, _bodies, test_chunks.VOCABULARY, 700),
    "usage": Target(tokens_used, _usages, (*EVENT_WORDS, *JSON_WORDS), 1_500),
    "members": Target(members, _objects, JSON_WORDS, 1_500),
    "token": Target(token, _tokens, (*CLAIM_WORDS, *JSON_WORDS), 3_000),
    "configuration": Target(configuration, _files, YAML_WORDS, 1_500),
    "multipart": Target(multipart, _forms, test_multipart.VOCABULARY, 700),
    "media form": Target(media_form, _media_forms, test_multipart.VOCABULARY, 700),
    "target": Target(target, _places, PLACE_WORDS, 300),
    "url": Target(url, _urls, (*PLACE_WORDS, b"https://", b"\n", b"0x7f", b"xn--"), 300),
    "tool messages": Target(tool_messages, _streams, (*EVENT_WORDS, *JSON_WORDS, b'"id":', b'"method":'), 1_500),
}
