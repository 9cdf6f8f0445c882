"""Each served description, asked by schemathesis at length: no crash, nothing that is not described."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.described import NAMES, asked_by_schemathesis, together
from tests.conformance.test_descriptions import CONFIG
from tests.developer_shell import clean_environment
from tests.forehearth_server import PROGRAM, ForehearthServer
from tests.soak.length import part

EXAMPLES = part(40, least=4)


@pytest.fixture(scope="module")
def server(start_module_forehearth: Callable[..., ForehearthServer]) -> ForehearthServer:
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_answered_that_is_not_described(
    server: ForehearthServer, name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    command = [str(PROGRAM), "token", "--data-dir", str(server.data_dir)]
    token = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True).stdout.strip()
    document = together(server.url, (name,))
    told = asked_by_schemathesis(
        tmp_path,
        document,
        key=server.key,
        token=token,
        examples=EXAMPLES,
        phases="examples,coverage,fuzzing",
        seconds=1_700,
    )
    found = next((line.strip() for line in told.splitlines() if "generated" in line), "")
    record_property(name, found or "as described")
    assert "Traceback" not in server.output
