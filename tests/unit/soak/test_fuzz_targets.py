"""What is fuzzed in the long tier takes the inputs that it begins with, and these are of every kind."""

import pytest

from tests.soak.fuzz_targets import TARGETS

KINDS = {
    "head": {"accepted", "refused"},
    "chunks": {"accepted", "awaited", "refused"},
    "usage": {"reported", "not reported"},
    "members": {"object", "no object"},
    "token": {"true", "readable", "unreadable"},
    "configuration": {"taken", "misfit", "unreadable"},
    "multipart": {"read", "refused"},
    "media form": {"accepted", "refused"},
    "target": {"host and target", "host and no target", "no host and target", "no host and no target"},
    "url": {"refused", "read", "followed"},
    "tool messages": {"messages", "none"},
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_first_inputs_of_a_target_are_of_every_kind(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    assert {target.judge(seed) for seed in seeds} == KINDS[name]
    assert max(map(len, seeds)) <= target.longest


@pytest.mark.parametrize("name", TARGETS)
def test_the_words_of_a_target_fit_into_it(name: str) -> None:
    assert all(0 < len(word) < TARGETS[name].longest for word in TARGETS[name].words)
