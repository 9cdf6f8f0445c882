"""Two who do something with one run at once, one of them in the midst of a write of the other's."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from forehearth.assistants.kept import Kept, KeptRun
from forehearth.assistants.runs import Runs
from forehearth.assistants.threads import Threads
from forehearth.core.document import Document, StoreFailed
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.dialects.assistants.asked import NewMessage, Outputs, ThreadBody, ToolOutput
from forehearth.dialects.assistants.objects import Step
from forehearth.dialects.assistants.states import Status
from forehearth.jobs.run import Run
from tests.unit.assistants.test_deaths import CALLED, HERE, SPOKEN, MortalDocuments, Stage
from tests.unit.responses.stage import Source, attempt

Meanwhile = Callable[[], Awaitable[object]]
RUN, STEP = "thread_run", "run_step"


class Crossed(MortalDocuments):
    """A store in which something else happens just before, or just after, the first write of a sort."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[tuple[str, str], Meanwhile] = {}
        self._after: dict[tuple[str, str], Meanwhile] = {}

    def before(self, doing: str, kind: str, meanwhile: Meanwhile) -> None:
        self._before[doing, kind] = meanwhile

    def after(self, doing: str, kind: str, meanwhile: Meanwhile) -> None:
        self._after[doing, kind] = meanwhile

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        await self._meanwhile(self._before, "insert", documents[0].kind)
        kept = await super().insert_many(documents)
        await self._meanwhile(self._after, "insert", documents[0].kind)
        return kept

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        await self._meanwhile(self._before, "replace", document.kind)
        return await super().replace(document, etag=etag)

    async def delete(self, place: Place, kind: str, id: str, now: float, *, etag: str | None = None) -> bool:  # noqa: A002 - the port's
        await self._meanwhile(self._before, "delete", kind)
        return await super().delete(place, kind, id, now, etag=etag)

    async def _meanwhile(self, due: dict[tuple[str, str], Meanwhile], doing: str, kind: str) -> None:
        meanwhile = due.pop((doing, kind), None)
        if meanwhile is not None:
            await meanwhile()


class CrossedStage(Stage):
    """Runs over such a store, and those of a second process."""

    documents: Crossed

    def __init__(self) -> None:
        super().__init__(Crossed())
        other = Kept(self.documents, new_id=lambda prefix: f"{prefix}_other", clock=self.clock)
        self.other = Runs(other, Threads(other), self.desk, nudge=lambda: None)

    async def claimed(self) -> Run:
        """An attempt at the one job there is."""
        (job,) = await self.jobs.claim({RUN}, 1, 15.0)
        run = Run(job, self.jobs, self.clock, self.clock.sleep, good_until=self.clock.monotonic() + 15.0)
        await run.begin()
        return run

    async def submit(self, kept: KeptRun, output: str, *, runs: Runs | None = None) -> tuple[KeptRun, Step]:
        outputs = Outputs(tool_outputs=[ToolOutput(tool_call_id=f"call_{n}", output=output) for n in (1, 2)])
        return await (runs or self.runs).submit(self.caller, kept.run.thread_id, kept.run.id, outputs)

    async def remove(self, kept: KeptRun) -> None:
        await self.other.remove_thread(HERE, kept.run.thread_id)

    @property
    def left(self) -> set[str]:
        """The kinds of what there is."""
        return {each.kind for each in self.documents._documents.values()}


def outputs_of(step: Step) -> list[str]:
    return [call["function"]["output"] for call in step.step_details["tool_calls"]]


@pytest.mark.parametrize(("first_write", "winner"), [(RUN, "late"), (STEP, "early")])
async def test_of_two_who_submit_outputs_at_once_one_wins_and_the_other_is_told(first_write: str, winner: str):
    """The late one, in another process, comes and is done between two writes of the early one."""
    stage = CrossedStage()
    waits = await stage.carry_out(await stage.begin(), CALLED)
    told: dict[str, KeptRun | str] = {}
    shown: list[Step] = []

    async def submit(who: str, runs: Runs) -> None:
        try:
            told[who], done = await stage.submit(waits, who, runs=runs)
            shown.append(done)
        except InvalidField as refused:
            told[who] = str(refused)

    stage.documents.before("replace", first_write, lambda: submit("late", stage.other))
    await submit("early", stage.runs)
    loser = "early" if winner == "late" else "late"
    assert told[loser] == 'Runs in status "queued" do not accept tool outputs.'
    (done,) = shown
    assert outputs_of(done) == [winner, winner]
    assert await stage.runs.step(HERE, waits.run.thread_id, waits.run.id, done.id) == done
    queued = told[winner]
    assert isinstance(queued, KeptRun)
    assert (await stage.carry_out(queued, SPOKEN)).run.status is Status.COMPLETED
    assert [each["content"] for each in stage.models.asked()["messages"] if each["role"] == "tool"] == [winner, winner]


