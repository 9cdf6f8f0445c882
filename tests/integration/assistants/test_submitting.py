"""Callers that hand in outputs for one run at once, to a server with two workers: one is taken, the others are told."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import openai
import pytest

from tests.conftest import StartForehearth
from tests.integration.server.toys import eventually

CONFIG = """
version: 1
server: {workers: 2}
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: weather}
        tool_calls: [{name: get_weather, arguments: {city: Paris}}]
deployments:
  m: {backends: [{backend: script}]}
"""
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
ROUNDS = 40
CALLERS = 6


def submit(client: openai.OpenAI, run: Any, given: Any) -> str:
    """The output where it is taken, and nothing where it is refused."""
    try:
        client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=[given])
    except openai.BadRequestError:
        return ""
    return str(given["output"])


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
def test_of_those_who_submit_outputs_at_once_one_is_taken_and_the_others_are_told(
    start_forehearth: StartForehearth,
) -> None:
    server = start_forehearth(CONFIG)
    # A client each, and so a connection each, which the two workers share out between them.
    clients = [
        openai.OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.key, max_retries=0) for _ in range(CALLERS)
    ]
    threads = clients[0].beta.threads
    assistant = clients[0].beta.assistants.create(model="m", tools=[TOOL]).id

    def waits(run: Any) -> bool:
        return threads.runs.retrieve(run.id, thread_id=run.thread_id).status == "requires_action"

    for _ in range(ROUNDS):
        said: Any = {"messages": [{"role": "user", "content": "The weather?"}]}
        run = threads.create_and_run(assistant_id=assistant, thread=said)
        eventually(partial(waits, run))
        (step,) = threads.runs.steps.list(run.id, thread_id=run.thread_id)
        details: Any = step.step_details
        given = [{"tool_call_id": details.tool_calls[0].id, "output": f"output {n}"} for n in range(CALLERS)]
        with ThreadPoolExecutor(CALLERS) as callers:
            answers = list(callers.map(submit, clients, [run] * CALLERS, given))
        kept: Any = threads.runs.steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id)
        assert list(filter(None, answers)) == [kept.step_details.tool_calls[0].function.output]
