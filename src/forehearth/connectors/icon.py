"""The icon of exported connectors: a flame below an arch, drawn here, as a PNG that designers take.

They want a square of 100 to 230 pixels with an opaque background that is not white.
"""

import struct
import zlib
from typing import Final

BRAND_COLOR: Final = "#8a3b1e"
SIDE: Final = 160
"""Pixels."""
_BACKGROUND: Final = bytes.fromhex(BRAND_COLOR[1:])
_ARCH: Final = bytes.fromhex("f6e7d8")
_HOLLOW: Final = bytes.fromhex("3a1a10")
_FLAME: Final = bytes.fromhex("f39c2c")
_CORE: Final = bytes.fromhex("ffe08a")
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def icon() -> bytes:
    """The picture."""
    rows = (b"\0" + b"".join(_pixel(x, y) for x in range(SIDE)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(x: int, y: int) -> bytes:
    """The colour at a place, counted from the middle and from the ground up."""
    across, up = abs(x - SIDE // 2), SIDE - 28 - y
    if not _below_arch(across, up, 56):
        return _BACKGROUND
    if not _below_arch(across, up, 42):
        return _ARCH
    if _in_flame(across, up, 20, 62):
        return _CORE if _in_flame(across, up, 10, 32) else _FLAME
    return _HOLLOW


def _below_arch(across: int, up: int, radius: int) -> bool:
    """Whether a place is within a door with a round top of that radius."""
    springing = 42
    return up >= 0 and across <= radius and (up <= springing or across**2 + (up - springing) ** 2 <= radius**2)


def _in_flame(across: int, up: int, half: int, height: int) -> bool:
    """Whether a place is within a drop: round below, and to a point above."""
    if up < half:
        return up >= 0 and across**2 + (up - half) ** 2 <= half**2
    return across <= half * (1 - (up - half) / (height - half)) if up <= height else False
