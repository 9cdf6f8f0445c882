"""The variables that programs read: what other people named is text to the shell, whatever they named it."""

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from forehearth.connectors.exports import FAMILIES, exports
from forehearth.connectors.places import Address
from forehearth.connectors.shown import key_in

HERE = Address.of_url("http://127.0.0.1:8080")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_a_name_of_a_deployment_is_never_a_command(name):
    value = exports("azure", HERE, None, name)["AZURE_OPENAI_DEPLOYMENT"]
    inner = value.replace("\\\\", "")
    for special in ('"', "$", "`"):
        assert inner.count(special) == inner.count(f"\\{special}")


def test_a_shell_reads_what_was_meant():
    name = 'chat"; $(touch /tmp/never) `id` \\ $HOME !x'
    lines = [
        f'export {key}="{value}"'
        for family in FAMILIES
        for key, value in exports(family, HERE, key_in("ITS_KEY"), name).items()
    ]
    script = "\n".join([*lines, 'printf "%s\\n" "$AZURE_OPENAI_DEPLOYMENT" "$MODEL_DEPLOYMENT_NAME" "$OPENAI_API_KEY"'])
    done = subprocess.run(["sh", "-c", script], env={"ITS_KEY": "k"}, capture_output=True, text=True, check=True)
    assert done.stdout == f"{name}\n{name}\nk\n"
