"""Files through the gateway: paths, forms, pages, and what is said to whom."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forehearth.core.blob import Blob
from forehearth.core.document import StoreFailed
from forehearth.core.errors import InvalidField, StorageFull
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.files.service import Orphans
from forehearth.gateway.admitted import Admitted
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.testing.clock import VirtualClock
from forehearth.wire.files import AROUND, LONGEST_FIELD
from tests.families import UPLOAD_BYTES, all_families
from tests.unit.doors import RESOURCE, Known, answer, head, make_door, principal

V1, SALES, DEFAULT = "/openai/v1", "/api/projects/sales/openai/v1", "/api/projects/default/openai/v1"
CLASSIC = "/openai"
FORM = "multipart/form-data; boundary=b"


class Cut:
    """A body that breaks off: the transfer says why."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self._pieces = [*pieces]
        self._error = error

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        raise self._error or StopAsyncIteration

    async def aclose(self) -> None:
        """Nothing to let go."""


class Client:
    """A gateway with files, on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock(unix=1_800_000_000.5)
        self.documents, self.blobs = MemoryDocuments(), MemoryBlobs()
        known = Known(
            {
                "t": principal(),
                "reader": principal(Permission.READ_FILES),
                "writer": principal(Permission.WRITE_FILES),
                "chatter": principal(Permission.CHAT),
            }
        )
        families = all_families(self.documents, blobs=self.blobs, clock=self.clock)
        self._door = make_door(answer({}), known=known, families=families)

    async def reply(self, method: str, target: str, body: Any = b"", *, who: str = "t", kind: str = FORM) -> Reply:
        if target.startswith(f"{CLASSIC}/files"):
            target += f"{'&' if '?' in target else '?'}api-version=2024-10-21"
        asked = head(target, method=method, key=None, authorization=f"Bearer {who}", content_type=kind)
        accepted: Any = self._door.gateway.accept(asked)
        if isinstance(accepted, Admitted):
            accepted = await (accepted.answer(body) if isinstance(body, bytes) else accepted.streamed(body))
        assert isinstance(accepted, Reply)
        return accepted

    async def ask(self, method: str, target: str, body: Any = b"", **rest: Any) -> tuple[int, Any]:
        reply = await self.reply(method, target, body, **rest)
        return reply.status, json.loads(reply.body)

    async def made(self, base: str = V1, **fields: str) -> Any:
        status, file = await self.ask("POST", f"{base}/files", form(**fields))
        assert status == 200, file
        return file

    async def content(self, base: str, name: str) -> bytes:
        reply = await self.reply("GET", f"{base}/files/{name}/content")
        assert reply.status == 200
        assert reply.stream is not None
        return b"".join([piece async for piece in reply.stream])


@pytest.fixture
def client() -> Client:
    return Client()


def part(name: str, data: bytes | str, filename: str | None = None) -> bytes:
    raw = data if isinstance(data, bytes) else data.encode()
    rest = b"" if filename is None else b'; filename="%b"' % filename.encode()
    return b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), rest, raw)


FILE = part("file", b"hello", "a.txt")
PURPOSE = part("purpose", "evals")
END = b"--b--\r\n"


def form(*, file: bytes = b"hello", filename: str = "a.txt", purpose: str = "evals", **fields: str) -> bytes:
    others = b"".join(part(name, value) for name, value in fields.items())
    return part("purpose", purpose) + part("file", file, filename) + others + END


def expiry(seconds: str, anchor: str = "created_at") -> dict[str, str]:
    return {"expires_after[anchor]": anchor, "expires_after[seconds]": seconds}


@pytest.mark.parametrize("base", [V1, CLASSIC, SALES])
async def test_a_file_lives_and_ends(client: Client, base: str) -> None:
    file = await client.made(base, filename="../../etc/passwd")
    name = file["id"]
    assert name.startswith("file-")
    assert file == {
        "id": name,
        "object": "file",
        "bytes": 5,
        "created_at": 1_800_000_000,
        "filename": "../../etc/passwd",
        "purpose": "evals",
        "status": "processed",
    }
    path = f"{base}/files/{name}"
    assert await client.ask("GET", path) == (200, file)
    assert (await client.ask("GET", f"{base}/files"))[1]["data"] == [file]
    reply = await client.reply("GET", f"{path}/content")
    assert reply.length == 5
    headers = dict(reply.headers)
    assert headers[b"content-type"] == b"application/octet-stream"
    assert headers[b"content-disposition"] == b"attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert await client.content(base, name) == b"hello"
    assert await client.ask("DELETE", path) == (200, {"id": name, "object": "file", "deleted": True})
    assert client.blobs.kept == {}
    for method, end in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert (await client.ask(method, path + end))[0] == 404


async def test_what_others_have_is_not_there(client: Client) -> None:
    mine = (await client.made(SALES))["id"]
    for base in (V1, CLASSIC, DEFAULT):
        assert (await client.ask("GET", f"{base}/files"))[1]["data"] == []
        for method, end in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
            foreign = await client.ask(method, f"{base}/files/{mine}{end}")
            absent = await client.ask(method, f"{base}/files/file-none{end}")
            assert foreign[0] == absent[0] == 404
            assert json.dumps(foreign[1]).replace(mine, "file-none") == json.dumps(absent[1])
        cursor = await client.ask("GET", f"{base}/files?after={mine}")
        assert cursor[0] == 400
    assert await client.content(SALES, mine) == b"hello"
    shared = (await client.made(V1))["id"]
    assert await client.content(CLASSIC, shared) == b"hello"


async def test_a_project_that_there_is_not(client: Client) -> None:
    for method, end in (("GET", ""), ("POST", ""), ("GET", "/file-x/content")):
        status, said = await client.ask(method, f"/api/projects/nobody/openai/v1/files{end}", form())
        assert status == 404
        assert "nobody" in said["error"]["message"]


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
async def test_a_file_has_a_purpose_and_its_end(client: Client, purpose: str) -> None:
    plain = await client.made(purpose=purpose)
    assert plain.get("expires_at") == (1_800_000_000 + 2_592_000 if purpose == "batch" else None)
    short = await client.made(purpose=purpose, **expiry("3600"))
    assert short["expires_at"] == 1_800_003_600
    await client.clock.advance(3_600)
    assert (await client.ask("GET", f"{V1}/files/{short['id']}"))[0] == 404
    assert (await client.ask("GET", f"{V1}/files/{short['id']}/content"))[0] == 404
    assert [each["id"] for each in (await client.ask("GET", f"{V1}/files"))[1]["data"]] == [plain["id"]]
    orphans = Orphans(client.documents, client.clock, [Place(resource=RESOURCE)])
    assert await client.blobs.sweep(orphans.wanted) == 1
    assert await client.content(V1, plain["id"]) == b"hello"


async def test_bytes_of_places_that_are_not_served_are_left_alone(client: Client) -> None:
    file = await client.made(SALES)
    nobody = Orphans(MemoryDocuments(), client.clock, [Place(resource=RESOURCE)])
    assert await client.blobs.sweep(nobody.wanted) == 0
    served = Orphans(MemoryDocuments(), client.clock, [Place(resource=RESOURCE, project="sales")])
    assert await client.blobs.sweep(served.wanted) == 1
    assert (await client.ask("GET", f"{SALES}/files/{file['id']}/content"))[0] == 503


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        (PURPOSE + END, 400, "file", "Missing required parameter"),
        (FILE + END, 400, "purpose", "Missing required parameter"),
        (PURPOSE + part("file", b"x") + END, 400, "file", "no filename"),
        (PURPOSE + part("file", b"x", "") + END, 400, "file", "no filename"),
        (form(purpose="assistants_output"), 400, "purpose", "Supported values are"),
        (form(purpose="\xff" * 200), 400, "purpose", "Supported values are"),
        (PURPOSE + form(), 400, "purpose", "twice"),
        (FILE + form(), 400, "file", "twice"),
        (form(stranger="1"), 400, "stranger", "Unknown parameter"),
        (form(**{"expires_after[anchor]": "created_at"}), 400, "expires_after[seconds]", "Missing"),
        (form(**{"expires_after[seconds]": "3600"}), 400, "expires_after[anchor]", "Missing"),
        (form(**expiry("3600", "last_active_at")), 400, "expires_after[anchor]", "Supported values"),
        *[
            (form(**expiry(seconds)), 400, "expires_after[seconds]", "from 3600 to 2592000")
            for seconds in ("3599", "2592001", "-1", "1e4", "", "٣٦٠٠", "9" * 500)
        ],
        (form(purpose="e" * (LONGEST_FIELD + 1)), 400, "purpose", "longer than"),
        (form(file=b"x" * (UPLOAD_BYTES + 1)), 413, "file", f"longer than {UPLOAD_BYTES}"),
        (form(filename="a\tb"), 400, None, "control"),
        (b"", 400, None, "multipart"),
        (PURPOSE + FILE, 400, None, "ends before"),
        (b"{}", 400, None, "does not begin"),
    ],
)
async def test_what_cannot_be_kept_is_told_and_leaves_nothing(
    client: Client, body: bytes, status: int, param: str | None, words: str
) -> None:
    for sent in (body, Cut(*(body[at : at + 1000] for at in range(0, len(body), 1000)))):
        found, said = await client.ask("POST", f"{V1}/files", sent)
        assert (found, said["error"]["param"]) == (status, param)
        assert words in said["error"]["message"]
    assert client.blobs.kept == {}
    assert (await client.ask("GET", f"{V1}/files"))[1]["data"] == []


async def test_the_longest_file_is_taken(client: Client) -> None:
    file = await client.made(file=b"x" * UPLOAD_BYTES)
    assert file["bytes"] == UPLOAD_BYTES
    accepted: Any = client._door.gateway.accept(head(f"{V1}/files", key=None, authorization="Bearer t"))
    assert accepted.max_body == UPLOAD_BYTES + AROUND


@pytest.mark.parametrize("kind", ["application/json", "multipart/mixed; boundary=b", "text/plain"])
async def test_another_media_type_is_refused(client: Client, kind: str) -> None:
    assert (await client.ask("POST", f"{V1}/files", form(), kind=kind))[0] == 415


async def test_a_boundary_is_needed(client: Client) -> None:
    status, said = await client.ask("POST", f"{V1}/files", form(), kind="multipart/form-data")
    assert status == 400
    assert "boundary" in said["error"]["message"]


async def test_a_body_that_breaks_off_leaves_nothing(client: Client) -> None:
    status, said = await client.ask("POST", f"{V1}/files", Cut(form()[:-20], error=InvalidField("cut short")))
    assert (status, said["error"]["message"]) == (400, "cut short")
    assert client.blobs.kept == {}


async def test_a_full_disk_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full() -> None:
        raise StorageFull("There is no room left.")

    monkeypatch.setattr(client.blobs, "draft", full)
    reply = await client.reply("POST", f"{V1}/files", form())
    assert reply.status == 507
    assert json.loads(reply.body)["error"]["code"] == "InsufficientStorage"
    assert (b"x-should-retry", b"false") in reply.headers


@pytest.mark.parametrize("uncertain", [False, True])
async def test_a_store_that_is_away_leaves_bytes_only_where_somebody_may_speak_of_them(
    client: Client, monkeypatch: pytest.MonkeyPatch, uncertain: bool
) -> None:
    async def away(_: object) -> None:
        raise StoreFailed("away", uncertain=uncertain)

    monkeypatch.setattr(client.documents, "insert", away)
    assert (await client.ask("POST", f"{V1}/files", form()))[0] == (502 if uncertain else 503)
    assert len(client.blobs.kept) == uncertain


async def test_a_file_that_is_deleted_while_it_is_opened_is_not_there(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await client.made()
    read = client.blobs.read

    async def late(blob: Blob) -> Any:
        monkeypatch.undo()
        await client.ask("DELETE", f"{V1}/files/{file['id']}")
        return await read(blob)

    monkeypatch.setattr(client.blobs, "read", late)
    assert (await client.ask("GET", f"{V1}/files/{file['id']}/content"))[0] == 404


async def test_lists(client: Client) -> None:
    made = [(await client.made(purpose=("evals", "vision")[number % 2]))["id"] for number in range(45)]
    _, everything = await client.ask("GET", f"{V1}/files")
    assert [each["id"] for each in everything["data"]] == made[::-1]
    assert (everything["has_more"], everything["first_id"], everything["last_id"]) == (False, made[-1], made[0])
    found, after = [], ""
    while True:
        _, page = await client.ask("GET", f"{V1}/files?limit=4&order=asc&purpose=vision{after}")
        found += [each["id"] for each in page["data"]]
        assert {each["purpose"] for each in page["data"]} == {"vision"}
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    assert found == made[1::2]
    _, none = await client.ask("GET", f"{V1}/files?purpose=batch")
    assert none == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=10001", "limit"), ("limit=x", "limit"), ("order=up", "order"), ("after=x", "after")],
)
async def test_a_page_that_cannot_be(client: Client, query: str, param: str) -> None:
    status, said = await client.ask("GET", f"{V1}/files?{query}")
    assert (status, said["error"]["param"]) == (400, param)


async def test_each_action_has_its_permission(client: Client) -> None:
    name = (await client.made())["id"]
    for who, allowed in (("reader", {"GET"}), ("writer", {"POST"}), ("chatter", set())):
        for method, end in (
            ("POST", ""), ("GET", ""), ("GET", f"/{name}"), ("GET", f"/{name}/content"), ("DELETE", f"/{name}")
        ):  # fmt: skip
            reply = await client.reply(method, f"{V1}/files{end}", form(), who=who)
            assert (reply.status == 200) is (method in allowed), (who, method, end)
            if reply.status != 200:
                assert reply.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/files", 405),
        ("POST", "/files/x", 405),
        ("GET", "/files/x/y", 404),
        ("GET", "/files/a%2Fb", 404),
        ("GET", "/files/..%2F..%2Fx/content", 404),
        ("GET", "/files/%00", 404),
    ],
)
async def test_what_is_no_endpoint(client: Client, method: str, path: str, status: int) -> None:
    for base in (V1, CLASSIC, SALES):
        assert (await client.reply(method, base + path)).status == status
