"""The settings that sources of SQL databases share."""

from typing import Final

from connectors.fields import Field
from connectors.sources._remote import RETRIES

HOST: Final = Field(
    "host",
    "Host",
    example="db.example.org",
    tooltip="Several, separated by commas and with ports of their own where they have such, are tried in turn: "
    "replicas first, and the primary for when they can't be reached.",
    shapes=False,
)
TABLES: Final = (
    Field(
        "tables",
        "Tables",
        type=list,
        list_type="str",
        default=["*"],
        tooltip="Names or patterns (log_*), separated by commas. * stands for all tables; a view has to be named.",
    ),
    Field(
        "cursor_columns",
        "Columns that grow with each change",
        type=list,
        list_type="str",
        required=False,
        example=["updated_at"],
        tooltip="Times or numbers that grow: a table is taken to change in the first of these columns that it has, "
        "and only what did is read in an incremental sync.",
    ),
    Field(
        "field_prefix",
        "Beginning of the names of added fields",
        required=False,
        default="",
        example="source_",
        pattern="[A-Za-z_][A-Za-z0-9_]*",
        tooltip="What the names of the fields begin with that say where a row is from. A column that has the name of "
        "one gets an underscore more.",
        advanced=True,
    ),
)
"""The settings that say what is read, of every database."""
OVERLAP: Final = Field(
    "cursor_overlap_s",
    "Seconds that are read again",
    type=int,
    default=60,
    greater_than=-1,
    less_than=86_401,
    tooltip="How long before the last change an incremental sync begins, for what is committed late.",
    advanced=True,
    shapes=False,
)
READING: Final = (
    OVERLAP,
    Field(
        "binary",
        "Columns of bytes",
        default="base64",
        options={"base64": "indexed in Base64", "skip": "left out"},
        advanced=True,
    ),
    Field(
        "fetch_size",
        "Rows per page",
        type=int,
        default=5_000,
        greater_than=0,
        less_than=1_000_001,
        tooltip="At the most: a page is meant to have 4 MB, so it has fewer where rows are large.",
        advanced=True,
        shapes=False,
    ),
    Field(
        "max_connections",
        "Connections at a time",
        type=int,
        default=2,
        greater_than=0,
        less_than=101,
        tooltip="Of one job: a sync needs one, whatever its rules are, and others are for what reads at the same time.",
        advanced=True,
        shapes=False,
    ),
    RETRIES,
    Field(
        "statement_timeout_s",
        "Seconds for a statement",
        type=int,
        default=600,
        greater_than=0,
        less_than=86_401,
        tooltip="How long the database may take for a page, or may keep silent where it has to send all at once.",
        advanced=True,
        shapes=False,
    ),
    Field(
        "snapshot_max_s",
        "Seconds of a snapshot",
        type=int,
        default=900,
        greater_than=-1,
        less_than=86_401,
        tooltip="How long a walk may see the database as it was at one moment, which it has to keep so long. "
        "With 0 each page is of its own moment.",
        advanced=True,
        shapes=False,
    ),
)
"""The settings that say how it is read."""
