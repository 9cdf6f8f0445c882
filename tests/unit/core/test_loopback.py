"""A host is this machine by its name alone."""

from forehearth.core.loopback import is_loopback


def test_which_hosts_are_this_machine():
    assert [is_loopback(each) for each in ("localhost", "127.0.0.2", "::1")] == [True] * 3
    assert [is_loopback(each) for each in ("localhost.example", "0.0.0.0", "10.0.0.1", "")] == [False] * 4
