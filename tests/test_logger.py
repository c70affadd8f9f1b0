import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from connectors import logger
from connectors.secret import Secret


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.contextvars.clear_contextvars()
    logger.set_up(level="debug", style="text")  # as for all tests


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_away_from_a_terminal_each_line_is_json_with_the_fields() -> None:
    stream = io.StringIO()
    logger.set_up(stream=stream)
    logger.get("connectors.test").info("The sync began.", connector="docs", documents=3)
    [line] = lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "event": "The sync began.",
        "level": "info",
        "logger": "connectors.test",
        "connector": "docs",
        "documents": 3,
    }


def test_on_a_terminal_it_is_text() -> None:
    stream = Terminal()
    logger.set_up(stream=stream)
    logger.get("connectors.test").info("The sync began.", connector="docs")
    assert "The sync began." in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_style_that_is_asked_for_comes_before_the_terminal() -> None:
    stream = Terminal()
    logger.set_up(stream=stream, style="json")
    logger.get("connectors.test").info("x")
    assert lines(stream)[0]["event"] == "x"


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_less_important_messages_are_left_out(level: logger.Level, shown: int) -> None:
    stream = io.StringIO()
    logger.set_up(stream=stream, level=level)
    log = logger.get("connectors.test")
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert len(lines(stream)) == shown


def test_secrets_are_masked_by_type_by_name_and_in_addresses() -> None:
    stream = io.StringIO()
    logger.set_up(stream=stream)
    logger.get("connectors.test").info(
        "Settings.",
        key=Secret("hunter2"),
        Password="hunter2",
        nested={"api_key": "hunter2", "host": "https://u:hunter2@h/x"},
        several=["mysql://root:hunter2@db/x"],
    )
    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["nested"] == {"api_key": "***", "host": "https://***@h/x"}


def test_libraries_are_heard_from_warnings_up() -> None:
    stream = io.StringIO()
    logger.set_up(stream=stream, level="debug")
    logging.getLogger("elastic_transport.transport").info("chatter")
    logging.getLogger("asyncio").warning("slow %s", "callback")
    assert [line["event"] for line in lines(stream)] == ["slow callback"]


def test_bound_context_and_tracebacks_are_in_the_line() -> None:
    stream = io.StringIO()
    logger.set_up(stream=stream)
    with structlog.contextvars.bound_contextvars(job="j1"):
        try:
            raise ValueError("broken")
        except ValueError:
            logger.get("connectors.test").exception("The job failed.")
    [line] = lines(stream)
    assert line["job"] == "j1"
    assert "ValueError: broken" in str(line["exception"])
