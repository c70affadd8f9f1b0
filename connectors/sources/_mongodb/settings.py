"""The settings of MongoDB."""

from typing import Final

from connectors.fields import Field, Fields
from connectors.sources._remote import PASSWORD, RETRIES
from connectors.sources._tls import AUTHORITY, ENABLED

READ_PREFERENCES: Final = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
READ_CONCERNS: Final = ("local", "available", "majority", "linearizable", "snapshot")
_OF_THE_HOST: Final = {"": "as the host or the server says"}
FIELDS: Final = Fields(
    Field(
        "host",
        "Server",
        example="mongodb://db1.example.org,db2.example.org/?replicaSet=rs0",
        tooltip="A connection string without user and password, or hosts and ports alone.",
        shapes=False,
    ),
    Field("user", "User", required=False, example="connectors", shapes=False),
    PASSWORD,
    Field(
        "database",
        "Databases",
        type=list,
        list_type="str",
        example=["shop"],
        tooltip="Names or patterns (shop_*), separated by commas. * stands for all but those of the server itself.",
    ),
    Field(
        "collection",
        "Collections",
        type=list,
        list_type="str",
        default=["*"],
        tooltip="Names or patterns (log_*), of each database. * stands for all; a view has to be named.",
    ),
    Field(
        "direct_connection",
        "Ask this server alone",
        type=bool,
        default=False,
        tooltip="Whether the other members of its replica set are left out.",
        shapes=False,
    ),
    ENABLED,
    AUTHORITY,
    Field(
        "ssl_client_certificate",
        "Certificate and key of the user",
        required=False,
        sensitive=True,
        depends_on={"ssl_enabled": True},
        tooltip="In PEM, both, the key without a password: for servers that ask who is there in this way.",
        advanced=True,
        shapes=False,
    ),
    Field(
        "tls_insecure",
        "Trust any certificate",
        type=bool,
        default=False,
        depends_on={"ssl_enabled": True},
        tooltip="Whoever is between can read and change everything then.",
        advanced=True,
        shapes=False,
    ),
    Field(
        "read_preference",
        "Read from",
        required=False,
        options={**_OF_THE_HOST, **{name: name for name in READ_PREFERENCES}},
        default="",
        advanced=True,
        shapes=False,
    ),
    Field(
        "read_concern",
        "Read concern",
        required=False,
        options={**_OF_THE_HOST, **{name: name for name in READ_CONCERNS}},
        default="",
        advanced=True,
        shapes=False,
    ),
    Field(
        "uuid_representation",
        "UUIDs of the old kind",
        options={
            "standard": "are bytes",
            "python_legacy": "were written by Python",
            "java_legacy": "were written by Java",
            "csharp_legacy": "were written by C#",
        },
        default="standard",
        tooltip="What wrote the binary values of the subtype 3.",
        advanced=True,
    ),
    Field(
        "fetch_size",
        "Documents per page",
        type=int,
        default=5_000,
        greater_than=0,
        less_than=1_000_001,
        tooltip="At the most: a page is meant to have 4 MB, so it has fewer where documents are large.",
        advanced=True,
        shapes=False,
    ),
    RETRIES,
    Field(
        "connect_timeout_s",
        "Seconds to find a server",
        type=int,
        default=20,
        greater_than=0,
        less_than=3_601,
        advanced=True,
        shapes=False,
    ),
    Field(
        "statement_timeout_s",
        "Seconds for a page",
        type=int,
        default=600,
        greater_than=0,
        less_than=86_401,
        tooltip="How long the server may take for a page, or may keep silent.",
        advanced=True,
        shapes=False,
    ),
)
