"""Fuzz one target, guided by what of the server it covers: `python -m tests.soak.fuzz TARGET [libFuzzer's options]`."""

import importlib
import sys

import atheris


def main() -> None:
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["forehearth"]):
        targets = importlib.import_module("tests.soak.fuzz_targets")

    def test_one_input(data: bytes) -> None:
        targets.TARGETS[name].judge(data)

    atheris.Setup([sys.argv[0], *options], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
