"""What callers are told of limits: the headers of answers and refusals, and the words of a refusal.

Names and meaning of the headers are those of Azure OpenAI (`x-ratelimit-*`, of each kind the limit that has least left)
and of API Management (under the names that a limit's settings give).
"""

from datetime import UTC, datetime
from math import ceil

from forehearth.accounting.budgets import Budget, Held
from forehearth.accounting.counted import Denied, Hold
from forehearth.core.call import Call
from forehearth.core.errors import QuotaExceeded, Refused, TooManyRequests
from forehearth.core.exchange import Header
from forehearth.core.usage import Usage

_NEVER: Header = (b"x-should-retry", b"false")


def headers(held: Held, usage: Usage | None, now: float) -> list[Header]:
    """Of an answer; `usage` is what it used, where that is known before its head goes out."""
    used = None if usage is None else usage.prompt + usage.completion
    told: list[Header] = []
    tokens = requests = None
    for pair in held:
        budget, hold = pair
        if budget.is_named:
            told += _named(budget, _left(budget, hold, used), used)
        if budget.rate_headers is None:
            continue
        if not budget.in_tokens:
            if requests is None or hold.left < requests[1].left:
                requests = pair
        elif tokens is None or hold.left < tokens[1].left:  # of all limits of tokens a call takes the same
            tokens = pair
    for tightest in (tokens, requests):
        if tightest is not None:
            budget, hold = tightest
            told += _rate(budget, _left(budget, hold, used), hold.lease.frees_in(hold.left + 1, now))
    return told


def refusal(call: Call, deployment: str, budget: Budget, need: int, denied: Denied, unix: float) -> Refused:
    """Of a call that needs so much of a limit: which limit, whose, and when it frees; `unix` is the time now."""
    message = _words(call, deployment, budget, need, denied, unix)
    seconds = _seconds(denied)
    error: Refused = TooManyRequests(message) if budget.is_rate else QuotaExceeded(message)
    told = _rate(budget, denied.left, denied.frees_in) if budget.rate_headers is not None else []
    if budget.left_header is not None:
        told.append((budget.left_header, b"%d" % denied.left))
    named = budget.settings.retry_after_header_name.lower()
    if need > budget.limit:
        told.append(_NEVER)
    elif named == "retry-after":
        error.retry_after = seconds
    else:
        told.append((named.encode(), b"%d" % seconds))
    error.headers = tuple(told)
    return error


def _left(budget: Budget, hold: Hold, used: int | None) -> int:
    """What is left when the call is over."""
    left = hold.left if used is None or not budget.in_tokens else hold.left + hold.amount - used
    return max(0, left)


def _named(budget: Budget, left: int, used: int | None) -> list[Header]:
    told = [] if budget.left_header is None else [(budget.left_header, b"%d" % left)]
    if budget.used_header is not None and used is not None:
        told.append((budget.used_header, b"%d" % used))
    return told


def _rate(budget: Budget, left: int, frees_in: float) -> list[Header]:
    if budget.rate_headers is None:
        return []
    limit, remaining, reset = budget.rate_headers
    return [limit, (remaining, b"%d" % left), (reset, b"%d" % ceil(frees_in))]


def _seconds(denied: Denied) -> int:
    return max(1, ceil(denied.frees_in))


def _words(call: Call, deployment: str, budget: Budget, need: int, denied: Denied, unix: float) -> str:
    span = "" if budget.period is None else f" per {budget.period.value}"
    what = "Rate limit" if budget.is_rate else "Quota"
    whole = f"{what} is exceeded: {budget.amount_in_words(budget.limit)}{span} for {budget.whose(call, deployment)}"
    if need > budget.limit:
        end = (
            f"this call may need {budget.amount_in_words(need)}, which is more than the whole limit. Ask for fewer "
            "tokens, or send a shorter prompt."
        )
    elif budget.unit == "calls":
        end = f"so many are under way. {_again(budget, denied, unix)}"
    elif budget.unit == "requests":
        end = f"{budget.left_in_words(denied.left)}. {_again(budget, denied, unix)}"
    else:
        end = f"this call may need {budget.amount_in_words(need)}, and {budget.left_in_words(denied.left)}. "
        end += _again(budget, denied, unix)
    return f"{whole} ({budget.name}); {end} Request id: {call.request_id}."


def _again(budget: Budget, denied: Denied, unix: float) -> str:
    """When to come back; of a quota, which may be weeks away, the moment as well."""
    seconds = _seconds(denied)
    after = f"Please retry after {seconds} second{'s' if seconds > 1 else ''}"
    if budget.is_rate:
        return f"{after}."
    moment = datetime.fromtimestamp(round(unix + denied.frees_in), UTC)
    return f"{after}, at {moment:%Y-%m-%dT%H:%M:%SZ}."
