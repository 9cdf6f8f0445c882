"""The name that was most likely meant."""

import difflib
import re
from collections.abc import Collection

_LONGEST = 64
_LISTED = 12
_TELLING = 3


def nearest(name: str, known: Collection[str]) -> str | None:
    """The one of `known` that is most likely meant: `apiKey` and `api-key` are `api_key`. None when it is unclear."""
    wanted = _plain(name[:_LONGEST])
    plain = {_plain(each): each for each in known}
    if wanted in plain:
        return plain[wanted]
    close = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.7)
    close = close or [each for each in plain if sorted(each) == sorted(wanted)]
    if close:
        return plain[close[0]]
    # `chat` for `chat_completions`, `endpoint_url` for `endpoint`.
    longer = [each for each in plain if each.startswith(f"{wanted}_") or wanted.startswith(f"{each}_")]
    return plain[longer[0]] if len(longer) == 1 and len(wanted) >= _TELLING else None


def suggestion(name: str, known: Collection[str], what: str) -> str:
    """A hint for an unknown name: the nearest right one, else what there is. `what` begins the list of those."""
    close = nearest(name, known)
    if close is not None:
        return f"did you mean '{close}'?"
    return f"{what} {listed(known)}" if known else ""


def listed(names: Collection[str]) -> str:
    """Names in one line, as many as one line takes."""
    some = [f"'{name}'" for name in list(names)[:_LISTED]]
    if len(names) > _LISTED:
        return f"{', '.join(some)} and {len(names) - _LISTED} more"
    return " and ".join([", ".join(some[:-1]), some[-1]]) if len(some) > 1 else "".join(some)


def _plain(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\s_-]+", "_", spaced).strip("_").lower()
