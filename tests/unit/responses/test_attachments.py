"""Images and files of a question: found where whoever asks is, or at their address, and shown as a model can see."""

import base64

import msgspec
import pytest

from forehearth.core.errors import AddressFailed, AddressRefused, InvalidField, PermissionDenied
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.core.upstream import Response
from forehearth.files.records import NewFile
from forehearth.responses import attachments
from tests.unit.responses.stage import HERE, Stage, says, somebody
from tests.unit.responses.test_loop import wants
from tests.unit.responses.tool_sources import Source, mcp, tool

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
PDF = b"%PDF-1.7 rest"
PROJECT = Place(resource="here", project="p")


def url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def asks(*parts, **more):
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "See."}, *parts]}]} | more


def file(**members):
    return {"type": "input_file", **members}


def image(**members):
    return {"type": "input_image", **members}


async def kept(stage: Stage, data: bytes, filename: str = "notes.txt", place: Place = HERE) -> str:
    draft = await stage.files.draft()
    await draft.write(data)
    return (await stage.files.keep(place, draft, NewFile(filename=filename, purpose="user_data"))).id


def shown(stage: Stage):
    """What the model was shown besides the text."""
    (part,) = stage.models.asked()["messages"][-1]["content"][1:]
    return part


async def test_a_text_file_by_its_id_is_shown_as_text():
    stage = Stage(says())
    id_ = await kept(stage, "Grüße".encode(), 'a "b" <c>.txt')
    made = await stage.create(**asks(file(file_id=id_)))
    text = '<file name="a &quot;b&quot; &lt;c>.txt">\nGrüße\n</file>'
    assert shown(stage) == {"type": "text", "text": text}
    items = (await stage.responses.input_items(somebody(), made["id"]))["data"]
    assert items[0]["content"][1] == {"type": "input_file", "file_id": id_}, "what was sent is what is listed"
    await stage.create(input="And?", previous_response_id=made["id"])
    assert stage.models.asked()["messages"][0]["content"][1]["text"] == text


async def test_a_pdf_is_handed_on_as_a_file_and_an_image_as_an_image():
    stage = Stage(says())
    await stage.create(**asks(file(file_id=await kept(stage, PDF, "a.pdf"))))
    assert shown(stage)["file"] == {"filename": "a.pdf", "file_data": url(PDF, "application/pdf")}
    await stage.create(**asks(image(file_id=await kept(stage, PNG, "a.png"), detail="low")))
    assert shown(stage)["image_url"] == {"url": url(PNG, "image/png"), "detail": "low"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (url(b"a,b\n1,2", "text/csv"), "a,b\n1,2"),
        (base64.b64encode(b"bare").decode(), "bare"),
        ("data:,hello%20there", "hello there"),
        (url("é".encode("utf-16"), "text/plain"), "é"),
        (url(b"\xef\xbb\xbfmarked", "text/plain"), "marked"),
    ],
)
async def test_text_within_the_body(data, text):
    stage = Stage(says())
    await stage.create(**asks(file(file_data=data, filename="f")))
    assert shown(stage)["text"] == f'<file name="f">\n{text}\n</file>'


async def test_a_file_by_its_address_is_fetched_by_the_guarded_client():
    stage = Stage(says())
    stage.addresses.answers["https://a.example/deep/n%C3%A9.md?x=1"] = Response(status=200, body=b"# Hi")
    await stage.create(**asks(file(file_url="https://a.example/deep/n%C3%A9.md?x=1")))
    assert shown(stage)["text"] == '<file name="né.md">\n# Hi\n</file>'
    (request,) = stage.addresses.asked
    assert request.most_bytes == attachments.LARGEST
    assert request.param == "input[0].content[1].file_url"


async def test_an_image_by_its_address_is_the_host_s_to_fetch_or_ours():
    stage = Stage(says())
    stage.addresses.answers["https://a.example/b"] = Response(status=200, body=PNG)
    await stage.create(**asks(image(image_url="https://a.example/b")))
    assert shown(stage)["image_url"]["url"] == "https://a.example/b"
    assert stage.addresses.asked == []
    stage.hosts.fetched = True
    await stage.create(**asks(image(image_url="https://a.example/b")))
    assert shown(stage)["image_url"]["url"] == url(PNG, "image/png")
    await stage.create(**asks(image(image_url=url(PNG, "image/png"))))
    assert len(stage.addresses.asked) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(status=404, body=b"no"), AddressFailed),
        (Response(status=200, body=b"\x00\x01"), InvalidField),
        (AddressRefused("Not that one.", reason="private"), AddressRefused),
    ],
)
async def test_what_an_address_does_not_give(answer, error):
    stage = Stage(says())
    stage.addresses.answers["https://a.example/"] = answer
    with pytest.raises(error):
        await stage.create(**asks(file(file_url="https://a.example/")))
    assert stage.models.calls == []


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (file(file_id="file-none"), "file_id"),
        (file(file_data="data:text/plain;base64"), "file_data"),
        (file(file_data="%%%"), "file_data"),
        (file(file_data=url(b"PK\x03\x04\x00", "application/zip"), filename="a.docx"), "file_data"),
        (file(file_data=url(b"\xff\xfe\xff", "")), "file_data"),
        (file(), "file_data"),
        (file(file_id="a", file_url="https://b"), "file_data"),
        (image(file_id="a", image_url="https://b"), "image_url"),
        (image(image_url="ftp://a/b.png"), "image_url"),
        (image(), "image_url"),
    ],
)
async def test_what_cannot_be_shown_is_refused_by_its_place(part, param):
    with pytest.raises(InvalidField) as caught:
        await Stage(says()).create(**asks(part))
    assert caught.value.param == f"input[0].content[1].{param}"


