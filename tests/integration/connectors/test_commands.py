"""`forehearth endpoints` and `forehearth call` beside a running server; the exports are read by a shell."""

import io
import json
import os
import pty
import select
import subprocess
import time

import pytest

from forehearth.connectors.shapes import SHAPES
from tests.forehearth_server import PROGRAM


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", [(), ("--no-stream",), ("--auth", "token")], ids=str)
def test_a_prompt_in_every_shape(command, shape, how):
    assert command("call", "--shape", shape, "--deployment", "chat", *how, "Grüß dich.") == (0, "Grüß dich.\n", "")


def test_the_answer_for_programs(command, server):
    status, out, _ = command("call", "--shape", "classic", "--json", "Hi.")
    assert (status, json.loads(out)) == (
        0,
        {
            "shape": "classic",
            "url": f"{server.url}/openai/deployments/chat/chat/completions?api-version=2024-10-21",
            "deployment": "chat",
            "text": "Hi.",
        },
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--deployment", "gone"), ("404", "'gone'", "forehearth endpoints")),
        (("--key", "fh-none-of-ours"), ("401", "not known there", "forehearth keys list")),
        (("--shape", "project", "--auth", "key", "--deployment", "chat"), ("401", "--auth token")),
        (("--shape", "project", "--project", "gone", "--deployment", "chat"), ("404", "'gone'", "--project")),
        (("--shape", "classic", "--api-version", "soon", "--deployment", "chat"), ("404", "api-version=2024-10-21")),
        (("--auth", "token", "--token", "a.b.c", "--deployment", "chat"), ("401", "expired")),
        (
            ("--url", "http://127.0.0.1:1", "--key", "k", "--deployment", "chat"),
            ("does not answer", "forehearth serve"),
        ),
        (("--url", "https://nowhere.invalid", "--key", "k", "--deployment", "chat"), ("cannot be resolved", "DNS")),
        (("--url", "http://192.0.2.1"), ("no key", "--key")),
        (("--url", "http://x", "--resource", "y"), ("--url and --resource", "Leave one")),
        (("--resource", "a.b"), ("name of a resource", "")),
        (("--key", "ä"), ("characters", "")),
    ],
)
def test_what_goes_wrong_is_told_with_its_remedy(command, arguments, words):
    status, out, err = command("call", *arguments, "Hi.")
    assert (status != 0, out) == (True, "")
    assert [word for word in words if word not in err] == [], err
    assert "Traceback" not in err


def test_a_stream_that_breaks_off_is_no_success(command):
    status, out, err = command("call", "--deployment", "chat", "break off")
    assert status == 1, (out, err)
    assert "forehearth doctor" in err
    assert "The server" in err
    assert "backend" not in err


def test_a_data_directory_without_a_server_leads_to_no_other(command, tmp_path):
    for arguments in (("call", "--key", "k", "Hi."), ("chat", "--key", "k"), ("doctor",)):
        status, out, err = command(*arguments, data_dir=tmp_path)
        assert (status, out) == (1, "")
        assert f"no server works in {tmp_path}" in err
        assert "--url" in err


def test_the_list_has_the_deployments_and_every_shape(command, server):
    status, out, err = command("endpoints")
    assert (status, err) == (0, "")
    assert ["chat", "-", "yes"] in [line.split() for line in out.splitlines()]
    for shape in SHAPES.values():
        assert shape.title in out
    found = json.loads(command("endpoints", "--json")[1])
    assert [each["shape"] for each in found["shapes"]] == [*SHAPES]
    chats = {each["name"]: each["chats"] for each in found["deployments"]}
    assert chats == dict.fromkeys(("vectors", "pictures", "heard"), False) | dict.fromkeys(
        ("chat", "limited", "breaking", "ill"), True
    )
    by_token = json.loads(command("endpoints", "--json", "--auth", "token")[1])["deployments"]
    told = {each["name"]: (each["model"], each["chats"]) for each in by_token}
    assert (told["vectors"], told["chat"]) == (("vectors", False), ("gpt-x", True))
    assert f"{server.url}/models" in out


@pytest.mark.parametrize("how", ["--compare", "--operations", "--markdown"])
def test_other_forms_of_the_list(command, how):
    status, out, _ = command("endpoints", how)
    assert status == 0
    for title in ("Foundry Models", "OpenAI v1", "Classic Azure OpenAI", "Projects"):
        assert title in out
    assert ("`" in out) is (how == "--markdown")


