"""The entrance as a plain ASGI application: the same calls without our protocol class, one setting away.

What ASGI does not show cannot be guarded here: faults of the head that uvicorn's parser lets pass, timers of the head, a half-close
(an end of stream is a departure), how fast a client reads. The rest is the same: who is let in, bodies
bounded in bytes and time, a call cancelled when its client leaves, a stream closed however it ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from forehearth.core.errors import BodyTooLarge, BodyTooSlow, Refused, UnsupportedMediaType
from forehearth.core.exchange import Reply
from forehearth.core.settings import InboundLimits
from forehearth.http.faults import Malformed, internal_error
from forehearth.http.head import Peer, Request, RequestLine, understand
from forehearth.http.log import report
from forehearth.http.replies import has_body
from forehearth.ports.entrance import Admission, Entrance

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
