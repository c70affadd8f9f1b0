"""Options and fixtures that every test may use."""

import hypothesis
import pytest

from connectors import logger

# How long an example takes says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=["elasticsearch", "opensearch"], help="the real engine to start and test")
    parser.addoption("--rounds", type=int, default=20, help="how many random rounds a torture test makes")
    parser.addoption("--first-seed", type=int, default=0, help="the seed of the first of them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked for another real engine than the one that was asked for."""
    engine = config.getoption("--engine")
    others = [one for one in items if any(m.args and engine not in m.args for m in one.iter_markers("real_engine"))]
    config.hook.pytest_deselected(items=others)
    items[:] = [one for one in items if one not in others]


@pytest.fixture(autouse=True, scope="session")
def quiet() -> None:
    """Log to stderr, which pytest shows only for a test that fails."""
    logger.set_up(level="debug", style="text")