def test_what_a_resource_of_azure_has_needs_no_network(command):
    found = json.loads(command("endpoints", "--resource", "contoso", "--project", "sales", "--json")[1])
    assert found["deployments"] is None
    assert [each["baseUrl"] for each in found["shapes"]][
        -1
    ] == "https://contoso.services.ai.azure.com/api/projects/sales"


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        ("openai", {"OPENAI_BASE_URL": "{url}/openai/v1/", "OPENAI_API_KEY": "{key}"}),
        (
            "azure",
            {
                "AZURE_OPENAI_ENDPOINT": "{url}",
                "OPENAI_API_VERSION": "2024-10-21",
                "AZURE_OPENAI_API_KEY": "{key}",
                "AZURE_OPENAI_DEPLOYMENT": "chat",
            },
        ),
        (
            "projects",
            {
                "FOUNDRY_PROJECT_ENDPOINT": "{tls_url}/api/projects/default",
                "FOUNDRY_MODEL_NAME": "chat",
                "AZURE_AI_PROJECT_ENDPOINT": "{tls_url}/api/projects/default",
                "AZURE_AI_MODEL_DEPLOYMENT_NAME": "chat",
                "PROJECT_ENDPOINT": "{tls_url}/api/projects/default",
                "MODEL_DEPLOYMENT_NAME": "chat",
            },
        ),
    ],
)
def test_a_shell_reads_the_exports(command, server, family, wanted):
    status, out, err = command("endpoints", "--env", family)
    assert (status, err) == (0, "")
    assert server.key not in out
    done = subprocess.run(
        ["sh", "-c", f"{out}\nenv -0"], env={"PATH": "/bin"}, capture_output=True, text=True, check=True
    )
    found = dict(line.partition("=")[::2] for line in done.stdout.split("\0") if line)
    given = {"url": server.url, "tls_url": server.tls_url, "key": server.key}
    assert {name: found.get(name) for name in wanted} == {name: value.format(**given) for name, value in wanted.items()}
    assert {name for name in found if "_" in name and name != "_"} == {*wanted}


def test_the_stored_key_goes_to_no_other_machine(command):
    status, _, err = command("call", "--url", "http://gateway.example", "Hi.")
    assert status == 2
    assert "there is no key for it" in err


def test_where_no_server_works_the_shapes_are_told_all_the_same(command, tmp_path):
    status, out, err = command("endpoints", data_dir=tmp_path)
    assert status == 0
    assert "http://127.0.0.1:8080/models" in out
    assert "the deployments are not known" in err


def chat(command, monkeypatch, lines, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    return command("chat", "--deployment", "chat", *arguments)


@pytest.mark.parametrize("shape", ["v1", "responses"])
def test_a_chat_goes_on_line_by_line(command, monkeypatch, shape):
    status, out, err = chat(command, monkeypatch, "One.\n\nTwo.\n/new\nThree.\n/quit\nFour.\n", "--shape", shape)
    assert (status, out, err) == (0, "One.\nTwo.\nThree.\n", "")


def test_a_chat_with_a_program_ends_at_the_first_refusal(command, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("One.\nTwo.\n"))
    status, out, err = command("chat", "--deployment", "gone")
    assert (status, out) == (1, "")
    assert "'gone'" in err


def test_a_chat_with_a_person_goes_on_after_a_refusal(command, server, tmp_path):
    """In a terminal of its own, as a person has one."""
    leader, follower = pty.openpty()
    arguments = ["chat", "--deployment", "chat", "--system", "Be brief.", "--data-dir", str(server.data_dir)]
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdin=follower, stdout=follower, stderr=follower, cwd=tmp_path, close_fds=True
    )
    os.close(follower)
    try:
        assert b"/quit ends" in read_until(leader, b"> ")
        os.write(leader, b"Hello.\n")
        assert b"Hello.\r\nHello.\r\n" in read_until(leader, b"\n> ")
        os.write(leader, b"break off\n")
        assert b"forehearth doctor" in read_until(leader, b"\n> ")
        os.write(leader, b"/help\n")
        assert b"everything else is a prompt" in read_until(leader, b"\n> ")
        os.write(leader, b"/quit\n")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_an_answer_is_no_command_for_a_terminal(command, server, tmp_path):
    text = "a\x1b]0;mine\x07\x9b2J\tb\u2060\u00a0\u00e9"
    assert command("call", "--deployment", "chat", text)[1] == f"{text}\n"  # a program gets it as it is
    leader, follower = pty.openpty()
    arguments = ["call", "--deployment", "chat", "--data-dir", str(server.data_dir), text]
    process = subprocess.Popen([PROGRAM, *arguments], stdout=follower, stderr=follower, cwd=tmp_path, close_fds=True)
    os.close(follower)
    try:
        shown = read_until(leader, b"\n").decode()
        assert shown.expandtabs() == "a\ufffd]0;mine\ufffd\ufffd2J\tb\u2060\u00a0\u00e9\r\n".expandtabs()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def read_until(terminal, end):
    seen = b""
    deadline = time.monotonic() + 30
    while not seen.endswith(end):
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, seen
        seen += os.read(terminal, 65_536)
    return seen
