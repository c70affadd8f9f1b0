"""The log: sentences with fields, as text for people and JSON for machines, and never a secret.

`log = logger.get(__name__)` and then `log.info("The sync began.", connector="docs")`: the sentence never changes, so
that it can be searched for; what varies stands in the fields.
"""

import logging
import re
import sys
from typing import Final, Literal, TextIO

import structlog

from connectors.secret import MASK, without_user_info

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "text", "json"]

_SECRET_NAMES: Final = re.compile(r"password|secret|api_?key|token|authorization|credential|passphrase", re.IGNORECASE)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the log of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def set_up(*, level: Level = "info", style: Format = "auto", stream: TextIO | None = None) -> None:
    """Send the log of the whole process to a stream (stderr): ours as it is, that of libraries from warnings up."""
    out = stream if stream is not None else sys.stderr
    people = style == "text" or (style == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(out, people=people)],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("connectors").setLevel(level.upper())
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)  # its warnings tell what our errors tell better
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendered(out: TextIO, *, people: bool) -> list[structlog.typing.Processor]:
    if people:
        traceback = structlog.dev.plain_traceback
        return [mask, structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=traceback)]
    return [structlog.processors.format_exc_info, mask, structlog.processors.JSONRenderer(default=str)]


def mask(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put `***` in place of every value whose name tells of a secret, and of what stands before an @ in an address."""
    for name, value in event.items():
        event[name] = MASK if _SECRET_NAMES.search(name) else _masked(value)
    return event


def _masked(value: object) -> object:
    if isinstance(value, str):
        return without_user_info(value)
    if isinstance(value, dict):
        return {k: MASK if _SECRET_NAMES.search(str(k)) else _masked(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value
