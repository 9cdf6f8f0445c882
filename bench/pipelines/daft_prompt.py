"""Daft's `prompt()` over a frame, with a model of pydantic; it chooses how many calls are under way."""

from collections.abc import Sequence
from typing import Any

import daft
from daft.functions import prompt
from pydantic import BaseModel

from bench.pipelines.measured import contest


class Ticket(BaseModel):
    """What is asked of a row; with a `Literal` as the others have it, this release never comes to an end."""

    team: str
    urgency: int
    summary: str


def _ask(prompts: Sequence[str], url: str) -> list[dict[str, Any]]:
    provider = daft.ai.provider.load_provider("openai", "bench", base_url=url, api_key="bench")
    frame = daft.from_pydict({"prompt": list(prompts)}).with_column(
        "answer",
        prompt(
            daft.col("prompt"),
            return_format=Ticket,
            provider=provider,
            model="bench",
            use_chat_completions=True,
            max_completion_tokens=256,
        ),
    )
    return list(frame.to_pydict()["answer"])


if __name__ == "__main__":
    contest(_ask, warm_up=0)  # a second query of one process never comes to an end in this release
