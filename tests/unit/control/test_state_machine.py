"""The real reconcile and decide against a model of the cluster, through everything that can go wrong in between.

Hypothesis plays users, watches that lag and lose, slow controllers, a second operator, clocks that jump, requests that
fail or come late, and crashes between any two writes. The Ledger asserts the invariants at every step; in the end the
disturbances stop, and the declared state must be reached without another write (invariant I6).

The Hypothesis profile `long` takes more steps.
"""

import json
import sys
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tidegate.api import names
from tidegate.api.contract import ExitCode
from tidegate.api.runs import Outcome, RunKind
from tidegate.api.spec import Switch
from tidegate.api.status import Phase
from tidegate.control.act import RefusedError
from tidegate.control.reconcile import WRITE_VISIBLE_WITHIN

from .model import EPOCH, JOB, Server, new_integration
from .model_cluster import Body, EtcdBackup, ModelCluster
from .model_operator import InFlight, ModelOperator, arrive

MODES = st.sampled_from(["PastAndFuture", "FutureOnly"])
POLICIES = st.sampled_from(["FinishRun", "PauseRun", "PauseRun"])
SECONDS = st.sampled_from([0.3, 1, 3, 6, 11, 31, 61, 121, 700, 4000])
EXIT_CODES = st.sampled_from([0, 0, 0, 1, 1, 3, None, int(ExitCode.PAUSED)])
UNDONE = st.sampled_from([0, 0, 1, 2, -1, None])
CHANGES = st.one_of(
    st.builds(lambda reset: {"reset": reset}, st.booleans()),
    st.builds(lambda mode: {"mode": mode}, MODES),
    st.builds(lambda policy: {"offPolicy": policy}, POLICIES),
    st.builds(lambda delay: {"delay": delay}, st.sampled_from(["0s", "10s", "2m"])),
    st.builds(lambda limit: {"activityLimit": limit}, st.sampled_from([1, 2, 10])),
)
APPROVALS = [names.APPROVE_ANNOTATION, names.ALLOW_DELETES_ANNOTATION]
REQUESTS = [
    names.SYNC_REQUESTED_ANNOTATION,
    names.FULL_SYNC_REQUESTED_ANNOTATION,
    names.RESET_REQUESTED_ANNOTATION,
    *APPROVALS,
    names.PLAN_REQUESTED_ANNOTATION,
    names.PLAN_REQUESTED_ANNOTATION,
    names.DECISIONS_ANNOTATION,
]
ACCIDENTS = [
    "second operator",
    "refusal",
    "no refusal",
    "clock",
    "deleted Job",
    "orphaned Pod",
    "Pods do not start",
    "held Job",
    "resumed Jobs",
    "second Pod",
    "sidecars",
    "queue",
    "errors",
]
ETCD = ["backed up", "restored"]
VOLUMES = ["snapshot", "snapshot", "restored", "deleted"]
# Of the default run; that of `make test-long` is twenty times as long.
STEPS = 50_000
STEPS_OF_EXAMPLE = 100
EXAMPLES_PER_EXAMPLE = 6  # of Hypothesis' own number, which is meant for tests of a single call
# The long way forward, to the end of every delay and backoff.
A_LONG_TIME = timedelta(hours=3)


class Steps:
    """How many steps have been taken, in all examples."""

    taken = 0


