"""A backend's limits with several worker processes: one for all of them, and whoever takes the calls can use it up."""

from concurrent.futures import ThreadPoolExecutor

from tests.conftest import StartForehearth
from tests.integration.limits.asking import ask

LIMIT, CALLS = 7, 40
CONFIGURATION = f"""
version: 1
backends:
  provisioned: {{provider: scripted, rules: [{{answer: From the first.}}]}}
  standard: {{provider: scripted, rules: [{{answer: From the second.}}]}}
deployments:
  chat:
    backends:
      - {{backend: provisioned, limits: {{requests_per_minute: {LIMIT}}}}}
      - {{backend: standard, priority: 2}}
"""


def test_workers_pass_a_backends_limit_neither_together_nor_leave_a_part_of_it(start_forehearth: StartForehearth):
    server = start_forehearth(CONFIGURATION, "--workers", "3")
    with ThreadPoolExecutor(CALLS) as callers:
        answers = list(callers.map(lambda _: ask(server, server.key, {"model": "chat"}), range(CALLS)))
    assert {answer.status for answer in answers} == {200}
    spilled = [answer for answer in answers if "x-ms-spillover-from-deployment" in answer.headers]
    assert len(spilled) == CALLS - LIMIT
    assert all(b"From the second" in answer.body for answer in spilled)
