"""Forms of media: which fields are kept and refused, where files lie, and that cuts in the bytes change none of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.errors import BodyTooLarge, InvalidField, MalformedBody, Refused
from forehearth.dialects import audio, images
from forehearth.dialects.form_fields import LONGEST_TEXT, MOST_PARTS, FormFields, FormRules, read_whole
from forehearth.dialects.multipart import Multipart
from tests.unit.dialects.test_multipart import CUTS, TRICKY, cut

TYPE = b"multipart/form-data; boundary=b"
HEARD, EDITED = audio.transcription_rules(1_000), images.edit_rules(1_000)


def field(name: str, value: bytes | str, filename: str | None = None) -> bytes:
    more = "" if filename is None else f'; filename="{filename}"'
    data = value if isinstance(value, bytes) else value.encode()
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


def form(*fields: bytes) -> bytes:
    return b"".join(fields) + b"--b--\r\n"


FILE = field("file", b"RIFF", "a.wav")


def heard(*fields: bytes, translates: bool = False) -> audio.Transcription:
    return audio.read_transcription(read_whole(TYPE, form(FILE, *fields), HEARD), translates=translates)


def test_what_a_form_says() -> None:
    body = form(
        field("model", "whisper"),
        field("novel", b"\xff"),
        FILE,
        field("language", "en"),
        field("prompt", "Böhm"),
        field("response_format", "verbose_json"),
        field("temperature", "0.5"),
        field("timestamp_granularities[]", "word"),
        field("timestamp_granularities[]", "segment"),
        field("stream", "true"),
    )
    fields = read_whole(TYPE, body, HEARD)
    asked = audio.read_transcription(fields)
    assert body[asked.start : asked.end] == b"RIFF"
    assert fields.model_at is not None
    assert body[slice(*fields.model_at)] == b"whisper"
    assert (asked.model, asked.filename, asked.language, asked.prompt) == ("whisper", "a.wav", "en", "Böhm")
    assert (asked.response_format, asked.temperature, asked.stream) == ("verbose_json", 0.5, True)
    assert asked.timestamp_granularities == ("word", "segment")
    assert fields.read == len("Böhm".encode())


def test_only_what_may_be_there_several_times_has_brackets() -> None:
    fields = read_whole(TYPE, form(field("model[]", "a"), field("file[]", b"x", "b.wav"), FILE), HEARD)
    assert fields.model_at is None
    assert [each.size for each in fields.files] == [4]


def test_what_is_not_said() -> None:
    asked = heard(field("temperature", ""), field("response_format", ""), field("stream", ""))
    assert (asked.model, asked.response_format, asked.temperature, asked.stream) == ("", "json", None, False)


WRONG: list[tuple[bytes, str, str]] = [
    (form(field("model", "m")), "file", "Missing required parameter: 'file'"),
    (form(field("file", b"x")), "file", "no filename"),
    (form(field("file", b"x", "")), "file", "no filename"),
    (form(FILE, FILE), "file", "twice"),
    (form(FILE, field("model", "a"), field("model", "b")), "model", "twice"),
    (
        form(FILE, field("timestamp_granularities", "a"), field("timestamp_granularities[]", "b")),
        "timestamp_granularities",
        "'a'",
    ),
    (form(FILE, field("prompt", b"\xff")), "prompt", "UTF-8"),
    (form(FILE, field("prompt", "x" * (LONGEST_TEXT + 1))), "prompt", "longer than"),
    (
        form(FILE, *(field("timestamp_granularities[]", "x" * 50_000) for _ in range(3))),
        "timestamp_granularities",
        "longer than",
    ),
    (form(FILE, field("response_format", "docx")), "response_format", "'docx'"),
    (form(FILE, field("temperature", "hot")), "temperature", "a number"),
    (form(FILE, field("temperature", "nan")), "temperature", "from 0 to 1"),
    (form(FILE, field("temperature", "1.01")), "temperature", "from 0 to 1"),
    (form(FILE, field("temperature", "0" * 40)), "temperature", "from 0 to 1"),
    (form(FILE, field("stream", "maybe")), "stream", "a boolean"),
    (form(FILE, field("timestamp_granularities[]", "year")), "timestamp_granularities", "'year'"),
]


@pytest.mark.parametrize(("body", "param", "words"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_named(body: bytes, param: str, words: str) -> None:
    with pytest.raises(InvalidField, match=words) as refused:
        audio.read_transcription(read_whole(TYPE, body, HEARD))
    assert refused.value.param == param


def test_a_file_that_is_too_large_is_refused_before_it_has_all_come() -> None:
    parser, fields = Multipart(b"b"), FormFields(HEARD)
    events = parser.feed(field("file", b"x" * 1_001, "a.wav"))
    with pytest.raises(BodyTooLarge, match="longer than 1000 bytes") as refused:
        [fields.take(each) for each in events]
    assert refused.value.param == "file"


def test_speakers_are_not_told_apart_in_a_translation() -> None:
    assert heard(field("response_format", "diarized_json")).response_format == "diarized_json"
    with pytest.raises(InvalidField, match="Supported values are"):
        heard(field("response_format", "diarized_json"), translates=True)


def test_pictures_may_be_many() -> None:
    body = form(
        field("image[]", b"one", "1.png"),
        field("image[]", b"two", "2.png"),
        field("mask", b"m", "m.png"),
        field("prompt", "Both"),
        field("n", "2"),
        field("stream", "True"),
    )
    fields = read_whole(TYPE, body, EDITED)
    assert images.read_edit(fields) is True
    assert [(each.field, each.size) for each in fields.files] == [("image", 3), ("image", 3), ("mask", 1)]


PICTURE = field("image", b"x", "a.png")
WRONG_PICTURES = [
    (form(field("prompt", "x")), "image", "Missing"),
    (form(PICTURE), "prompt", "Missing"),
    (form(PICTURE, field("prompt", "")), "prompt", "Missing"),
    (form(PICTURE, field("prompt", "x"), field("n", "11")), "n", "from 1 to 10"),
    (form(PICTURE, field("prompt", "x"), field("partial_images", "4")), "partial_images", "from 0 to 3"),
    (form(PICTURE, field("prompt", "x"), field("response_format", "png")), "response_format", "'png'"),
]


@pytest.mark.parametrize(("body", "param", "words"), WRONG_PICTURES, ids=range(len(WRONG_PICTURES)))
def test_what_is_wrong_with_pictures_is_named(body: bytes, param: str, words: str) -> None:
    with pytest.raises(InvalidField, match=words) as refused:
        images.read_edit(read_whole(TYPE, body, EDITED))
    assert refused.value.param == param


def test_there_are_not_any_number_of_fields() -> None:
    with pytest.raises(MalformedBody, match="more than"):
        read_whole(TYPE, form(FILE, *(field("n", "1") for _ in range(MOST_PARTS))), FormRules(files={}, texts={}))


FIELDS = st.tuples(
    st.sampled_from(["file", "model", "prompt", "language", "timestamp_granularities[]", "novel", "image", "mask"]),
    (TRICKY | st.binary(max_size=60)).filter(lambda data: b"--b" not in data),
    st.none() | st.just("a.wav"),
)


def verdict(pieces: list[bytes], rules: FormRules) -> Any:
    """All that is known of a form, or why there is none."""
    parser, fields = Multipart(b"b"), FormFields(rules)
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                fields.take(event)
        parser.end()
        fields.end()
    except Refused as error:
        return type(error), error.param
    texts = {name: fields._kept.get(name) for name in rules.texts}
    return fields.files, fields.model_at, texts, fields.read


@given(given=st.lists(FIELDS, max_size=6), cuts=CUTS, rules=st.sampled_from([HEARD, EDITED]))
def test_a_form_is_read_alike_however_it_is_cut(
    given: list[tuple[str, bytes, str | None]], cuts: list[int], rules: FormRules
) -> None:
    body = form(*(field(name, data, filename) for name, data, filename in given))
    whole = verdict([body], rules)
    assert verdict(cut(body, cuts), rules) == whole
    if len(whole) == 4:
        files, model_at, _, _ = whole
        assert [body[each.start : each.end] for each in files] == [d for n, d, _ in given if n in rules.files]
        assert (model_at is None) is ("model" not in [name for name, *_ in given])
        if model_at is not None:
            assert body[slice(*model_at)] in [data for name, data, _ in given if name == "model"]


@given(body=st.binary(max_size=300), cuts=CUTS)
def test_any_bytes_are_a_form_or_refused(body: bytes, cuts: list[int]) -> None:
    assert verdict(cut(body, cuts), HEARD) == verdict([body], HEARD)
