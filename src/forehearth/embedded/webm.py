"""Takes the sound out of WebM, as browsers record it, and puts the same packets into Ogg, which the decoder reads.

Only Opus, and only the first track of it. The file is a stranger's: every size is checked against what is there.
"""

import struct
from collections.abc import Iterator
from typing import Final

MARK: Final = b"\x1a\x45\xdf\xa3"

_SEGMENT, _CLUSTER, _BLOCK_GROUP = 0x18538067, 0x1F43B675, 0xA0
_TRACKS, _TRACK = 0x1654AE6B, 0xAE
_NUMBER, _CODEC, _PRIVATE = 0xD7, 0x86, 0x63A2
_BLOCK, _SIMPLE_BLOCK = 0xA1, 0xA3
_WITHIN: Final = frozenset((_SEGMENT, _CLUSTER, _BLOCK_GROUP, _TRACKS))

_LACED: Final = 0x06
_TICKS: Final = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Samples of a frame at 48 kHz by a packet's configuration (RFC 6716, 3.1)."""
_LONGEST_PACKET: Final = 61_440
_SERIAL: Final = 1


class NotWebm(Exception):
    """The file is not WebM with Opus in it."""


def opus_of(content: bytes) -> bytes:
    """The same sound as Ogg Opus. Raises `NotWebm`."""
    head, number, packets = b"", -1, list[bytes]()
    for kind, body in _elements(memoryview(content)):
        if kind == _TRACK and number < 0:
            number, head = _opus_track(body)
        elif kind in (_BLOCK, _SIMPLE_BLOCK) and number >= 0:
            packets += _packets(body, number)
    if number < 0 or len(head) > _LONGEST_PACKET:
        raise NotWebm
    return b"".join(_pages(head, packets))


def _elements(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The elements in turn; those that are mere folders are entered. What is cut short ends the file."""
    at = 0
    while at < len(content):
        kind, at = _number(content, at, keep_mark=True)
        size, at = _number(content, at, keep_mark=False)
        if kind in _WITHIN:
            continue
        if size < 0 or at > len(content):
            return
        yield kind, content[at : at + size]
        at += size


def _number(content: memoryview, at: int, *, keep_mark: bool) -> tuple[int, int]:
    """A number of variable length, and where the next byte is; -1 for an unknown size. Past the end: zero."""
    if at >= len(content) or content[at] == 0:
        return 0, len(content) + 1
    length = 9 - content[at].bit_length()
    value = int.from_bytes(content[at : at + length], "big")
    if keep_mark:
        return value, at + length
    value &= (1 << 7 * length) - 1
    return (-1 if value == (1 << 7 * length) - 1 else value), at + length


def _opus_track(body: memoryview) -> tuple[int, bytes]:
    """The track's number and the head of its Opus stream; -1 for another kind of track."""
    told = dict(_elements(body))
    if bytes(told.get(_CODEC, b"")) != b"A_OPUS" or _PRIVATE not in told:
        return -1, b""
    return int.from_bytes(told.get(_NUMBER, memoryview(b"\0")), "big"), bytes(told[_PRIVATE])


def _packets(body: memoryview, wanted: int) -> list[bytes]:
    number, at = _number(body, 0, keep_mark=False)
    if number != wanted or at + 3 > len(body):
        return []
    if body[at + 2] & _LACED:
        raise NotWebm
    packet = bytes(body[at + 3 :])
    return [packet] if 0 < len(packet) <= _LONGEST_PACKET else []


def _pages(head: bytes, packets: list[bytes]) -> Iterator[bytes]:
    """One page for each packet: a little larger than need be, and simple."""
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
    yield _page(head, 0, 0, first=True)
    yield _page(tags, 0, 1)
    heard = 0
    for at, packet in enumerate(packets, 2):
        heard += _samples(packet)
        yield _page(packet, heard, at, last=at == len(packets) + 1)


def _page(packet: bytes, heard: int, at: int, *, first: bool = False, last: bool = False) -> bytes:
    laces = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    flags = 2 * first + 4 * last
    begin = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, heard, _SERIAL, at, 0, len(laces)) + laces
    check = _checksum(begin + packet)
    return begin[:22] + struct.pack("<I", check) + begin[26:] + packet


def _samples(packet: bytes) -> int:
    """How long a packet sounds, in samples at 48 kHz."""
    code, counted = packet[0] & 3, packet[1] & 63 if len(packet) > 1 else 0
    return _TICKS[packet[0] >> 3] * (1, 2, 2, counted)[code]


def _table() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte << 24
        for _ in range(8):
            rest = ((rest << 1) ^ (0x04C11DB7 if rest & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(rest)
    return table


_CHECKS: Final = _table()


def _checksum(page: bytes) -> int:
    """Ogg's own: CRC-32 of another direction than zlib's."""
    check = 0
    for byte in page:
        check = ((check << 8) & 0xFFFFFFFF) ^ _CHECKS[(check >> 24) ^ byte]
    return check
