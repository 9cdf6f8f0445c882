"""The key `enrichment` of the configuration: what jobs that come in over REST may read and write."""

import re
from typing import Annotated, Final

import msgspec

from forehearth.core.secret import Secret
from forehearth.core.settings_types import Text, Unfit, Values

Folder = Annotated[str, msgspec.Meta(pattern=r"^/[^\x00]*$", description="the absolute path of a folder")]
DatabaseName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$", description="a name of letters, digits and '_'")
]
_STORAGE: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\\\s]+(/[^?#%\\\s]*)?")
_DOTS: Final = frozenset({".", ".."})


def has_dots(path: str) -> bool:
    """Whether a path or a URL has a step that leads elsewhere than it says."""
    return not _DOTS.isdisjoint(path.split("/"))


class StorageSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an object storage in which jobs may read and write Delta tables, and how it is asked.

    A job names a table below the URL, and nothing of what the storage asks for.
    """

    url: Text
    """Where it begins, such as `s3://lake/tables/` or
    `abfss://workspace@onelake.dfs.fabric.microsoft.com/sales.Lakehouse/Tables/`."""
    options: dict[str, Text] = {}
    """What the storage asks for, by the names of Delta's own library, such as `aws_region`."""
    secrets: dict[str, Secret] = {}
    """The same for what must not be seen, such as `azure_storage_account_key`."""

    def __post_init__(self) -> None:
        """Refuse what is no such address. Raises `Unfit`."""
        if not _STORAGE.fullmatch(self.url) or has_dots(self.url.partition("://")[2]):
            hint = "write it plainly, such as s3://lake/tables/, without '..', '%' and a query"
            raise Unfit("this is no address of a part of a storage", member="url", hint=hint)


class EnrichmentSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What [jobs of enrichment over REST](enrichment.md#over-rest) may read and write: nothing, unless given."""

    directories: tuple[Folder, ...] = ()
    """Folders of this machine in which they may read files and tables, and write tables. Relative paths of a job begin
    at the first of them."""
    storages: tuple[StorageSettings, ...] = ()
    """Parts of object storages, likewise, for Delta tables."""
    databases: dict[DatabaseName, Secret] = {}
    """Addresses of PostgreSQL databases that they may query, by the names that jobs have for them: `url: ${NAME}`.
    Queries do what the user of the address may do."""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    """Jobs that run at the same time in each worker, each in a process of its own."""
    kept_days: Annotated[int, msgspec.Meta(ge=1)] = 30
    """Days after its end for which an operation can be asked for."""

    @property
    def is_open(self) -> bool:
        """Whether any table may be written."""
        return bool(self.directories or self.storages)
