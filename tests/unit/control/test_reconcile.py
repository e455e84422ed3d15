"""Reconcile: one pass over one integration, and no pass on a view that is older than the operator's own last write."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control.act import RefusedError, StaleViewError, Writer
from tidegate.control.decide import decide
from tidegate.control.history import CREATION_PATIENCE
from tidegate.control.observation import Body, Integration, JobState, Observation
from tidegate.control.reconcile import START_WITHIN, TRY_AGAIN, WRITE_VISIBLE_WITHIN, Reconciler
from tidegate.control.report import report
from tidegate.control.step import Action, Announce, CreateJob, DeleteJob, EvictPod, Step, SuspendJob
from tidegate.control.view import ClusterView

from .decision_table.duplicate import ELDER, TWO_PODS, YOUNGER
from .situations import (
    CLAIMED,
    NOW,
    ON,
    PAUSED,
    UID,
    WAITING,
    Situation,
    at_rest,
    deeds,
    job,
    last_run,
    pod,
    run,
)


class View:
    """What the watches show, as a test says."""

    def __init__(self, seen: Observation | None) -> None:
        self.seen = seen

    def observe(self, uid: str) -> Observation | None:
        assert uid == UID
        return self.seen


class RecordingWriter:
    """Writes nothing, and answers with the next resourceVersion; or fails as a test says."""

    def __init__(self) -> None:
        self.version = 100
        self.statuses: list[Body] = []
        self.actions: list[Action] = []
        self.failure: Exception | None = None
        self.within: dict[type[Action], float] = {}
        self.refuses_courtesies = False
        self.attempts = 0
        self.delay: Callable[[], None] = lambda: None  # what happens while the status is written
        self.absent = False

    async def job_is_absent(self, integration: Integration, name: str) -> bool:
        return self.absent

    async def write_status(self, integration: Integration, status: Body) -> str:
        self.statuses.append(status)
        self.delay()
        return self._next()

    async def attempt(self, integration: Integration, action: Action) -> bool:
        self.attempts += 1
        return not self.refuses_courtesies and await self.take(integration, action) is None

    async def take(self, integration: Integration, action: Action, within: float = 30) -> str | None:
        if self.failure is not None and isinstance(action, CreateJob):
            raise self.failure
        self.within[type(action)] = within
        self.actions.append(action)
        return self._next() if isinstance(action, CreateJob) else None

    def _next(self) -> str:
        self.version += 1
        return str(self.version)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def seconds(self) -> float:
        return (self.now - NOW).total_seconds()

    def passes(self, seconds: float) -> Callable[[], None]:
        def pass_() -> None:
            self.now += timedelta(seconds=seconds)

        return pass_

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def view() -> View:
    return View(Situation(ON).observe())


@pytest.fixture
def writer() -> RecordingWriter:
    return RecordingWriter()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconciler(view: View, writer: RecordingWriter, clock: Clock) -> Reconciler:
    return Reconciler(cast(ClusterView, view), cast(Writer, writer), clock, seconds=clock.seconds)


async def test_the_claim_is_written_before_the_job_is_created(reconciler: Reconciler, writer: RecordingWriter) -> None:
    await reconciler.reconcile(UID)
    (status,) = writer.statuses
    (created,) = deeds(writer.actions)
    assert isinstance(created, CreateJob)
    assert status["run"]["number"] == created.run.number == 1


async def test_a_resumed_run_has_a_fence_even_in_the_second_of_its_claim(
    reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
) -> None:
    """A resume that wrote no status would act on an old view of the switch (invariant I2)."""
    claimed = run(1, ago=-0.4)
    clock.now = NOW + timedelta(seconds=0.9)
    paused = PAUSED.but(spec=ON, jobs=(at_rest(claimed),)).remembering(phase=Phase.SYNCING, run=claimed)
    seen = paused.observe()
    stored = report(seen, paused.decide(claimed.claimed_at), NOW).to_wire()
    view.seen = replace(seen, integration=_with_status(seen.integration, stored))
    await reconciler.reconcile(UID)
    (status,) = writer.statuses
    assert deeds(writer.actions) == [SuspendJob(claimed.job_name, "job-1", "20", suspend=False)]
    assert status["run"]["claimedAt"] != stored["run"]["claimedAt"]


async def test_a_creation_is_abandoned_before_off_may_end_its_claim(
    reconciler: Reconciler, writer: RecordingWriter, clock: Clock
) -> None:
    """Invariants I1 and I2: all requests of a start share the time that the claim is waited for."""
    writer.delay = clock.passes(20)
    await reconciler.reconcile(UID)
    assert writer.within[CreateJob] == 5
    assert START_WITHIN < CREATION_PATIENCE


async def test_a_claim_that_took_too_long_to_write_starts_nothing(
    reconciler: Reconciler, writer: RecordingWriter, clock: Clock
) -> None:
    writer.delay = clock.passes(25)
    again = await reconciler.reconcile(UID)
    assert len(writer.statuses) == 1
    assert deeds(writer.actions) == []
    assert again is not None


async def test_a_slow_look_up_does_not_shorten_the_claim(
    reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
) -> None:
    async def absent(integration: Integration, name: str) -> bool:
        clock.passes(29)()
        return True

    writer.job_is_absent = absent  # type: ignore[method-assign]
    view.seen = CLAIMED.observe()
    await reconciler.reconcile(UID)
    assert writer.within[CreateJob] == START_WITHIN.total_seconds()
    assert writer.statuses[-1]["run"]["claimedAt"] == "2026-11-24T12:00:29.000000Z"


class TestBestEffortWrites:
    """An Event that is refused, or an old Job that cannot be deleted, holds up nothing."""

    HISTORY = (
        WAITING.declaring(activityLimit=1)
        .but(jobs=tuple(job(run(number, ago=1000), JobState.COMPLETE) for number in range(1, 4)))
        .remembering(runs=3, last_run=last_run(3))
    )

    async def test_a_refused_event_does_not_stop_a_run_from_starting(
        self, reconciler: Reconciler, writer: RecordingWriter
    ) -> None:
        writer.refuses_courtesies = True
        await reconciler.reconcile(UID)
        assert [type(action) for action in writer.actions] == [CreateJob]

    async def test_an_event_is_written_even_if_the_run_is_refused(
        self, reconciler: Reconciler, writer: RecordingWriter
    ) -> None:
        writer.failure = RefusedError("exceeded quota", needs_human=False)
        await reconciler.reconcile(UID)
        assert [action.reason for action in writer.actions if isinstance(action, Announce)] == ["TurnedOn"]

    async def test_a_failed_job_deletion_does_not_delay_the_next_start(
        self, reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
    ) -> None:
        writer.refuses_courtesies = True
        view.seen = self.HISTORY.observe()
        first = await reconciler.reconcile(UID)
        assert first == NOW + TRY_AGAIN
        assert writer.attempts == 2
        clock.now = NOW + timedelta(seconds=5)
        await reconciler.reconcile(UID)
        assert writer.attempts == 2, "it is not tried at every look"
        view.seen = self.HISTORY.declaring(delay="0s").observe()
        clock.now = NOW + timedelta(seconds=20)
        await reconciler.reconcile(UID)
        assert CreateJob in [type(action) for action in writer.actions]

    async def test_a_failed_deletion_is_retried_later(
        self, reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
    ) -> None:
        writer.refuses_courtesies = True
        view.seen = self.HISTORY.observe()
        await reconciler.reconcile(UID)
        writer.refuses_courtesies = False
        clock.now = NOW + TRY_AGAIN
        await reconciler.reconcile(UID)
        assert [action.name for action in writer.actions if isinstance(action, DeleteJob)] == [
            run(2).job_name,
            run(1).job_name,
        ]


def _written(given: Situation, writer: RecordingWriter) -> Integration:
    """The integration with the status that was written last."""
    shown = _with_status(given.observe().integration, writer.statuses[-1])
    return replace(shown, resource_version=str(writer.version))


class TestASecondPod:
    async def test_a_second_pod_is_evicted_once_until_the_watch_shows_it(
        self, reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
    ) -> None:
        view.seen = TWO_PODS.observe()
        await reconciler.reconcile(UID)
        assert [action.uid for action in writer.actions if isinstance(action, EvictPod)] == ["younger"]
        clock.now = NOW + timedelta(seconds=1)
        assert await reconciler.reconcile(UID) == NOW + WRITE_VISIBLE_WITHIN
        shown = TWO_PODS.but(pods=(ELDER, replace(YOUNGER, terminating=True)))
        view.seen = replace(shown.observe(), integration=_written(shown, writer))
        await reconciler.reconcile(UID)
        assert len([action for action in writer.actions if isinstance(action, EvictPod)]) == 1

    async def test_a_refused_eviction_is_retried_in_a_minute(
        self, reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
    ) -> None:
        writer.refuses_courtesies = True
        view.seen = TWO_PODS.observe()
        assert await reconciler.reconcile(UID) == NOW + TRY_AGAIN
        view.seen = replace(view.seen, integration=_written(TWO_PODS, writer))
        writer.refuses_courtesies = False
        for seconds in (30, 60):
            assert EvictPod not in [type(action) for action in writer.actions]
            clock.now = NOW + timedelta(seconds=seconds)
            await reconciler.reconcile(UID)
        assert EvictPod in [type(action) for action in writer.actions]


async def test_a_stale_view_causes_no_action(reconciler: Reconciler, writer: RecordingWriter) -> None:
    await reconciler.reconcile(UID)
    again = await reconciler.reconcile(UID)
    assert (len(writer.statuses), len(deeds(writer.actions))) == (1, 1)
    assert again == NOW + WRITE_VISIBLE_WITHIN


async def test_a_view_with_the_status_but_without_the_job_is_stale(
    reconciler: Reconciler, writer: RecordingWriter, view: View
) -> None:
    await reconciler.reconcile(UID)
    assert view.seen is not None
    view.seen = replace(view.seen, integration=replace(view.seen.integration, resource_version="101"))
    await reconciler.reconcile(UID)
    assert len(writer.statuses) == 1


async def test_a_view_that_has_caught_up_is_used(reconciler: Reconciler, writer: RecordingWriter, view: View) -> None:
    await reconciler.reconcile(UID)
    (created,) = deeds(writer.actions)
    assert isinstance(created, CreateJob)
    assert view.seen is not None
    integration = replace(view.seen.integration, resource_version="101")
    shown = replace(job(created.run), resource_version="102")
    view.seen = replace(view.seen, integration=integration, jobs=(shown,), pods=(pod(created.run),))
    assert await reconciler.reconcile(UID) is None


async def test_a_write_that_never_appears_is_not_waited_for_forever(
    reconciler: Reconciler, writer: RecordingWriter, clock: Clock
) -> None:
    await reconciler.reconcile(UID)
    clock.now += WRITE_VISIBLE_WITHIN
    await reconciler.reconcile(UID)
    assert len(writer.statuses) == 2


async def test_a_lost_race_is_observed_again_without_an_action(reconciler: Reconciler, writer: RecordingWriter) -> None:
    async def lost(integration: Integration, status: Body) -> str:
        raise StaleViewError("somebody else was faster")

    writer.write_status = lost  # type: ignore[method-assign]
    assert await reconciler.reconcile(UID) == NOW + timedelta(seconds=1)
    assert writer.actions == []


async def test_a_refused_job_is_reported_at_once_and_retried_later(
    reconciler: Reconciler, writer: RecordingWriter, view: View, clock: Clock
) -> None:
    writer.failure = RefusedError("exceeded quota", needs_human=False)
    assert await reconciler.reconcile(UID) == NOW
    assert view.seen is not None
    claimed = replace(view.seen.integration, resource_version="101")
    view.seen = replace(view.seen, integration=_with_status(claimed, writer.statuses[-1]))
    again = await reconciler.reconcile(UID)
    assert "exceeded quota" in writer.statuses[-1]["message"]
    assert again is not None
    assert again > NOW


class TestAtRest:
    """Many events change nothing that a decision reads: what needed nothing is not decided a second time."""

    @pytest.fixture
    def decided(self, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
        """When decisions were taken."""
        times: list[datetime] = []

        def decide_and_note(seen: Observation, now: datetime) -> Step:
            times.append(now)
            return decide(seen, now)

        monkeypatch.setattr("tidegate.control.reconcile.decide", decide_and_note)
        return times

    @pytest.fixture
    async def look_again_at(self, reconciler: Reconciler, view: View, decided: list[datetime]) -> datetime:
        """A pass that has found nothing to do; when it is to be repeated."""
        stored = report(WAITING.observe(), WAITING.decide(NOW), NOW).to_wire()
        view.seen = replace(WAITING.observe(), integration=_with_status(WAITING.observe().integration, stored))
        at = await reconciler.reconcile(UID)
        assert at is not None
        assert decided == [NOW]
        return at

    async def test_another_version_of_the_same_state_needs_no_decision(
        self, reconciler: Reconciler, view: View, decided: list[datetime], clock: Clock, look_again_at: datetime
    ) -> None:
        assert view.seen is not None
        view.seen = replace(view.seen, integration=replace(view.seen.integration, resource_version="99"))
        clock.now = look_again_at - timedelta(seconds=0.1)
        assert await reconciler.reconcile(UID) == look_again_at
        assert decided == [NOW]

    async def test_what_is_due_is_decided(
        self, reconciler: Reconciler, writer: RecordingWriter, clock: Clock, look_again_at: datetime
    ) -> None:
        clock.now = look_again_at
        await reconciler.reconcile(UID)
        assert [type(action) for action in deeds(writer.actions)] == [CreateJob]

    async def test_what_changes_is_decided(
        self, reconciler: Reconciler, writer: RecordingWriter, view: View, look_again_at: datetime
    ) -> None:
        assert view.seen is not None
        off = WAITING.declaring(status="OFF").observe().integration.spec
        view.seen = replace(view.seen, integration=replace(view.seen.integration, spec=off))
        await reconciler.reconcile(UID)
        assert writer.statuses[-1]["phase"] == "Off"

    async def test_a_clock_that_was_set_back_leads_to_a_decision(
        self, reconciler: Reconciler, decided: list[datetime], clock: Clock, look_again_at: datetime
    ) -> None:
        clock.now = NOW - timedelta(hours=1)
        await reconciler.reconcile(UID)
        assert decided == [NOW, clock.now]


class TestAStatusThatIsStored:
    @pytest.fixture
    def made(self, monkeypatch: pytest.MonkeyPatch) -> list[Body]:
        """The statuses that were made into JSON."""
        wires: list[Body] = []
        to_wire = SyncIntegrationStatus.to_wire

        def make_and_note(status: SyncIntegrationStatus) -> Body:
            wires.append(to_wire(status))
            return wires[-1]

        monkeypatch.setattr(SyncIntegrationStatus, "to_wire", make_and_note)
        return wires

    @pytest.fixture
    async def stored(self, reconciler: Reconciler, writer: RecordingWriter, view: View) -> Observation:
        """A run has been started, and the watch shows its claim and its Job."""
        await reconciler.reconcile(UID)
        (status,), (created,) = writer.statuses, deeds(writer.actions)
        assert isinstance(created, CreateJob)
        assert view.seen is not None
        integration = replace(_with_status(view.seen.integration, status), resource_version="101")
        started = replace(job(created.run), resource_version="102")
        view.seen = replace(view.seen, integration=integration, jobs=(started,))
        return view.seen

    async def test_it_is_made_into_json_once_however_much_else_changes(
        self, made: list[Body], reconciler: Reconciler, writer: RecordingWriter, view: View, stored: Observation
    ) -> None:
        await reconciler.reconcile(UID)
        view.seen = replace(stored, jobs=(replace(stored.jobs[0], pods=1),))
        await reconciler.reconcile(UID)
        assert made == writer.statuses
        assert len(made) == 1

    async def test_it_is_written_again_where_it_only_reads_the_same(
        self, reconciler: Reconciler, writer: RecordingWriter, view: View, stored: Observation
    ) -> None:
        await reconciler.reconcile(UID)
        (status,) = writer.statuses
        without_a_default = {key: value for key, value in status.items() if key != "waitingRecords"}
        integration = _with_status(stored.integration, without_a_default)
        assert integration.status == stored.integration.status
        view.seen = replace(stored, integration=integration)
        await reconciler.reconcile(UID)
        assert writer.statuses == [status, status]


def _with_status(integration: Integration, status: Body) -> Integration:
    model = type(integration.status).model_validate(status)
    return replace(integration, status=model, stored_status=status)


class ManyViews:
    """Integrations that differ in nothing but their UIDs; what is written to one is shown at once."""

    def __init__(self, *uids: str) -> None:
        self.of = {uid: _named(Situation(ON).observe(), uid) for uid in uids}

    def observe(self, uid: str) -> Observation | None:
        return self.of[uid]

    def show(self, integration: Integration, status: Body, version: str) -> None:
        seen = self.of[integration.uid]
        shown = replace(_with_status(seen.integration, status), resource_version=version)
        self.of[integration.uid] = replace(seen, integration=shown)


async def test_refusals_with_a_shared_cause_are_retried_when_the_first_one_succeeds(
    writer: RecordingWriter, clock: Clock
) -> None:
    view, woken = ManyViews("first", "second"), []

    async def wake(uid: str) -> None:
        woken.append(uid)

    async def write_and_show(integration: Integration, status: Body) -> str:
        version = await RecordingWriter.write_status(writer, integration, status)
        view.show(integration, status, version)
        return version

    writer.write_status = write_and_show  # type: ignore[method-assign]
    writer.absent = True
    reconciler = Reconciler(cast(ClusterView, view), cast(Writer, writer), clock, wake=wake)
    writer.failure = RefusedError("failed calling webhook", needs_human=False)
    await reconciler.reconcile("first")
    for _ in range(8):  # an attempt, and what is told of it: the second one waits longer each time
        clock.now = await reconciler.reconcile("second") or clock.now
    await reconciler.reconcile("second")
    assert woken == []
    writer.failure = None
    await reconciler.reconcile("first")
    assert woken == ["second"]


async def test_a_retry_is_distinguished_from_the_next_attempt(
    reconciler: Reconciler, writer: RecordingWriter, clock: Clock
) -> None:
    attempts = []
    writer.failure = TimeoutError()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await reconciler.reconcile(UID)
        attempts.append(reconciler.attempt(UID))
        clock.now += WRITE_VISIBLE_WITHIN
    assert attempts[0] == attempts[1]
    assert attempts[0] == "CreateJob: Syncing, run 1, after None"
    assert reconciler.attempt("another") == ""


def _named(seen: Observation, uid: str) -> Observation:
    return replace(seen, integration=replace(seen.integration, uid=uid, name=uid))
