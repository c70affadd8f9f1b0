"""Pipelines: which ingest pipeline of the engine documents go through, and what it is told in each of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors import logger
from connectors.engine import Engine
from connectors.errors import ConfigurationError, EngineDenied

log = logger.get(__name__)
DEFAULT: Final = "search-default-ingestion"
"""What Kibana writes into every connector, whether the engine has such a pipeline or not."""
FLAGS: Final = ("extract_binary_content", "reduce_whitespace", "run_ml_inference")


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that the engine has, and what a connector wants of it."""

    name: str
    extract_binary_content: bool = True
    reduce_whitespace: bool = True
    run_ml_inference: bool = True

    @property
    def fields(self) -> Mapping[str, bool]:
        """The fields that each document carries, as pipelines that Kibana made expect them."""
        return {f"_{flag}": getattr(self, flag) for flag in FLAGS}


async def pipeline_of(engine: Engine, stored: Mapping[str, object] | None) -> Pipeline | None:
    """Return the pipeline that a connector's `pipeline` names, None when it names none.

    The default one may be missing, in silence. Raises `ConfigurationError` when another one is. Where we may not ask,
    the connector is believed: an engine that has no such pipeline then refuses each document by its name.
    """
    name = (stored or {}).get("name")
    if stored is None or not isinstance(name, str) or not name.strip():
        return None
    pipeline = Pipeline(name, **{flag: value for flag in FLAGS if isinstance(value := stored.get(flag), bool)})
    try:
        exists = await engine.indices.pipeline_exists(name)
    except EngineDenied as error:
        log.warning("We may not ask whether there is such a pipeline, and use it.", pipeline=name, error=str(error))
        return pipeline
    if exists:
        return pipeline
    if name == DEFAULT:
        return None
    raise ConfigurationError(
        f"The connector names the pipeline {name!r}, and {engine.info} has none of that name.",
        field="pipeline.name",
        hint="Create the pipeline, or take its name from the connector.",
    )
