"""Printed: everything that is logged or printed meanwhile, as it would be in a daemon."""

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Final

import structlog

from connectors import logger

_LOGS: Final = ("", "connectors", "elastic_transport")
"""The logs that setting up the log touches."""


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    """Provide what is logged, at all levels, and printed; afterwards the log is what it was."""
    out = io.StringIO()
    before = [(log, log.handlers, log.level) for log in map(logging.getLogger, _LOGS)]
    configured, configuration = structlog.is_configured(), structlog.get_config()
    logging.getLogger().handlers = []  # or they would be closed, and they are not ours
    try:
        logger.set_up(level="debug", style="json", stream=out)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            yield out
    finally:
        for log, handlers, level in before:
            log.handlers = handlers
            log.setLevel(level)
        structlog.reset_defaults()
        if configured:
            structlog.configure(**configuration)
