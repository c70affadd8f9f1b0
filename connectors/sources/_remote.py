"""The settings that sources of servers share."""

from typing import Final

from connectors.fields import Field

PASSWORD: Final = Field("password", "Password", sensitive=True, required=False)
RETRIES: Final = Field(
    "retry_count",
    "Retries",
    type=int,
    default=3,
    greater_than=-1,
    less_than=1_001,
    tooltip="How often a page is asked for again when the connection was lost.",
    advanced=True,
    shapes=False,
)


def port_of(default: int) -> Field:
    """Return the setting of a port."""
    return Field("port", "Port", type=int, default=default, greater_than=0, less_than=65_536, shapes=False)
