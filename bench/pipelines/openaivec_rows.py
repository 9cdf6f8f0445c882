"""openaivec over a series of pandas, with so many rows in each request, by the Responses API, which it asks with.

It counts tokens with tiktoken, whose tables are fetched from the internet; a stand-in that counts words is in their
place, which is cheaper.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Literal

import openaivec
import pandas as pd
import tiktoken
from openai import AsyncOpenAI, OpenAI
from openaivec import pandas_ext  # noqa: F401 - it gives series their accessor
from pydantic import BaseModel

from bench.pipelines.measured import CONCURRENCY, contest

_INSTRUCTIONS = "Say for each ticket which team it is for, how urgent it is, and what it is about."


class Ticket(BaseModel):
    """What is asked of a row."""

    team: Literal["billing", "technical"]
    urgency: int
    summary: str


class _Words:
    def encode_ordinary(self, text: str) -> list[str]:
        return text.split()

    encode = encode_ordinary


async def _ask(prompts: Sequence[str], url: str, rows: int) -> list[dict[str, Any]]:
    client = AsyncOpenAI(base_url=url, api_key="bench")
    openaivec.set_async_client(client)
    openaivec.set_client(OpenAI(base_url=url, api_key="bench"))
    openaivec.set_responses_model("bench")
    found = await pd.Series(list(prompts)).aio.responses(
        _INSTRUCTIONS, response_format=Ticket, batch_size=rows, max_concurrency=CONCURRENCY, show_progress=False
    )
    await client.close()
    return [each.model_dump() for each in found]


def main() -> None:
    """Enrich with as many rows in a request as the last argument says."""
    rows = int(sys.argv.pop())
    for name in ("get_encoding", "encoding_for_model"):
        setattr(tiktoken, name, lambda _: _Words())
    contest(lambda prompts, url: asyncio.run(_ask(prompts, url, rows)))


if __name__ == "__main__":
    main()
