"""The one tree of errors, which tells the framework how to recover.

    ConnectorsError
    ├── ConfigurationError(field)           Permanent   a setting is wrong
    ├── SourceError
    │   ├── SourceUnreachable               Retryable   no connection, or it broke
    │   ├── AccessDenied                    Permanent   the source refuses these credentials
    │   ├── CursorExpired                   Permanent   only a full sync can tell what happened since
    │   └── Throttled(retry_after_s)        Retryable   the source asks for less
    ├── DocumentSkipped(reason)             Permanent   this one document can't be read
    ├── StorageError
    │   ├── StorageUnreachable              Retryable   what a source remembers can't be reached
    │   └── StorageRefused                  Permanent   it can't be kept, or we may not
    ├── EngineError
    │   ├── EngineUnreachable               Retryable   no connection, no answer, or half of one
    │   ├── EngineOverloaded(retry_after_s) Retryable   the engine asks for less
    │   ├── EngineBlocked                   Retryable   it takes no writes: a full disk, a read-only index
    │   ├── EngineFailed(status)            Retryable   the engine failed at a sound request
    │   ├── ScanIncomplete                  Retryable   a scan lost documents; a new one may not
    │   ├── EngineUntrusted                 Permanent   its certificate is not one that we trust
    │   ├── EngineDenied                    Permanent   it refuses these credentials
    │   ├── EngineRefused(status, kind)     Permanent   it refuses this request, now and later
    │   ├── Conflict                        Permanent   somebody else wrote first
    │   ├── IndexMissing(index)             Permanent   there is no such index
    │   └── IndexReplaced(index)            Permanent   the name now means another index
    ├── JobError
    │   ├── JobCanceled                     Permanent   a person asked for it
    │   ├── JobLost                         Permanent   another worker owns the job now
    │   ├── TargetInUse                     Retryable   another sync writes to the index
    │   ├── TooManyLetters                  Permanent   so many documents fail that something else is wrong
    │   └── Miscounted                      Permanent   a sync's counters do not add up
    ├── RecordUnreadable(key)               Permanent   what we stored is from a newer version, or damaged
    └── QueueClosed                         Permanent   a queue takes or gives nothing more

`Retryable` and `Permanent` are all that a retry looks at. A message says what happened and to which thing; the
hint says what to do about it.
"""


class ConnectorsError(Exception):
    """What every error of this program is."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class Retryable:
    """The same call may succeed later, after `retry_after_s` seconds when that is known."""

    retry_after_s: float | None = None


class Permanent:
    """The same call will fail again until somebody changes something."""


class ConfigurationError(ConnectorsError, Permanent):
    """A setting is missing or wrong; `field` is its dotted name."""

    def __init__(self, message: str, *, field: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class SourceError(ConnectorsError):
    """Something about a source."""


class SourceUnreachable(SourceError, Retryable):
    """The source can't be reached, or the connection broke."""


class AccessDenied(SourceError, Permanent):
    """The source refuses our credentials, or refuses them this thing."""


class CursorExpired(SourceError, Permanent):
    """What happened behind a cursor can't be told, or not all of it: a full sync has to follow."""


class Throttled(SourceError, Retryable):
    """The source asks to be left alone for a while."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class DocumentSkipped(ConnectorsError, Permanent):
    """One document can't be read; the walk goes on."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason


class StorageError(ConnectorsError):
    """Something about what sources remember between jobs."""


class StorageUnreachable(StorageError, Retryable):
    """Where the values of sources are kept can't be reached, or can't keep them for now."""


class StorageRefused(StorageError, Permanent):
    """A key or a value can't be kept as it is, or where they are kept our credentials are refused."""


class EngineError(ConnectorsError):
    """Something about the search engine.

    `maybe_applied` says that the request, in this or an earlier attempt of the same call, may have been applied all
    the same, because its answer was lost. Where it is False nothing was changed.
    """

    maybe_applied: bool = False


class EngineUnreachable(EngineError, Retryable):
    """No connection (`unsent`), no answer in time, or an answer that broke off."""

    def __init__(self, message: str, *, unsent: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.unsent = unsent


class EngineOverloaded(EngineError, Retryable):
    """The engine refused the request for now, without applying it."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class EngineBlocked(EngineError, Retryable):
    """The engine takes no writes until somebody helps it: its disk is full, or an index is set to read-only."""


class EngineFailed(EngineError, Retryable):
    """The engine failed at a request that is sound (a 5xx), or answered what can't be."""

    def __init__(self, message: str, *, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class ScanIncomplete(EngineError, Retryable):
    """A scan returned another number of documents than its point in time holds."""


class EngineUntrusted(EngineError, Permanent):
    """The engine's certificate was not accepted, or it did not accept ours."""


class EngineDenied(EngineError, Permanent):
    """The engine refuses our credentials, or refuses them this operation."""


class EngineRefused(EngineError, Permanent):
    """The engine refuses this request as it is; `kind` is the engine's own name of the error."""

    def __init__(self, message: str, *, status: int, kind: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind


class Conflict(EngineError, Permanent):
    """The document is not in the state that this write expected, or there is one where there should be none.

    When `maybe_applied` is set the other writer may have been ourselves: read the document and decide.
    """


class IndexMissing(EngineError, Permanent):
    """There is no index or alias of that name."""

    def __init__(self, message: str, *, index: str) -> None:
        super().__init__(message)
        self.index = index


class IndexReplaced(EngineError, Permanent):
    """A name that we write to now means another index than when we began."""

    def __init__(self, message: str, *, index: str) -> None:
        super().__init__(message)
        self.index = index


class JobError(ConnectorsError):
    """Something about one run of a connector."""


class JobCanceled(JobError, Permanent):
    """Somebody asked for the job to stop."""


class JobLost(JobError, Permanent):
    """The job's lease is not ours any more; `taken_by` is the connector whose sync has it now, where that is known."""

    def __init__(self, message: str, *, taken_by: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.taken_by = taken_by


class RecordUnreadable(ConnectorsError, Permanent):
    """A record of the store was written by a newer version of this program, or is damaged."""

    def __init__(self, message: str, *, key: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


class TargetInUse(JobError, Retryable):
    """Another sync writes to the index now, and shows that it is alive."""


class TooManyLetters(JobError, Permanent):
    """So many documents can't be indexed that something else must be wrong."""


class Miscounted(JobError, Permanent):
    """The counters of a sync do not add up: a fault of this program, and never a reason to delete."""


class QueueClosed(ConnectorsError, Permanent):
    """The queue takes nothing more, or has nothing more to give."""

    def __init__(self) -> None:
        super().__init__("The queue is closed.")
