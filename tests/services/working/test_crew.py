"""The crew: gives jobs to its processes, also while it is told of the end of one."""

import asyncio
import sys

from connectors.services.working.crew import Crew, Death

WORKER = """
import sys
print('{"type": "ready", "instance": "me"}', flush=True)
for line in sys.stdin:
    if "stop" in line:
        break
    if "deadly" in line:
        sys.exit(7)
    print('{"type": "ended", "job": "harmless"}', flush=True)
"""
PATIENCE_S = 30.0


async def test_a_job_that_is_given_while_the_only_process_is_being_mourned_waits_for_the_next_one() -> None:
    deaths, mourning, over = list[Death](), asyncio.Event(), asyncio.Event()

    async def died(death: Death) -> None:
        deaths.append(death)
        mourning.set()
        await over.wait()

    crew = Crew([sys.executable, "-c", WORKER], 1, died)
    task = asyncio.create_task(crew.run())
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.sleep(0)
        crew.give("deadly")
        await mourning.wait()
        crew.give("harmless")
        assert crew.jobs == {"harmless"}
        over.set()
        while crew.jobs:  # noqa: ASYNC110 - a process ends it
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert deaths == [Death(frozenset({"deadly"}), "me", alone=False, code=7)]