async def test_an_image_that_is_none():
    stage = Stage(says())
    with pytest.raises(InvalidField, match="no image"):
        await stage.create(**asks(image(file_id=await kept(stage, b"text"))))


async def test_a_file_of_another_place_is_not_there():
    stage = Stage(says())
    theirs = await kept(stage, b"secret", place=PROJECT)
    with pytest.raises(InvalidField, match="There is no file"):
        await stage.create(**asks(file(file_id=theirs)))
    await stage.create(somebody(PROJECT), **asks(file(file_id=theirs)))
    stage = Stage(b"{}", passes=True)
    theirs = await kept(stage, b"secret", place=PROJECT)
    with pytest.raises(InvalidField, match="There is no file"):
        await stage.create(**asks(file(file_id=theirs), novel=1))


async def test_who_may_not_read_files_may_not_have_them_read_to_a_model():
    stage = Stage(says())
    id_ = await kept(stage, b"secret")
    caller = somebody()
    grants = (Grant(place=HERE, permissions=frozenset(Permission) - {Permission.READ_FILES}),)
    caller = msgspec.structs.replace(caller, principal=msgspec.structs.replace(caller.principal, grants=grants))
    with pytest.raises(PermissionDenied):
        await stage.create(caller, **asks(file(file_id=id_)))
    await stage.create(caller, **asks(file(file_data="data:,x")))


async def test_bounds(monkeypatch: pytest.MonkeyPatch):
    stage = Stage(says())
    id_ = await kept(stage, b"x" * 100)
    monkeypatch.setattr(attachments, "LARGEST", 99)
    with pytest.raises(InvalidField, match="at most 99 bytes"):
        await stage.create(**asks(file(file_id=id_)))
    monkeypatch.setattr(attachments, "LARGEST", 100)
    monkeypatch.setattr(attachments, "MOST_BYTES", 250)
    with pytest.raises(InvalidField, match="of a question 250"):
        await stage.create(**asks(*[file(file_id=id_)] * 3))
    monkeypatch.setattr(attachments, "MOST", 1)
    with pytest.raises(InvalidField, match="At most 1 "):
        await stage.create(**asks(*[file(file_id=id_)] * 2))


async def test_a_host_with_this_api_is_sent_bytes_for_ids_and_addresses_as_they_are():
    host = b'{"id": "r", "output": []}'
    stage = Stage(host, passes=True)
    stage.addresses.answers["https://a.example/b"] = Response(status=200, body=b"text")
    id_ = await kept(stage, b"text", "n.txt")
    made = await stage.create(**asks(file(file_id=id_)))
    (part,) = stage.models.passed()["input"][0]["content"][1:]
    assert part == {"type": "input_file", "filename": "n.txt", "file_data": url(b"text", "text/plain")}
    await stage.create(**asks(file(file_url="https://a.example/b"), previous_response_id=made["id"]))
    first, last = stage.models.passed()["input"]
    assert first["content"][1] == part
    assert last["content"][1] == {"type": "input_file", "file_url": "https://a.example/b"}
    await stage.create(**asks(image(file_id=await kept(stage, PNG), detail="low"), novel=1))
    (part,) = stage.models.passed()["input"][0]["content"][1:]
    assert part == {"type": "input_image", "image_url": url(PNG, "image/png"), "detail": "low"}


async def test_files_and_truncation_hold_in_a_loop_of_tools():
    stage = Stage(wants("read"), says("Done."))
    stage.sources["files"] = Source(tool("read", reads=True))
    id_ = await kept(stage, b"text", "n.txt")
    made = await stage.create(**asks(file(file_id=id_)), tools=[mcp()], truncation="auto")
    assert [item["type"] for item in made["output"]] == ["mcp_list_tools", "mcp_call", "message"]
    for call, asked in enumerate(stage.models.calls):
        assert stage.models.asked(call)["messages"][0]["content"][1]["text"] == '<file name="n.txt">\ntext\n</file>'
        assert asked.truncation == "auto"