@pytest.mark.parametrize(("first_write", "used"), [(RUN, "second"), (STEP, "first")])
async def test_outputs_are_taken_whole_or_not_at_all_where_whoever_submits_them_fails(first_write: str, used: str):
    stage = CrossedStage()
    waits = await stage.carry_out(await stage.begin(), CALLED)

    async def fail() -> None:
        raise StoreFailed("away")

    stage.documents.before("replace", first_write, fail)
    with pytest.raises(StoreFailed):
        await stage.submit(waits, "first")
    if used == "first":
        with pytest.raises(InvalidField, match="queued"):
            await stage.submit(waits, "second")
    else:
        await stage.submit(waits, "second")
    now = await stage.kept.runs.get(HERE, waits.run.id, parent=waits.run.thread_id)
    assert (await stage.carry_out(now, SPOKEN)).run.status is Status.COMPLETED
    assert [each["content"] for each in stage.models.asked()["messages"] if each["role"] == "tool"] == [used, used]
    assert (await stage.kept.runs.get(HERE, waits.run.id, parent=waits.run.thread_id)).given == {}


@pytest.mark.parametrize("doing", ["submit", "cancel"])
async def test_no_step_comes_back_whose_thread_is_removed_while_somebody_ends_it(doing: str):
    stage = CrossedStage()
    waits = await stage.carry_out(await stage.begin(), CALLED)
    stage.documents.before("replace", STEP, lambda: stage.remove(waits))
    if doing == "submit":
        with pytest.raises(NotFound):
            await stage.submit(waits, "1")
    else:
        await stage.runs.cancel(HERE, waits.run.thread_id, waits.run.id)
    assert stage.left == {"assistant"}


async def test_no_step_stays_that_a_worker_writes_just_before_its_run_is_removed():
    """The worker looks for the run after it wrote, and the run is there still; its steps were removed before."""
    stage = CrossedStage()
    begun = await stage.begin()
    stage.models.answers = [Source(CALLED)]
    run = await stage.claimed()
    stage.documents.before("delete", RUN, lambda: stage.work(run))
    await stage.remove(begun)
    assert stage.left == {"assistant"}


@pytest.mark.parametrize("kind", [STEP, "thread_message"])
async def test_nothing_stays_of_a_worker_that_dies_before_it_sees_that_its_run_is_gone(kind: str):
    stage = CrossedStage()
    begun = await stage.begin()
    stage.models.answers = [Source(CALLED)]
    written = asyncio.Event()

    async def die() -> None:
        written.set()
        await asyncio.get_running_loop().create_future()

    run = await stage.claimed()
    stage.documents.before("insert", kind, lambda: stage.remove(begun))
    stage.documents.after("insert", kind, die)
    dying = asyncio.ensure_future(stage.work(run))
    await written.wait()
    dying.cancel()
    await asyncio.wait([dying])
    assert kind in stage.left
    await attempt(stage, RUN)
    assert stage.left == {"assistant"}


@pytest.mark.parametrize("is_late", [False, True])
async def test_no_message_stays_that_is_added_while_its_thread_is_removed(is_late: bool):
    """It is written before the removal begins, or, by somebody who saw the thread there still, at its very end."""
    stage = CrossedStage()
    threads, message = Threads(stage.kept), NewMessage(role="user", content=[], metadata={})
    thread = await threads.create(HERE, ThreadBody())

    async def add() -> None:
        await stage.other.add(HERE, thread.id, message)

    if is_late:
        stage.documents.before("delete", "thread", add)
        await threads.remove(HERE, thread.id)
    else:
        stage.documents.before("insert", "thread_message", lambda: threads.remove(HERE, thread.id))
        with pytest.raises(NotFound):
            await add()
    assert stage.left == set()
