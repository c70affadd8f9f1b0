"""Somebody else at work between the requests of a sync."""

from dataclasses import replace

from connectors.engine.bulk import BulkAnswer
from connectors.engine.operations import Operations
from tests.sync.scripted import Event, Scene


class Intruder(Operations):
    """Operations with somebody else at work: an event happens before, or after, each of the next bulk requests."""

    def __init__(self, operations: Operations) -> None:
        vars(self).update(vars(operations))
        self.before: list[Event] = []
        self.after: list[Event] = []

    async def bulk(
        self, index: str, body: bytes, *, operations: int, pipeline: str | None = None, require_alias: bool = False
    ) -> BulkAnswer:
        if self.before:
            await self.before.pop(0)()
        answer = await super().bulk(index, body, operations=operations, pipeline=pipeline, require_alias=require_alias)
        if self.after:
            await self.after.pop(0)()
        return answer


def intrude(scene: Scene) -> Intruder:
    data = Intruder(scene.engine.data)
    scene.place = replace(scene.place, engine=replace(scene.engine, data=data))
    return data
