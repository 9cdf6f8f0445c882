"""`forehearth keys` in a data directory that no server holds."""

import json
from functools import partial
from pathlib import Path

import pytest

from forehearth.identity.key_text import is_whole
from forehearth.server.data_directory import locked, open_data_directory

CONFIG = """
version: 1
backends:
  script: {provider: scripted}
deployments:
  chat: {backends: [{backend: script}]}
  vectors: {model: {type: embeddings}, backends: [{backend: script}]}
routes:
  default: {deployment: chat}
projects:
  sales: {}
products:
  gold: {limits: [{tokens_per_day: 1000}]}
resources:
  other:
    deployments:
      chat: {backends: [{backend: script}]}
"""


@pytest.fixture
def keys(offline):
    return partial(offline(CONFIG), "keys")


def test_a_key_of_a_product(keys):
    status, _, err = keys("create", "shop", "--product", "gold")
    assert status == 0
    assert "product gold; this one has no end" in err
    (found,) = listed(keys)
    assert found["product"] == "gold"
    status, _, err = keys("create", "till", "--product", "glod")
    assert status != 0
    assert "there is no 'glod'; did you mean 'gold'?" in err


def listed(keys, *arguments):
    status, out, _ = keys("list", "--json", *arguments)
    assert status == 0
    return json.loads(out)


def test_the_key_alone_is_on_stdout(keys):
    status, out, err = keys("create", "shop", "--deployment", "chat", "--network", "10.0.0.0/8")
    assert status == 0
    assert is_whole(out.strip())
    assert out.strip() not in err
    assert "shop (key_" in err
    assert "chat, from 10.0.0.0/8; this one has no end" in err
    assert "shown this once" in err


def test_every_limit_is_kept(keys):
    keys(
        *("create", "shop", "--deployment", "chat", "--deployment", "vectors", "--operation", "embeddings"),
        *("--project", "sales", "--expires", "2099-12-31", "--network", "10.0.0.0/8", "--admin"),
    )
    (key,) = listed(keys)
    assert (key["deployments"], key["operations"], key["projects"]) == (["chat", "vectors"], ["embeddings"], ["sales"])
    assert "nothing outside of sales, but /admin" in keys("list")[1]
    assert (key["networks"], key["expires"], key["admin"]) == (["10.0.0.0/8"], "2099-12-31T00:00:00Z", True)
    assert "key" not in key


def test_the_list_is_a_table(keys):
    assert keys("list")[1].split() == ["NAME", "ID", "SECRETS", "EXPIRES", "OPENS"]
    key = keys("create", "shop", "--expires", "2099-12-31")[1].strip()
    keys("create", "admin", "--admin")
    status, out, err = keys("list")
    assert (status, err) == (0, "")
    head, admin, shop = out.splitlines()
    assert admin.endswith("never              all of inference, and /admin")
    assert f"…{key[-4:]}" in shop
    assert "2099-12-31 00:00Z" in shop
    assert key not in out
    assert head.index("EXPIRES") == shop.index("2099")


def test_more_keys_than_a_page_has_are_all_listed(keys):
    for number in range(3):
        keys("create", f"shop-{number}")
    assert [each["name"] for each in listed(keys)] == ["shop-2", "shop-1", "shop-0"]


def test_rotate_and_revoke_by_name_and_by_id(keys):
    old = keys("create", "shop")[1]
    status, new, err = keys("rotate", "shop", "--overlap", "1h")
    assert (status, is_whole(new.strip()), new == old) == (0, True, False)
    assert "the secret before is good until" in err
    (key,) = listed(keys)
    assert len(key["secrets"]) == 2
    status, out, err = keys("rotate", key["id"])
    assert (status, out) == (1, "")
    assert "has 2 secrets that are good" in err
    assert keys("rotate", key["id"], "--now")[0] == 0
    (key,) = listed(keys)
    assert len(key["secrets"]) == 1
    assert keys("revoke", key["id"]) == (0, "", f"{key['id']} is revoked.\n")
    assert listed(keys) == []


def test_one_secret_is_revoked(keys):
    keys("create", "shop")
    keys("rotate", "shop")
    first = listed(keys)[0]["secrets"][0]["id"]
    assert keys("revoke", "shop", "--secret", first)[0] == 0
    assert [each["id"] for each in listed(keys)[0]["secrets"]] != [first]


def test_json_is_all_that_is_known(keys):
    status, out, err = keys("create", "shop", "--json")
    assert (status, err) == (0, "")
    made = json.loads(out)
    assert is_whole(made["key"])
    turned = json.loads(keys("rotate", "shop", "--json")[1])
    assert turned["id"] == made["id"]


def test_resources_have_keys_of_their_own(keys):
    keys("create", "shop", "--resource", "other")
    assert listed(keys) == []
    assert [each["resource"] for each in listed(keys, "--resource", "other")] == ["other"]
    status, _, err = keys("list", "--resource", "none")
    assert status == 1
    assert "There is no resource 'none'" in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["create", "a b"], 1, "at most 128 letters"),
        (["create", "shop", "--deployment", "chatt"], 1, "did you mean 'chat'?"),
        (["create", "shop", "--deployment", "default"], 1, "is a route"),
        (["create", "shop", "--project", "marketing"], 1, "there is no 'marketing'; there are 'default' and 'sales'"),
        (["create", "shop", "--network", "10.0.0.1/8"], 1, "did you mean 10.0.0.0/8?"),
        (["create", "shop", "--expires", "2020-01-01"], 1, "in the future"),
        (["create", "shop", "--expires", "soon"], 2, "neither a duration such as 30d nor a date"),
        (["create", "shop", "--operation", "everything"], 2, "chat_completions"),
        (["rotate", "none"], 1, "There is no key 'none'"),
        (["rotate", "shop", "--overlap", "long"], 2, "write 90s, 15m, 24h"),
        (["rotate", "../audit"], 1, "Resource not found"),
        (["revoke", "none"], 1, "There is no key 'none'"),
        (["revoke", "none", "--secret", "x"], 1, "There is no key 'none'"),
        (["create"], 2, "Missing argument 'NAME'"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_remedy(keys, arguments, status, said):
    got, out, err = keys(*arguments)
    assert (got, out) == (status, "")
    assert said in err
    assert "Traceback" not in err


def test_a_name_that_is_taken(keys):
    keys("create", "shop")
    status, _, err = keys("create", "shop")
    assert status == 1
    assert "rotate it, revoke it, or choose another name" in err


def test_a_directory_that_a_server_holds_is_left_to_it(keys, tmp_path):
    with locked(open_data_directory(tmp_path / "data")):
        status, out, err = keys("list")
    assert (status, out) == (3, "")
    assert "a server works in" in err
    assert "--url http://127.0.0.1:8080" in err


def test_a_directory_that_is_something_else(keys, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("")
    status, _, err = keys("list")
    assert status == 3
    assert "not a data directory of Forehearth" in err


def test_no_file_of_the_directory_has_the_key(keys, tmp_path):
    key = keys("create", "shop")[1].strip()
    files = [path for path in Path(tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if key[3:20].encode() in path.read_bytes()]
