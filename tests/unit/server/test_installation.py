"""The pepper: made once and kept, or given; and noted in a shared store, so that two servers have the same."""

import base64

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.server.data_directory import DataDirectory, open_data_directory
from forehearth.server.installation import pepper, require_same_pepper, written
from forehearth.stores.memory import MemoryDocuments
from forehearth.telemetry.redaction import MASK, Redactor
from forehearth.testing.clock import VirtualClock

OURS, THEIRS = b"o" * 32, b"t" * 32


@pytest.fixture
def data(tmp_path) -> DataDirectory:
    return open_data_directory(tmp_path / "data")


def test_without_one_a_pepper_is_made_and_kept(data):
    made = pepper(data, None)
    path = data.keys / "pepper"
    assert len(made) == 32
    assert pepper(data, None) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert pepper(data, Secret(path.read_text().strip())) == made, "what is kept may be given to other servers"


def test_one_that_is_given_is_not_kept(data):
    given = Secret(base64.b64encode(OURS).decode())
    assert pepper(data, given) == OURS
    assert list(data.keys.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"too short", 0o600, "does not hold a secret"),
        (b"\xff" * 44, 0o600, "cannot be read"),
        (base64.b64encode(OURS), 0o640, "can be read by others"),
    ],
)
def test_a_kept_one_that_cannot_be_used_is_told(data, content, mode, says):
    path = data.keys / "pepper"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(Misconfigured, match=says):
        pepper(data, None)


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_pepper_is_known_to_the_log_as_it_is_written(data, alphabet):
    made = pepper(data, None)
    kept = (data.keys / "pepper").read_text().strip()
    redactor = Redactor(written(made))
    assert redactor.redact(f"with {kept} there") == f"with {MASK} there"
    assert redactor.redact(f"with {alphabet(made).decode()} there") == f"with {MASK} there"


async def test_the_first_server_notes_its_pepper_and_others_must_have_it():
    documents, clock = MemoryDocuments(), VirtualClock()
    await require_same_pepper(documents, OURS, clock)
    await require_same_pepper(documents, OURS, clock)
    with pytest.raises(Misconfigured, match="give every server the same") as refused:
        await require_same_pepper(documents, THEIRS, clock)
    (note,) = await documents.of_all_places("installation")
    for each in (OURS, THEIRS):
        for text in (each.decode(), each.hex(), base64.b64encode(each).decode()):
            assert text not in note.body.decode()
            assert text not in refused.value.message
