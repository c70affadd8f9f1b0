"""The settings of the service: every one with its default, its help and its check, once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from connectors.binding import Problem, setting
from connectors.errors import ConfigurationError
from connectors.grants import Grants
from connectors.schedule import Windows, zone_of
from connectors.secret import Secret

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
ExposedSecret = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(=.+)?$")]
_PLACE: Final = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


@dataclass(frozen=True)
class EngineSettings:
    """The search engine: where it is, how to be let in, and how patient to be with it."""

    host: str | None = setting(
        default=None,
        text="Address of an engine of yours, without user name and password. Without one, the embedded engine is used.",
        example="http://localhost:9200",
    )
    data: Path = setting(
        default=Path("data"),
        text="Folder of the embedded engine's data, made when it is missing. One process has it, others go through it.",
    )
    flavor: Literal["auto", "elasticsearch", "opensearch"] = setting(
        default="auto", text="What it is. Needed only where a proxy hides the answers that tell engines apart."
    )
    api_key: Secret | None = setting(
        default=None,
        text="API key, as `id:key` or encoded. Use it instead of user name and password.",
        example="${ENGINE_API_KEY}",
    )
    username: str | None = setting(default=None, text="User name, where there is no API key.", example="connectors")
    password: Secret | None = setting(default=None, text="Password of that user.", example="${ENGINE_PASSWORD}")
    verify_certs: bool = setting(default=True, text="Check the engine's certificate. Off is for experiments alone.")
    ca_certs: Path | None = setting(
        default=None,
        text="File with the authorities to trust, instead of the system's own.",
        example="/etc/connectors/ca.crt",
    )
    client_cert: Path | None = setting(
        default=None,
        text="Our own certificate, for engines that ask for one.",
        example="/etc/connectors/client.crt",
    )
    client_key: Path | None = setting(
        default=None, text="Its private key, where that is a file of its own.", example="/etc/connectors/client.key"
    )
    proxy: str | None = setting(default=None, text="HTTP proxy to go through.", example="http://proxy.example.org:3128")
    proxy_username: str | None = setting(default=None, text="User name at the proxy.", example="connectors")
    proxy_password: Secret | None = setting(default=None, text="Password of that user.", example="${PROXY_PASSWORD}")
    connect_timeout_s: Seconds = setting(default=10.0, text="Seconds to wait for a connection.")
    control_timeout_s: Seconds = setting(
        default=30.0, text="Seconds to wait for the answer to a small request, such as a job's status or a lease."
    )
    data_timeout_s: Seconds = setting(
        default=120.0, text="Seconds to wait for the answer to a large one: a bulk request, a page of a scan."
    )
    control_connections: Count = setting(
        default=8, text="Connections that are kept for small requests alone, so that they never queue behind data."
    )
    data_connections: Count = setting(
        default=16, text="Connections for bulk requests and scans, and so the most of them at once."
    )
    attempts: Count = setting(
        default=5, text="How often a request is made before its failure counts, the first time included."
    )
    slow_after_s: Seconds = setting(
        default=1.0, text="While a small request takes longer than this, or is refused, no new bulk request is sent."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings together."""
        if self.host is not None:
            yield from _url_problems("host", self.host)
        else:
            for name in ("flavor", "api_key", "username", "ca_certs", "client_cert", "proxy"):
                if getattr(self, name) not in {None, "auto"}:
                    yield Problem(name, "It is for an engine of yours, and engine.host does not say where that is.")
        if self.proxy is not None:
            yield from _url_problems("proxy", self.proxy)
        if self.api_key and self.username:
            yield Problem("api_key", "An API key and a user name are both set. Keep one of the two.")
        for prefix in ("", "proxy_"):
            username, password = getattr(self, f"{prefix}username"), getattr(self, f"{prefix}password")
            if bool(username) != bool(password):
                missing = "password" if username else "username"
                yield Problem(f"{prefix}{missing}", "A user name and its password go together.")
        if self.client_key and not self.client_cert:
            yield Problem("client_cert", "There is a client key without its certificate.")


@dataclass(frozen=True)
class LogSettings:
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] | None = setting(
        default=None,
        text="The least important messages to show. Without it, `info` for a service (`run`, `tour`, `engine serve`), "
        "and `warning` for all other commands.",
        example="debug",
    )
    format: Literal["auto", "text", "json"] = setting(
        default="auto", text="`auto` is text on a terminal and JSON elsewhere."
    )

    def least(self, *, is_service: bool) -> Literal["debug", "info", "warning", "error"]:
        """Return the least important messages that are shown."""
        return self.level or ("info" if is_service else "warning")


