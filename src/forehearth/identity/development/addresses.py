"""Where the development issuer is asked, as paths on the server's own ports; and what for, when nobody says."""

from typing import Final

APP_SERVICE: Final = "/dev-issuer/msi/token"
"""Managed identity as App Service has it."""
APP_SERVICE_VERSION: Final = "2019-08-01"
MACHINE: Final = "/metadata/identity/oauth2/token"
"""Managed identity as a virtual machine has it."""
DEVICE: Final = "/dev-issuer/device"
"""What a person does with a user code."""
OTHER_NAMES: Final = ("adfs", "organizations", "common")
"""What its directory is called besides its id, as the first part of a path."""

DEFAULT_SCOPE: Final = "https://ai.azure.com/.default"
"""What Foundry's own clients ask for."""
SCOPE_SUFFIX: Final = "/.default"
"""What makes a scope of an audience."""
