"""Requests as curl and Python: what is written says what was asked, whatever the prompt is, and shows no secret."""

import ast
import json
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.connectors import shown
from forehearth.connectors.asking import Prompt, ask
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES

ADDRESS = Address.of_url("http://127.0.0.1:8080")
KEY = shown.key_at(Path("/a home/it's/development"))
TOKEN = shown.token_by("$(forehearth token)", ('eval "$(forehearth login)"',))
TEXTS = st.text().filter(lambda text: text.encode(errors="ignore").decode() == text and "\0" not in text)


def asked(shape, **prompt):
    return ask(SHAPES[shape], ADDRESS, Prompt(**({"text": "Hi.", "deployment": "chat"} | prompt)))


@given(text=TEXTS, shape=st.sampled_from(list(SHAPES)))
def test_the_command_has_the_body_as_one_word(text, shape):
    request = asked(shape, text=text)
    words = shlex.split(shown.curl(request, shown.key_in("K")).replace("\\\n", ""))
    assert json.loads(words[words.index("-d") + 1]) == request.body
    assert words[3] == request.url


@given(text=TEXTS, shape=st.sampled_from(list(SHAPES)), stream=st.booleans())
def test_the_program_has_every_member_as_an_argument(text, shape, stream):
    request = asked(shape, text=text, stream=stream)
    tree = ast.parse(shown.python(request, TOKEN if shape == "project" else KEY))
    calls = [each.value for each in tree.body if isinstance(each, ast.Assign) and each.targets[0].id == "answer"]
    arguments = {each.arg: ast.literal_eval(each.value) for each in calls[0].keywords}
    assert arguments == {"model": "chat", **request.body}


def test_a_key_is_named_by_its_file():
    command = shown.curl(asked("classic"), KEY)
    assert """-H "api-key: $(cat '/a home/it'"'"'s/development')\"""" in command
    assert """Path("/a home/it's/development").read_text().strip()""" in shown.python(asked("classic"), KEY)


def test_a_certificate_is_named_where_it_is_needed():
    assert "--cacert '/a b.pem'" in shown.curl(asked("v1"), KEY, Path("/a b.pem"))


@pytest.mark.parametrize("shape", ["foundry", "v1", "responses", "classic", "project"])
def test_a_token_comes_from_azure_identity_with_the_scope_of_the_shape(shape):
    program = shown.python(asked(shape), TOKEN)
    assert program.count("import DefaultAzureCredential") == 1
    assert '# first: eval "$(forehearth login)"' in program
    assert (SHAPES[shape].scope in program) is (shape != "project")