@dataclass(frozen=True)
class SyncsSettings:
    """How much syncs send and hold at once, and how patient they are. Each connector has settings of its own too."""

    batch_bytes: Count = setting(
        default=2**20, text="Bytes of a bulk request. An engine that refuses one as too large gets smaller ones."
    )
    batch_documents: Count = setting(default=1_000, text="Documents of a bulk request, at most.")
    waiting_bytes: Count = setting(
        default=16 * 2**20,
        text="Bytes of full bulk requests that a sync holds until the engine has answered; then it reads no further.",
    )
    concurrency: Count = setting(
        default=16,
        text="Bulk requests at once, at most, of all syncs of a process. How many are best is found out as they run.",
    )
    heartbeat_timeout_s: Seconds = setting(
        default=60.0,
        text="Seconds without a sign of life after which another process may take over the index of a sync. It has to "
        "be the same in all processes.",
    )
    engine_unavailable_timeout_s: Seconds = setting(
        default=1_800.0, text="Seconds for which a sync waits for an engine that takes nothing; then it ends in error."
    )
    checkpoint_every_s: Seconds = setting(
        default=10.0,
        text="Seconds between two checkpoints of a walk: where the source can, a sync that was interrupted reads again "
        "what it had read since the last one.",
    )
    live_round_s: Seconds = setting(
        default=300.0,
        text="Seconds for which a live sync writes before it proves that the index holds that, and begins anew.",
    )
    ledgers: Path = setting(
        default=Path("data/ledgers"),
        text="Folder for copies of what indices hold, which spare a sync to read that from the engine: 24 bytes a "
        "document. It may be emptied at any time.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings together."""
        if self.batch_bytes > self.waiting_bytes:
            yield Problem("waiting_bytes", f"There has to be room for one bulk request: {self.batch_bytes} bytes.")


@dataclass(frozen=True)
class DownloadSettings:
    """How the contents of documents are fetched from their sources."""

    concurrent: Count = setting(default=10, text="Contents that one sync fetches at once.")
    at_once_bytes: Count = setting(
        default=64 * 2**20,
        text="Bytes of contents that one sync holds, from before they are fetched until they are sent.",
    )
    largest_bytes: Count = setting(
        default=10 * 2**20,
        text="Bytes of one content: a larger one is not fetched, and its document indexed without it. A change has "
        "all contents fetched again.",
    )
    timeout_s: Seconds = setting(default=600.0, text="Seconds for one attempt to fetch a content.")

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings together."""
        if self.largest_bytes > self.at_once_bytes:
            yield Problem("at_once_bytes", f"There has to be room for the largest content: {self.largest_bytes} bytes.")


@dataclass(frozen=True)
class StorageSettings:
    """Where sources keep what they remember between jobs, such as tokens: the same in all processes."""

    backend: Literal["engine", "sqlite", "redis"] = setting(
        default="engine",
        text="What keeps it. SQLite is for daemons of one machine. Nothing is taken along when this is changed.",
    )
    path: Path = setting(default=Path("data/storage/values.db"), text="The file of SQLite, made when it is missing.")
    url: str | None = setting(
        default=None,
        text="Address of Redis, with the number of a database that nothing else uses; `rediss` is Redis over TLS.",
        example="redis://localhost:6379/0",
    )
    username: str | None = setting(default=None, text="User name at Redis, where it has users.", example="connectors")
    password: Secret | None = setting(default=None, text="Password at Redis.", example="${REDIS_PASSWORD}")

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings together."""
        if self.backend != "redis":
            for name in ("url", "username", "password"):
                if getattr(self, name) is not None:
                    yield Problem(name, f"It is for Redis, and storage.backend is {self.backend}.")
        elif self.url is None:
            yield Problem("url", "The address of Redis is needed, such as redis://localhost:6379/0.")
        else:
            yield from _redis_problems(self.url)
            if self.username is not None and self.password is None:
                yield Problem("password", "A user name and its password go together.")


@dataclass(frozen=True)
class ServiceSettings:
    """The daemon: how much it does at once, and when."""

    workers: Count = setting(
        default=2, text="Processes that jobs run in. One that dies takes down the jobs in it, and nothing else."
    )
    max_concurrent_content_syncs: Count = setting(
        default=4, text="Full and incremental syncs at once. Each needs memory for what its index holds."
    )
    max_concurrent_access_control_syncs: Count = setting(
        default=1, text="Syncs at once that read who may see what, beside the others."
    )
    max_live_syncs: Count = setting(
        default=20, text="Live syncs at once, beside the others. Of connectors beyond that, some wait."
    )
    max_concurrent_syncs_of_source: Count | None = setting(
        default=None, text="Syncs at once of one service type; without it there is no such limit.", example="2"
    )
    max_concurrent_syncs_of_host: Count | None = setting(
        default=None,
        text="Syncs at once that read from one remote host, as the settings of connectors name it; without it there is "
        "no such limit.",
        example="2",
    )
    max_ledger_bytes: Count = setting(
        default=512 * 2**20,
        text="Bytes that all syncs at once may take for what their indices hold, 26 a document. One that takes more by "
        "itself runs without others.",
    )
    worker_memory_bytes: Annotated[int, msgspec.Meta(ge=2**28)] | None = setting(
        default=None,
        text="Bytes of memory that one of the processes may have before it is killed, and its jobs begun again each in "
        "one of its own; without it there is no such limit. On Linux alone.",
        example="2147483648",
    )
    timezone: str = setting(
        default="UTC", text="The zone that the schedules of connectors are in, as the IANA database names it."
    )
    windows: tuple[str, ...] = setting(
        default=(),
        text="When syncs that are due may begin, in that zone; without any, always. What is due at another time waits. "
        "Connectors may have windows of their own. Syncs that somebody wants by hand begin at once.",
        example="22:00-06:00",
    )
    jitter_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = setting(
        default=0.0,
        text="Seconds by which the jobs of a tick are spread, each connector's always by as much, so that not all of "
        "them begin at the full hour.",
    )
    source_timeout_s: Seconds = setting(
        default=600.0,
        text="Seconds for which a source that was asked may say nothing before its sync is ended in an error. A "
        "process in which it holds up all else, or that it does not let go, is killed, and its jobs are begun again.",
    )
    keep_jobs_days: Count = setting(
        default=30, text="Days for which jobs that have ended are kept; the last one of each kind stays longer."
    )
    shutdown_timeout_s: Seconds = setting(
        default=30.0, text="Seconds that jobs have to be suspended when the daemon is asked to end."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings together."""
        for name, read in (("timezone", zone_of), ("windows", Windows.parse)):
            try:
                read(getattr(self, name))
            except ConfigurationError as error:
                yield Problem(name, str(error))
        if self.worker_memory_bytes is not None and not Path("/proc/self/statm").exists():
            yield Problem("worker_memory_bytes", "This system does not tell how much memory a process has.")


@dataclass(frozen=True)
class MonitoringSettings:
    """Where a daemon tells over HTTP whether it is well (/healthz, /readyz), and its metrics (/metrics)."""

    host: str = setting(
        default="127.0.0.1",
        text="Address to listen at. There is no password: another one than loopback is for a network of yours.",
    )
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = setting(
        default=9481, text="Port to listen at, another one for each daemon of a machine; null for not at all."
    )
    names: tuple[str, ...] = setting(
        default=(),
        text="Names under which it is asked, besides localhost and, where host is no loopback address, the machine's "
        "own and addresses in numbers. Others are refused, so that no page of the web has a browser ask.",
        example="connectors.example.org",
    )


@dataclass(frozen=True)
class Settings:
    """All settings of the service."""

    engine: EngineSettings = field(default_factory=EngineSettings)
    log: LogSettings = field(default_factory=LogSettings)
    sync: SyncsSettings = field(default_factory=SyncsSettings)
    downloads: DownloadSettings = field(default_factory=DownloadSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    sources: Mapping[str, str] = setting(
        default={},
        text="Sources of yours, and others in the place of ours: the service type, and the class that reads it. What "
        "is in connectors/sources/, or in an installed package that says so, is found by itself.",
        example="letters: my_package.letters:LettersDataSource",
    )
    allowed_paths: tuple[Path, ...] = setting(
        default=(),
        text="Folders that sources of local files may read, with all that is in them. Without any, connectors that are "
        "written into the engine read nothing on this machine.",
        example="/srv/documents",
    )
    exposed_secrets: tuple[ExposedSecret, ...] = setting(
        default=(),
        text="Names that ${NAME} may stand for in the settings of connectors: NAME is a variable of the environment, "
        "NAME=/path a file that holds the secret.",
        example="MAIL_PASSWORD=/run/secrets/mail",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings together."""
        for service_type, place in self.sources.items():
            if not _PLACE.fullmatch(place):
                yield Problem(f"sources.{service_type}", "A class is named as package.module:Class.")
        is_ours = self.storage.backend == "sqlite" and self.engine.host is None
        if is_ours and self.storage.path.resolve().parent == self.engine.data.resolve():
            yield Problem("storage.path", "The embedded engine removes strange files from there: name another folder.")
        if self.sync.concurrency > self.engine.data_connections:
            most = self.engine.data_connections
            yield Problem("sync.concurrency", f"There are connections for {most}: raise engine.data_connections too.")

    @property
    def grants(self) -> Grants:
        """What the settings of connectors may refer to."""
        return Grants(self.allowed_paths, self.exposed_secrets)


def _redis_problems(url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        yield Problem("url", f"{error}.")
        return
    if parts.username is not None or parts.password is not None:
        yield Problem("url", "Put the user name and password into settings of their own, where they are kept secret.")
        return
    is_sound = parts.scheme in {"redis", "rediss"} and parts.hostname and port != 0 and not parts.query
    if not is_sound or not re.fullmatch(r"(/\d*)?", parts.path, re.ASCII) or parts.fragment:
        yield Problem("url", "An address looks like redis://localhost:6379/0 or rediss://redis.example.org/1.")


def _url_problems(name: str, value: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        yield Problem(name, f"{error}.")
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        yield Problem(name, "An address looks like http://localhost:9200 or https://engine.example.org.")
    elif parts.username is not None or parts.password is not None:
        yield Problem(name, "Put the user name and password into settings of their own, where they are kept secret.")
