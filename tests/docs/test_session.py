"""What runs the docs finds a page that is wrong, in each way in which it can be."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.docs import fences
from tests.docs.session import Session, WrongSnippet


@pytest.fixture
def run(tmp_path: Path, repository_root: Path) -> Iterator[Callable[[str], None]]:
    """Runs the blocks of a page against a server that is not there: nothing here speaks to it."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    server: Any = SimpleNamespace(port=5001, tls_port=5002, data_dir=data_dir)
    session = Session(repository_root, tmp_path, lambda: server)

    def read(text: str) -> None:
        (tmp_path / "page.md").write_text(text)
        for fence in fences.read(tmp_path, "page.md").fences:
            if fence.not_run is None:
                session.run(fence)

    yield read
    session.close()


def block(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```", ""])


WRONG = {
    "a command that fails": block("bash", "false"),
    "a failure in the middle": block("bash", "false", "true"),
    "a failure in a pipe": block("bash", "false | cat"),
    "a variable that is not set": block("bash", 'echo "$NEVER_SET"'),
    "a program that raises": block("python", "raise SystemExit(1)"),
    "a program for Node that raises": block("js", "throw new Error()"),
    "a package that is not there": block("js", 'import "no-such-package";'),
    "another output": block("console", "$ echo one", "two"),
    "less output": block("console", "$ echo one", "one", "two"),
    "broken JSON": block("json", "{,}"),
    "broken TOML": block("toml", "a ="),
    "broken YAML": block("yaml", "a: ["),
    "a configuration with a wrong key": block("yaml", "version: 1", "deploymens: {}"),
    "a language that nothing runs": block("cobol", "STOP RUN."),
    "no language": block("", "true"),
    "a success that should fail": "<!-- fails: it should -->\n" + block("bash", "true"),
}

RIGHT = {
    "a command": block("bash", "true"),
    "an export for later": block("bash", "export A=1") + block("bash", '[ "$A" = 1 ]'),
    "a place for later": block("bash", "mkdir a && cd a") + block("bash", '[ "$(basename "$PWD")" = a ]'),
    "an export for a program": block("bash", "export A=1")
    + block("python", "import os", 'assert os.environ["A"] == "1"'),
    "a file for later": block('json title="a.json"', '{"a": 1}') + block("bash", "grep -q a a.json"),
    "a program under its name": block('python title="a.py"', "b = 1") + block("python", "import a", "assert a.b == 1"),
    "the ports of the server": block(
        "bash", "[ http://localhost:8080/x = http://localhost:5001/x ]", "[ 8443 = 5002 ]"
    ),
    "other numbers": block("bash", '[ 18080 = "1$((8079 + 1))" ]'),
    "the data directory after a file": block('json title="a.json"', "1")
    + block("bash", "cd ~/.local/share/forehearth"),
    "the data directory": block("bash", "cd ~/.local/share/forehearth"),
    "a package of Node": block("js", 'import OpenAI from "openai";', "new OpenAI({ apiKey: 'x' });"),
    "what is printed": block("console", "$ echo one", "one"),
    "two commands": block("console", "$ echo one", "one", "$ echo two", "two"),
    "a long command": block("console", "$ echo \\", "> one", "one"),
    "left out output": block("console", "$ printf 'one\\ntwo\\nthree\\n'", "one", "…", "three"),
    "a configuration": block("yaml", "version: 1"),
    "a part of a configuration": block("yaml", "server:", "  port: 1"),
    "output that is only shown": block("text", "anything"),
    "a failure that is meant": "<!-- fails: to show it -->\n" + block("bash", "false"),
    "a block that cannot run": "<!-- not run: it would take a day -->\n" + block("bash", "sleep 86400"),
    "a block in a list": "1. Do\n\n   ```python\n   if True:\n       pass\n   ```\n",
}


@pytest.mark.parametrize("page", WRONG.values(), ids=WRONG)
def test_a_wrong_page_is_found(run: Callable[[str], None], page: str) -> None:
    with pytest.raises(WrongSnippet):
        run(page)


@pytest.mark.parametrize("page", RIGHT.values(), ids=RIGHT)
def test_a_right_page_passes(run: Callable[[str], None], page: str) -> None:
    run(page)


@pytest.mark.parametrize(
    "page",
    ["```bash\ntrue\n", "<!-- not run: why -->\n\ntext\n", "<!-- fails: why -->\n"],
    ids=["a block without an end", "a comment before text", "a comment at the end"],
)
def test_a_page_that_is_not_well_formed_is_found(run: Callable[[str], None], page: str) -> None:
    with pytest.raises(ValueError, match="block"):
        run(page)
