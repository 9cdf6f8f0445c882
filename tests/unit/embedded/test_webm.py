"""WebM's packets come out as they went in, in Ogg; and no file, however it is made, brings the reader down."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.embedded.webm import MARK, NotWebm, opus_of

HEAD = b"OpusHead" + bytes(11)
UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"


def element(kind: bytes, body: bytes, size: bytes | None = None) -> bytes:
    return kind + (size or struct.pack(">Q", len(body) | 1 << 56)) + body


def webm(
    packets: list[bytes],
    *,
    codec: bytes = b"A_OPUS",
    head: bytes = HEAD,
    flags: int = 0,
    sizes: bytes | None = None,
) -> bytes:
    track = element(b"\xd7", b"\x01") + element(b"\x86", codec) + element(b"\x63\xa2", head)
    blocks = b"".join(element(b"\xa3", b"\x81\x00\x00" + bytes([flags]) + packet) for packet in packets)
    other = element(b"\xa3", b"\x82\x00\x00\x00a picture")
    tracks = element(b"\x16\x54\xae\x6b", element(b"\xae", track))
    clusters = element(b"\x1f\x43\xb6\x75", element(b"\xe7", b"\x00") + other + blocks, sizes)
    return element(MARK, b"") + element(b"\x18\x53\x80\x67", tracks + clusters, sizes)


def pages(ogg: bytes) -> list[tuple[int, int, bytes]]:
    """Flags, position and packet of each page."""
    found = []
    while ogg:
        mark, _, flags, heard, _, _, _, count = struct.unpack_from("<4sBBqIIIB", ogg)
        assert mark == b"OggS"
        laces = ogg[27 : 27 + count]
        found.append((flags, heard, ogg[27 + count : 27 + count + sum(laces)]))
        ogg = ogg[27 + count + sum(laces) :]
    return found


@pytest.mark.parametrize("sizes", [None, UNKNOWN])
def test_packets_are_kept(sizes: bytes | None) -> None:
    packets = [b"\x08" + b"a" * 100, b"\x0b\x03" + b"b" * 254, b"\xfc" + b"c" * 600]
    head, tags, *rest = pages(opus_of(webm(packets, sizes=sizes)))
    assert head == (2, 0, HEAD)
    assert tags[2].startswith(b"OpusTags")
    assert [packet for _, _, packet in rest] == packets
    assert [heard for _, heard, _ in rest] == [960, 960 + 3 * 960, 960 + 3 * 960 + 960]
    assert [flags for flags, _, _ in rest] == [0, 0, 4]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MARK,
        webm([b"\x08x"], codec=b"A_VORBIS"),
        webm([b"\x08x"], flags=2),
        webm([b"\x08x"], head=HEAD + bytes(66_000)),
        element(b"\x18\x53\x80\x67", b""),
    ],
)
def test_what_is_no_opus_in_webm_is_said(content: bytes) -> None:
    with pytest.raises(NotWebm):
        opus_of(content)


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 255))
def test_no_bytes_bring_it_down(content: bytes, at: int, byte: int) -> None:
    damaged = bytearray(webm([b"\x08" + b"a" * 50] * 2))
    damaged[at % len(damaged)] = byte
    for each in (content, MARK + content, bytes(damaged), bytes(damaged[:at])):
        with contextlib.suppress(NotWebm):
            assert opus_of(each).startswith(b"OggS")
