"""Embeddings of a scripted backend: unit vectors drawn from a text's hash. They repeat, and mean nothing."""

import asyncio
import base64
import hashlib
import math
import struct
from typing import Any

import msgspec

from forehearth.providers.scripted_rules import Rule
from forehearth.transport.scripted.completion import counted
from forehearth.transport.scripted.question import Question


async def whole(rule: Rule, question: Question) -> bytes:
    """The embeddings of all of the question's texts, as one object."""
    data: list[dict[str, Any]] = []
    for index, text in enumerate(question.texts):
        vector = _written(direction(text, question.dimensions), packed=question.base64)
        data.append({"object": "embedding", "index": index, "embedding": vector})
        # A large batch takes its time; others have their turn.
        await asyncio.sleep(0)
    body: dict[str, Any] = {"object": "list", "data": data, "model": question.model}
    if rule.fault == "wrong_usage":
        body["usage"] = {"prompt_tokens": 1_000_000, "total_tokens": 1}
    elif rule.fault != "no_usage":
        prompt = counted(rule, question.prompt_tokens, 0).prompt
        body["usage"] = {"prompt_tokens": prompt, "total_tokens": prompt}
    return msgspec.json.encode(body)


def direction(text: str, length: int) -> bytes:
    """The text's direction as `length` singles, little-endian: SHAKE-256 of its UTF-8, brought to length one."""
    drawn = struct.unpack(f"<{length}i", hashlib.shake_256(text.encode()).digest(4 * length))
    size = math.sqrt(sum(number * number for number in drawn)) or 1.0
    return struct.pack(f"<{length}f", *(number / size for number in drawn))


def _written(direction: bytes, *, packed: bool) -> str | tuple[float, ...]:
    return base64.b64encode(direction).decode() if packed else struct.unpack(f"<{len(direction) // 4}f", direction)
