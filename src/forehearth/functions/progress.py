"""A bar while a function runs, where tqdm is installed; on the error stream, so that results stay alone."""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any, Literal

from forehearth.core.usage import Usage


class Bar:
    """Counts prompts that are answered. `shown` is tqdm's, None where nothing is shown."""

    def __init__(self, shown: Any, *, tokens: bool) -> None:
        self._shown = shown
        self._tokens = tokens
        self._used = Usage(prompt=0)

    def step(self, usage: Usage | None) -> None:
        """One more."""
        if self._shown is None:
            return
        if usage is not None and self._tokens:
            used = self._used = Usage(
                prompt=self._used.prompt + usage.prompt,
                completion=self._used.completion + usage.completion,
                cached=self._used.cached + usage.cached,
            )
            told = {"cached": used.cached, "in": used.prompt, "out": used.completion}
            self._shown.set_postfix(told, refresh=False)
        self._shown.update(1)


@contextlib.contextmanager
def bar(name: str, prompts: int, mode: Literal["basic", "stats", "disable"]) -> Iterator[Bar]:
    """A bar of so many prompts."""
    try:
        tqdm = importlib.import_module("tqdm").tqdm if mode != "disable" else None
    except ImportError:
        tqdm = None
    if tqdm is None:
        yield Bar(None, tokens=False)
        return
    with tqdm(total=prompts, desc=f"ai.{name}") as shown:
        yield Bar(shown, tokens=mode == "stats")
