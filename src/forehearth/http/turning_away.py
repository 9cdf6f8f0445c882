"""Turns connections away before a listener closes, so that none is made in the moment in which it does.

A connection that the kernel completes between the last look into a listener's queue and its closing is reset, with the
request that was sent on it. From here on the beginnings of connections are dropped: whoever knocks tries again a second
later, as after any lost packet, and is refused then, or finds the server that came in its place.
"""

import contextlib
import ctypes
import socket
import struct
import sys
from typing import Final

SO_ATTACH_FILTER: Final = 26
_FLAGS: Final = 13
"""Where the flags of a TCP header are."""
_SYN, _ACK = 0x02, 0x10
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_EVERY_BYTE: Final = 0xFFFF_FFFF
_PROGRAM: Final = b"".join(
    struct.pack("=HBBI", *line)
    for line in (
        (_LOAD_BYTE, 0, 0, _FLAGS),
        (_AND, 0, 0, _SYN | _ACK),
        (_JUMP_IF_EQUAL, 0, 1, _SYN),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _EVERY_BYTE),
    )
)
"""In the kernel's language of filters: what begins a connection is dropped; connections that are being made go on."""


def turn_away(listener: socket.socket) -> bool:
    """Let no connection begin any more, in whichever process the listener is open. Whether that is possible here."""
    if sys.platform != "linux" or listener.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    program = ctypes.create_string_buffer(_PROGRAM, len(_PROGRAM))
    told = struct.pack("@HP", len(_PROGRAM) // 8, ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, told)
        return True
    return False
