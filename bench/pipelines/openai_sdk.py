"""OpenAI's own client in asyncio, as its documentation shows it: a model of pydantic, so many calls at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from openai import AsyncOpenAI
from pydantic import BaseModel

from bench.pipelines.measured import CONCURRENCY, contest


class Ticket(BaseModel):
    """What is asked of a row."""

    team: Literal["billing", "technical"]
    urgency: int
    summary: str


async def _ask_each(client: AsyncOpenAI, left: Iterator[tuple[int, str]], found: list[Any]) -> None:
    for at, prompt in left:
        answer = await client.chat.completions.parse(
            model="bench",
            messages=[{"role": "user", "content": prompt}],
            response_format=Ticket,
            max_completion_tokens=256,
        )
        ticket = answer.choices[0].message.parsed
        found[at] = None if ticket is None else ticket.model_dump()


async def _ask(prompts: Sequence[str], url: str) -> list[dict[str, Any]]:
    found: list[Any] = [None] * len(prompts)
    left = iter(enumerate(prompts))
    async with AsyncOpenAI(base_url=url, api_key="bench") as client:
        await asyncio.gather(*(_ask_each(client, left, found) for _ in range(CONCURRENCY)))
    return found


if __name__ == "__main__":
    contest(lambda prompts, url: asyncio.run(_ask(prompts, url)))
