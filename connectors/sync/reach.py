"""The reach: what the cursor of a connector's incremental syncs holds for, which is a recipe and an index."""

from typing import Any, Final

import msgspec

from connectors.store.sync_state import Completed, Reached
from connectors.sync.job import Job
from connectors.sync.verdict import Reason

NOTHING: Final = ""


def holds(job: Job) -> bool:
    """Return whether the cursor was made with the recipe and the index of a job, and nobody wrote with others since."""
    reached = job.state.value.reached
    return reached is not None and (reached.recipe, reached.target) == (job.recipe, job.target.uuid)


def here(job: Job, *, by_full: bool = False) -> Reached:
    """Return that the cursor holds for the recipe and the index of a job."""
    return Reached(recipe=job.recipe, target=job.target.uuid, at=job.place.clock.now(), by_full=by_full)


def since_full(job: Job) -> Completed | None:
    """Return the last completed full sync, if what changed since its token is all that a job has to make good.

    It had the recipe and the index of the job, and nobody has written with others since: an incremental sync that read
    everything says that the cursor holds as soon as it has saved one, when some documents may still be of other rules.
    """
    done, reached = job.state.value.completed, job.state.value.reached
    if done is None or reached is None or not reached.by_full or not holds(job):
        return None
    return done if (done.recipe, done.target) == (job.recipe, job.target.uuid) else None


async def save(job: Job, reached: Reached | None) -> None:
    """Save what the cursor holds for. Raises `JobLost`."""
    await job.place.patience(lambda _: job.state.save(reached=reached))


async def void(job: Job, why: Reason = Reason.OTHER_SETTINGS) -> Reached | None:
    """Say that nothing holds which earlier syncs left, and why; return what the cursor held for.

    A sync with other settings than the connector's writes what no later one may take for its own: what goes on from a
    cursor or a checkpoint would leave it, and so would one that is skipped. Raises `JobLost`.
    """
    state = job.state.value
    nothing = Reached(recipe=NOTHING, target=NOTHING, at=job.place.clock.now())
    done = None if state.completed is None else msgspec.structs.replace(state.completed, stamp=None, open=why)
    await job.place.patience(lambda _: job.state.save(reached=nothing, checkpoint=None, completed=done))
    return state.reached


async def lose(job: Job) -> None:
    """Say that no cursor holds, and that no full sync may be skipped: only a walk tells what has changed.

    Raises `JobLost`.
    """
    await void(job, Reason.EXPIRED)


async def begin(job: Job) -> None:
    """Say of what was saved for another recipe or index that it holds for nothing, before anything is written.

    A sync that writes with other rules and does not come to its end leaves some documents of these and some of those.
    When the first rules come back, what a cursor or a checkpoint says of them would be true of no more than a part.
    Raises `JobLost`.
    """
    state = job.state.value
    changes: dict[str, Any] = {}
    if state.reached is not None and not holds(job):
        changes["reached"] = Reached(recipe=NOTHING, target=NOTHING, at=job.place.clock.now())
    if (found := state.checkpoint) is not None and (found.recipe, found.target) != (job.recipe, job.target.uuid):
        changes["checkpoint"] = None
    if changes:
        await job.place.patience(lambda _: job.state.save(**changes))