class Toggle(RuleBasedStateMachine):
    """One SyncIntegration, and all that may befall it."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.cluster = ModelCluster(self.server)
        self.offset = timedelta(0)  # of the operators' clock from the API server's
        new_integration(self.server)
        self.operators = [ModelOperator(self.server, self.clock)]
        self.late: list[InFlight] = []
        self.behind: list[Body] = []  # what the Job controller has seen and will act upon
        self.requests = 0
        self.backup: EtcdBackup | None = None
        self.oldest_list = 1  # the revision before which no list is that an operator begins with
        self.server.ledger.watches_keep_up = self.watches_keep_up

    def clock(self) -> datetime:
        return EPOCH + self.server.time + self.offset

    def watches_keep_up(self) -> bool:
        return len(self.operators) == 1 and self.operators[0].view.lag() < WRITE_VISIBLE_WITHIN

    def nothing_is_on_its_way(self) -> bool:
        return not self.late and not any(operator.pending for operator in self.operators)

    @initialize(change=CHANGES)
    def declare_first(self, change: dict[str, object]) -> None:
        self.server.declare(**{"status": "ON", "offPolicy": "PauseRun", **change})

    @rule(exit_code=EXIT_CODES)
    def life_goes_on(self, exit_code: int | None) -> None:
        Steps.taken += 1
        operator = self.operators[0]
        for _ in range(2):
            operator.see_everything()
            operator.complete()
            self.cluster.work(exit_code)

    # Operators

    def operator(self, second: bool) -> ModelOperator:
        return self.operators[-1 if second else 0]

    @rule(second=st.booleans())
    def an_operator_works(self, second: bool) -> None:
        Steps.taken += 1
        operator = self.operator(second)
        operator.see_everything()
        operator.complete()

    @rule(second=st.booleans(), news=st.lists(st.integers(0, 9), max_size=4), requests=st.integers(0, 4))
    def an_operator_works_on_some_of_the_news(self, second: bool, news: list[int], requests: int) -> None:
        Steps.taken += 1
        operator = self.operator(second)
        for number in news:
            behind = operator.view.behind()
            if behind:
                operator.view.show(behind[number % len(behind)], newest=number < 5)
        operator.begin()
        while operator.pending is not None and requests:
            operator.answer()
            requests -= 1

    @precondition(lambda self: any(operator.pending for operator in self.operators))
    @rule(how=st.sampled_from(["answered", "answered", "lost before", "lost after"]))
    def a_request_is_answered_or_not(self, how: str) -> None:
        Steps.taken += 1
        operator = next(operator for operator in self.operators if operator.pending)
        if how == "answered":
            operator.answer()
        else:
            operator.fail(done=how == "lost after")

    @rule(second=st.booleans(), ago=st.sampled_from([0, 0, 0, 1, 2, 5, 20]), on_its_way=st.booleans())
    def an_operator_crashes(self, second: bool, ago: int, on_its_way: bool) -> None:
        Steps.taken += 1
        in_flight = self.operator(second).crash(max(self.oldest_list, self.server.revision - ago))
        if in_flight is not None and on_its_way:
            self.late.append(in_flight)

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, 9))
    def a_late_request_arrives(self, which: int) -> None:
        Steps.taken += 1
        arrive(self.late.pop(which % len(self.late)).request)

    # The cluster

    @rule(exit_code=EXIT_CODES)
    def the_cluster_works(self, exit_code: int | None) -> None:
        Steps.taken += 1
        self.cluster.work(exit_code)

    @rule(late=st.booleans())
    def the_job_controller_works(self, late: bool) -> None:
        Steps.taken += 1
        due, self.behind = self.behind, []
        for seen in due:
            self.cluster.control_job(seen)
        for job in self.server.jobs:
            seen = self.cluster.look_at(job.name)
            if late:
                self.behind.append(seen)
            else:
                self.cluster.control_job(seen)

    @precondition(lambda self: self.cluster.live_pods())
    @rule(exit_code=EXIT_CODES)
    def a_pod_starts_or_ends(self, exit_code: int | None) -> None:
        Steps.taken += 1
        pod = self.cluster.live_pods()[0]
        if pod["status"]["phase"] == "Pending":
            self.cluster.start(pod)
        else:
            self.cluster.end(pod, exit_code)

    @precondition(lambda self: self.cluster.live_pods())
    @rule(exit_code=EXIT_CODES)
    def a_worker_ends_while_it_is_being_paused(self, exit_code: int | None) -> None:
        Steps.taken += 1
        self.server.declare(status="OFF", offPolicy="PauseRun")
        for _ in range(3):
            self.operators[0].see_everything()
            self.operators[0].complete()
            self.cluster.work(exit_code, pauses=False)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        Steps.taken += 1
        self.server.time += timedelta(seconds=seconds)
        self.server.ledger.clock += timedelta(seconds=seconds)
        self.late = [in_flight for in_flight in self.late if self.server.time <= in_flight.until]
        for operator in self.operators:
            operator.time_passes()

    # Users

    @rule(policy=POLICIES)
    def a_user_turns_off(self, policy: str) -> None:
        Steps.taken += 1
        self.server.declare(status="OFF", offPolicy=policy)

    @rule(mode=MODES, reset=st.booleans())
    def a_user_turns_on(self, mode: str, reset: bool) -> None:
        Steps.taken += 1
        self.server.declare(status="ON", mode=mode, reset=reset)

    @rule(change=CHANGES)
    def a_user_declares(self, change: dict[str, object]) -> None:
        Steps.taken += 1
        self.server.declare(**change)

    @rule(ago=UNDONE)
    def a_user_asks_for_an_undo(self, ago: int | None) -> None:
        """Of a run so many runs ago, of one that is to come, or of none: the request is withdrawn."""
        Steps.taken += 1
        runs = self.server.integration.status.runs
        self.server.annotate(names.UNDO_REQUESTED_ANNOTATION, None if ago is None else str(runs - ago))

    @rule(check=st.booleans())
    def a_user_asks_for_a_check(self, check: bool) -> None:
        """Or that what is planned be planned again."""
        Steps.taken += 1
        self.requests += 1
        self.server.annotate(names.PLAN_CHECK_ANNOTATION, "true" if check else None)
        self.server.annotate(names.PLAN_REQUESTED_ANNOTATION, f"request {self.requests}")

    @rule(annotation=st.sampled_from(REQUESTS))
    def a_user_asks(self, annotation: str) -> None:
        Steps.taken += 1
        self.requests += 1
        last = self.server.integration.status.last_run
        approves = annotation in APPROVALS and last is not None
        value = str(last.number) if approves and last else f"request {self.requests}"
        if annotation == names.DECISIONS_ANNOTATION and self.requests % 2:  # else it cannot be read, and is refused
            value = json.dumps([{"object": "contact", "id": "*", "field": "*", "take": "crm", "at": value}])
        if annotation == names.RESET_REQUESTED_ANNOTATION:
            which = ["contact", "account", "contact, account", ""][self.requests % 4]
            value = f"2026-11-27T10:00:{self.requests}Z {which}"
        self.server.annotate(annotation, value)

    # Accidents

    @rule(what=st.sampled_from(ACCIDENTS), how=st.integers(0, 9))
    def an_accident_happens(self, what: str, how: int) -> None:
        Steps.taken += 1
        match what:
            case "second operator" if len(self.operators) == 1:
                self.operators.append(ModelOperator(self.server, self.clock))
                self.operators[-1].restart(max(self.oldest_list, self.server.revision - how))
            case "refusal" | "no refusal":
                refused = RefusedError("no", needs_human=how < 5)
                self.server.refusal = refused if what == "refusal" else None
            case "clock" if self.nothing_is_on_its_way():
                offset = timedelta(seconds=(-3600, -30, 0, 30, 3600)[how % 5])
                self.server.ledger.clock += max(offset - self.offset, timedelta(0))
                self.offset = offset
            case "second Pod":
                self.cluster.make_second_pod()
            case "sidecars":
                self.cluster.sidecars = how < 5
            case "queue":
                self.server.queueing = how < 5
            case "errors":
                self.server.errors = how
            case "resumed Jobs":
                self.server.resuming = how < 5
            case "held Job":
                self.hold_jobs(held=how < 5)
            case "Pods do not start":
                self.cluster.starts = ("everything", "nothing", "preparation")[how % 3]
            case "deleted Job" | "orphaned Pod" if self.nothing_is_on_its_way() and self.server.jobs:
                job = self.server.jobs[how % len(self.server.jobs)]
                if what == "orphaned Pod":
                    self.cluster.orphan(job.uid)
                self.server.delete(JOB, job.name)
                self.oldest_list = self.server.revision
                self.server.ledger.job_deleted_by_hand(job, self.server.integration)
                for operator in self.operators:
                    operator.view.show((JOB, job.name))

    @rule(what=st.sampled_from(VOLUMES), how=st.integers(0, 9))
    def a_volume_changes(self, what: str, how: int) -> None:
        Steps.taken += 1
        match what:
            case "snapshot":
                self.cluster.snapshot()
            case "restored":
                self.cluster.restore(how)
            case "deleted" if self.nothing_is_on_its_way():
                self.cluster.delete_cache()

    @precondition(lambda self: self.nothing_is_on_its_way())
    @rule(what=st.sampled_from(ETCD))
    def etcd_changes(self, what: str) -> None:
        Steps.taken += 1
        match what:
            case "backed up":
                self.backup = self.cluster.back_up()
            case "restored" if self.backup is not None:
                self.etcd_is_restored(self.backup)

    def etcd_is_restored(self, backup: EtcdBackup) -> None:
        """A backup is put in place of all that is stored; the watchdog ends each operator, whose watches go back."""
        self.cluster.restore_etcd(backup)
        self.behind, self.oldest_list = [], self.server.revision
        for operator in self.operators:
            operator.restart(self.server.revision)

    def hold_jobs(self, *, held: bool) -> None:
        """Another controller suspends what runs, or lets go of what it has suspended."""
        for job in self.server.jobs:
            if not job.finished and (job.held_by is not None or (held and not job.suspended)):
                self.server.hold_job(job.name, held=held)

    # In the end

    def teardown(self) -> None:
        if sys.exc_info()[0] is not None:
            return  # a step has failed already
        self.late, self.behind, self.server.refusal = [], [], None
        self.cluster.starts, self.cluster.sidecars = "everything", False
        self.server.queueing, self.server.errors = False, 0
        self.hold_jobs(held=False)
        self.server.declare(delay="12h")
        self.server.annotate(names.SYNC_REQUESTED_ANNOTATION, "in the end")
        self.cluster.delete_orphans()
        self.come_to_rest()
        last = self.server.integration.status.last_run
        # The full sync that is owed keeps the delay.
        if last is not None and (last.outcome is Outcome.CACHE_LOST or last.kind is RunKind.UNDO):
            self.server.annotate(names.SYNC_REQUESTED_ANNOTATION, "in the very end")
            self.come_to_rest()
        self.check_rest()

    def come_to_rest(self) -> None:
        for _ in range(300):
            before = self.server.revision
            self.cluster.work()
            for operator in self.operators:
                while operator.pending is not None:
                    operator.answer()
                operator.see_everything()
                operator.complete()
            if self.server.revision == before:
                wake_at = min((o.wake_at for o in self.operators if o.wake_at is not None), default=None)
                if wake_at is None or wake_at > self.clock() + A_LONG_TIME:
                    break
                self.wait_until(max(wake_at, self.clock() + timedelta(seconds=1)))
        else:
            raise AssertionError("it does not come to rest (invariant I6)")

    def wait_until(self, at: datetime) -> None:
        pause = at - self.clock()
        self.server.time += pause
        self.server.ledger.clock += pause

    def check_rest(self) -> None:
        integration = self.server.integration
        status = integration.status
        self.server.ledger.status_is_true(integration)
        stalled = any(c.type == "Stalled" and c.status == "True" for c in status.conditions)
        if integration.spec.status is Switch.OFF:
            assert status.phase in (Phase.OFF, Phase.PAUSED)
        elif not stalled:
            assert status.phase is Phase.WAITING
            assert status.activation is not None
            assert status.activation.caught_up
            assert status.activation.reset or not integration.spec.reset, "a reset is lost"
            assert status.handled.reset_requested_at == integration.requests.reset, "a requested reset is lost"
            assert not status.object_resets, "I4: a reset of an object is not over although a run has succeeded"
            assert status.handled.undo_requested == integration.requests.undo, "a requested undo is lost"
        waits = status.phase is Phase.PAUSED or stalled
        assert waits or status.handled.plan_requested_at == integration.requests.plan, "a requested plan is lost"
        assert not self.cluster.live_pods()


def test_a_reset_after_a_restored_backup_of_etcd_deletes_the_cache_although_its_epoch_has_been_before() -> None:
    state = Toggle()
    state.declare_first({"reset": False})
    _live(state)
    state.a_user_turns_off("FinishRun")
    _live(state)
    backup, runs = state.cluster.back_up(), state.server.integration.status.runs
    epochs = []
    for _ in range(2):
        state.time_passes(60)
        state.a_user_turns_on("PastAndFuture", reset=True)
        _live(state)  # the ledger asserts that the cache is deleted
        epochs.append(state.server.integration.status.cache_epoch)
        state.etcd_is_restored(backup)
    assert epochs == [runs + 1, runs + 1]


def _live(state: Toggle) -> None:
    """Long enough for a run to be claimed, and to end."""
    for _ in range(6):
        state.life_goes_on(0)


def test_the_invariants_hold_for_every_sequence_of_events() -> None:
    Steps.taken = 0
    examples = EXAMPLES_PER_EXAMPLE * settings().max_examples
    run_state_machine_as_test(Toggle, settings=settings(max_examples=examples, stateful_step_count=STEPS_OF_EXAMPLE))
    assert Steps.taken >= STEPS
