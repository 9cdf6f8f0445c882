"""The real model, held to hundreds of schemas by chance: whatever it ends by itself is valid, and memory stays flat."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from forehearth.embedded.catalogue import source_of
from forehearth.embedded.host import EmbeddedHost, HostLimits, open_host
from forehearth.embedded.package_client import find
from forehearth.embedded.weights import default_cache, ensure
from tests.soak.length import part
from tests.unit.embedded.fake_engine import parsed, post
from tests.unit.embedded.random_schemas import SchemaMaker

CHAT = "smollm2-135m-instruct"
SCHEMAS = part(400, least=120)
WARM = 100
GROWTH_MIB = 32

pytestmark = pytest.mark.models


async def outcome(host: EmbeddedHost, seed: int) -> str:
    """What became of one schema; an answer that is not valid against it fails."""
    schema = SchemaMaker(seed).schema()
    body: dict[str, Any] = {
        "model": CHAT,
        "messages": [{"role": "user", "content": "Give me an example of something."}],
        "temperature": seed % 3,
        "seed": seed,
        "max_tokens": 48,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    reply = await post(host, "/v1/chat/completions", body)
    answer = parsed(reply)
    if reply.status != 200:
        assert reply.status == 400, answer
        assert "engine" not in answer["error"]["message"], f"the engine refused the grammar of {schema}"
        return str(answer["error"]["code"])
    choice = answer["choices"][0]
    if choice["finish_reason"] == "stop":
        value = json.loads(choice["message"]["content"])
        assert jsonschema.Draft202012Validator(schema).is_valid(value), f"{schema} does not allow {value}"
    return str(choice["finish_reason"])


def resident() -> int:
    """Resident memory of this process, in MiB."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024


async def test_what_the_model_ends_itself_is_valid(record_property: Callable[[str, object], None]) -> None:
    environment = dict(os.environ)
    weights = await ensure(CHAT, default_cache(environment), lambda _: None, find(environment))
    counted: Counter[str] = Counter()
    async with open_host({CHAT: source_of(CHAT, weights)}, HostLimits(slots=4)) as host:
        for start in range(0, SCHEMAS, 4):
            if start == WARM:
                before = resident()
            counted.update(await asyncio.gather(*(outcome(host, seed) for seed in range(start, start + 4))))
        grown = resident() - before
    for name, count in counted.items():
        record_property(name, count)
    record_property("grown_mib", grown)
    assert counted["stop"] > SCHEMAS / 4
    assert grown < GROWTH_MIB
