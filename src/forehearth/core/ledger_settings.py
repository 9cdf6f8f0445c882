"""What the configuration says of the ledger, and of prices."""

from typing import Annotated, Literal

import msgspec

from forehearth.core.settings_types import Values

_Days = Annotated[int, msgspec.Meta(ge=1, le=36_500)]


class LedgerSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record for every call of a deployment: who, what, where, how many tokens, what it cost."""

    enabled: bool = True
    """Whether calls are recorded. Without it there is no usage to show, and no call to explain."""
    kept_days: _Days = 90
    """After so many days a record is removed."""
    explained_days: _Days = 7
    """How long it is kept what each policy said of a call, and which backends were tried."""
    unwritable: Literal["refuse", "serve"] = "refuse"
    """What becomes of calls that cannot be written down, because the disk is full. `refuse`: they are answered 503, so
    that the ledger adds up; `serve`: they are served, and may be missing in the ledger, which is logged and counted."""
