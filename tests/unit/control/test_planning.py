"""A plan, as people and workers meet it: what its Pod is given, what the status and its message say, what is kept."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.api.runs import Outcome, RunKind
from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control import render
from tidegate.control.observation import JobState, Requests
from tidegate.control.report import report
from tidegate.control.step import Announce, DeleteJob

from .decision_table.notation import LATER, asked
from .decision_table.planning import (
    CLAIMED_WHILE_OFF,
    FOREIGN,
    FOUND,
    OLD_JOB,
    PLAN,
    REQUEST,
    WHILE_OFF,
    WHILE_WAITING,
)
from .situations import (
    FIRST,
    IS_OFF,
    NOW,
    ON,
    PAUSED,
    RUNNING,
    WAITING,
    Situation,
    deeds,
    failing,
    job,
    last_run,
    pod,
    refusal,
    run,
    stalled,
    unstarted_pod,
)
from .test_render import SETTINGS

NOTHING_RUNS = "OFF: no sync is running"
PLANS = "; run 2 plans what a full sync would do"


def shown(given: Situation, at: Any = NOW) -> SyncIntegrationStatus:
    return report(given.observe(), given.decide(at), at)


def finished(message: str = FOUND, exit_code: int = 0, given: Situation = WHILE_OFF) -> Situation:
    state = JobState.FAILED if exit_code else JobState.COMPLETE
    return given.but(jobs=(OLD_JOB, job(PLAN, state)), pods=(pod(PLAN, exit_code, message=message),))


class TestMessage:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (WHILE_OFF, NOTHING_RUNS + PLANS),
            (WHILE_WAITING, "waiting until 2026-11-24T12:04:31Z for the next run" + PLANS),
            (WHILE_OFF.but(pods=(unstarted_pod(PLAN),)), NOTHING_RUNS + "; run 2, a plan, cannot start: Unschedulable"),
            (
                CLAIMED_WHILE_OFF.but(refusal=refusal(needs_human=True, run_number=2)),
                NOTHING_RUNS + '; run 2, a plan, cannot start: unknown field "spec.template.spec.imge"',
            ),
            (
                WHILE_OFF.but(spec=ON),
                "a new activation is due; ending run 2, a plan: a plan gives way to a new activation; request it again",
            ),
            (
                RUNNING.but(requests=REQUEST),
                "pushing what has changed; the requested plan follows when run 1 has ended",
            ),
            (PAUSED.but(requests=REQUEST), "; the requested plan waits until run 1 has been resumed and has ended"),
            (stalled(Outcome.HALTED).but(requests=REQUEST), "; run 2 plans what a full sync would do"),
        ],
    )
    def test_says_what_becomes_of_a_plan(self, given: Situation, words: str) -> None:
        assert words in (shown(given).message or "")

    def test_says_that_the_next_run_follows_when_it_is_due(self) -> None:
        assert shown(WHILE_WAITING, LATER).message == "the next run is due" + PLANS


class TestConditions:
    def test_a_plan_is_no_sync_in_progress_and_leaves_ready_as_it_was(self) -> None:
        for with_plan, without in ((WHILE_OFF, IS_OFF), (WHILE_WAITING, WAITING)):
            said, before = (
                {c.type: (c.status, c.reason) for c in shown(given).conditions} for given in (with_plan, without)
            )
            assert said == before
            assert said["Syncing"] == ("False", "NoRunInProgress")

    def test_a_stalled_sync_stays_stalled(self) -> None:
        conditions = {
            c.type: (c.status, c.reason) for c in shown(stalled(Outcome.HALTED).but(requests=REQUEST)).conditions
        }
        assert conditions["Stalled"] == ("True", "Halted")


class TestActivity:
    def test_the_check_mark_is_that_of_the_newest_run_of_the_sync(self) -> None:
        known = (
            RUNNING.but(jobs=(job(FIRST, JobState.COMPLETE),), pods=(pod(FIRST, 0),)).decide().status.recent_activity
        )
        status = shown(finished(given=WHILE_OFF.remembering(recent_activity=known)))
        assert [entry.summary for entry in status.recent_activity] == ["✓ run 2 (plan)", "✓ run 1"]
        assert status.activity == "✓ run 1"

    def test_plans_do_not_push_it_out(self) -> None:
        known = (
            RUNNING.but(jobs=(job(FIRST, JobState.COMPLETE),), pods=(pod(FIRST, 0),)).decide().status.recent_activity
        )
        status = shown(finished(given=WHILE_OFF.remembering(recent_activity=known).declaring(activityLimit=1)))
        assert [entry.summary for entry in status.recent_activity] == ["✓ run 1"]


class TestResult:
    def test_what_its_worker_found_stands_in_the_status(self) -> None:
        message = {
            "plan": {
                "first": True,
                "sides": [
                    {"object": "contact", "connector": "crm", "create": 3, "update": 2, "delete": 1, "setAside": 4}
                ],
                "wouldHalt": ["30 of 100 are gone"],
            }
        }
        plan = shown(finished(json.dumps(message))).plan
        assert plan is not None
        assert plan.to_wire() == {
            "run": 2,
            "requestedAt": "now",
            "startedAt": "2026-11-24T11:59:00Z",
            "finishedAt": "2026-11-24T11:59:50Z",
            "outcome": "Succeeded",
            "first": True,
            "sides": [{"object": "contact", "connector": "crm", "create": 3, "update": 2, "delete": 1, "setAside": 4}],
            "wouldHalt": ["30 of 100 are gone"],
        }

    @pytest.mark.parametrize(
        "said",
        [
            {"sides": "x", "wouldHalt": 7},
            {"sides": [1, {"object": ["x"], "create": -1}] * 99, "wouldHalt": ["\x1b[2J" * 9999] * 99},
            {"sides": [{"object": "o" * 9999, "connector": "c" * 9999, "create": 2**99}], "first": "yes"},
        ],
    )
    def test_whatever_its_worker_says_is_bounded_and_inert(self, said: dict[str, Any]) -> None:
        plan = shown(finished(json.dumps({"plan": said}))).plan
        assert plan is not None
        assert len(plan.sides) <= 32
        assert len(plan.would_halt) <= 8
        assert not plan.first
        assert len(json.dumps(plan.to_wire())) < 20_000
        assert "\x1b" not in json.dumps(plan.to_wire(), ensure_ascii=False)

    @pytest.mark.parametrize(
        ("given", "outcome", "reason"),
        [
            (finished('{"reason": "no table contact"}', 2), Outcome.CONFIGURATION_ERROR, "no table contact"),
            (finished("the cache is empty, but run 1 has used it", 79), Outcome.CACHE_LOST, "the cache is empty"),
            (finished("{}", 0), Outcome.FAILED, "reported no plan"),
            (WHILE_OFF.but(spec=ON), Outcome.CANCELLED, "gives way to a new activation"),
            (
                WHILE_WAITING.but(pods=(unstarted_pod(PLAN),), requests=asked(plan="again")),
                Outcome.CANCELLED,
                "Unschedul",
            ),
            (IS_OFF.declaring(**FOREIGN).but(requests=REQUEST), Outcome.CONFIGURATION_ERROR, "worker-plans"),
        ],
    )
    def test_a_wait_for_a_refused_plan_reports_the_reason(
        self, given: Situation, outcome: Outcome, reason: str
    ) -> None:
        status = shown(given)
        assert status.plan is not None
        assert (status.plan.outcome, status.plan.requested_at) == (outcome, "now")
        assert reason in (status.plan.reason or "")
        events = [action for action in given.decide().actions if isinstance(action, Announce)]
        assert any(event.warning and reason in event.note for event in events)

    def test_it_counts_as_no_run_of_the_sync(self) -> None:
        before = failing(2, ago=600).status
        plan = run(3, RunKind.PLAN, push=False)
        given = failing(2, ago=600, delay="1h").remembering(run=plan, runs=3)
        for exit_code in (0, 1, 79):
            state = JobState.FAILED if exit_code else JobState.COMPLETE
            after = given.but(jobs=(job(plan, state),), pods=(pod(plan, exit_code, message=FOUND),)).decide().status
            untouched = set(SyncIntegrationStatus.model_fields) - {
                "run",
                "runs",
                "plan",
                "recent_activity",
                "next_run_at",
            }
            assert {name: getattr(after, name) for name in untouched} == {n: getattr(before, n) for n in untouched}


class TestPod:
    def container(self, given: Situation, name: str = "sync") -> dict[str, Any]:
        pod_spec = self.pod_spec(given)
        return next(c for c in (*pod_spec["initContainers"], *pod_spec["containers"]) if c["name"] == name)

    def pod_spec(self, given: Situation) -> dict[str, Any]:
        seen, claimed = given.observe(), given.decide().status.run
        assert claimed is not None
        spec: dict[str, Any] = render.job(seen.integration, claimed, SETTINGS)["spec"]["template"]["spec"]
        return spec

    def test_a_plan_s_environment_makes_no_worker_push(self) -> None:
        told = {each["name"]: each["value"] for each in self.container(IS_OFF.but(requests=REQUEST))["env"]}
        assert (told["SYNC_PLAN"], told["SYNC_SCOPE"], told["SYNC_PUSH"]) == ("true", "full", "false")
        (a_run,) = (c for c in self.pod_spec(IS_OFF.but(spec=ON))["containers"])
        assert "SYNC_PLAN" not in {each["name"] for each in a_run["env"]}

    def test_its_worker_gets_the_key_of_the_request_that_it_answers(self) -> None:
        asked = Requests(plan=REQUEST.plan, plan_key="a key")
        status = IS_OFF.but(requests=asked).decide().status
        assert status.run is not None
        assert status.run.plan_key == "a key"
        later = IS_OFF.but(requests=Requests(plan="another", plan_key="another key")).observe().integration
        (worker,) = render.job(later, status.run, SETTINGS)["spec"]["template"]["spec"]["containers"]
        assert {"name": "SYNC_PLAN_KEY", "value": "a key"} in worker["env"]

    def test_without_a_key_its_worker_gets_none(self) -> None:
        told = {each["name"] for each in self.container(IS_OFF.but(requests=REQUEST))["env"]}
        assert "SYNC_PLAN_KEY" not in told

    @pytest.mark.parametrize("name", ["sync", "prepare-cache"])
    def test_the_cache_is_mounted_read_only_and_no_template_changes_that(self, name: str) -> None:
        mounts = [{"name": "cache", "mountPath": "/sync/cache", "readOnly": False}]
        overrides = {"spec": {"containers": [{"name": "sync", "volumeMounts": mounts}], "initContainers": [
            {"name": "prepare-cache", "volumeMounts": mounts}]}}  # fmt: skip
        mounted = self.container(IS_OFF.declaring(template=overrides).but(requests=REQUEST), name)["volumeMounts"]
        assert [m for m in mounted if m["name"] == "cache"] == [
            {"name": "cache", "mountPath": "/sync/cache", "readOnly": True}
        ]

    def test_without_a_cache_it_gets_an_empty_directory_and_no_claim_is_created(self) -> None:
        given = IS_OFF.but(requests=REQUEST, cache=None)
        assert {"name": "cache", "emptyDir": {}} in self.pod_spec(given)["volumes"]
        assert [type(action).__name__ for action in deeds(given.decide().actions)] == ["CreateJob"]


class TestCheck:
    CHECK = run(2, RunKind.PLAN, push=False, requested_at="now", check=True)
    ASKED = IS_OFF.but(requests=asked(plan="now", plan_check=True))

    def ended(self, message: str, exit_code: int = 0) -> Situation:
        claimed = WHILE_OFF.remembering(run=self.CHECK)
        state = JobState.FAILED if exit_code else JobState.COMPLETE
        return claimed.but(jobs=(OLD_JOB, job(self.CHECK, state)), pods=(pod(self.CHECK, exit_code, message=message),))

    def test_is_a_plan_whose_worker_is_asked_only_whether_the_configuration_fits(self) -> None:
        claimed = self.ASKED.decide().status.run
        assert claimed is not None
        assert (claimed.kind, claimed.check, claimed.push) == (RunKind.PLAN, True, False)
        made = render.job(self.ASKED.observe().integration, claimed, SETTINGS)
        (worker,) = made["spec"]["template"]["spec"]["containers"]
        told = {each["name"]: each["value"] for each in worker["env"]}
        assert (told["SYNC_PLAN"], told["SYNC_CHECK"], told["SYNC_PUSH"]) == ("true", "true", "false")
        assert made["spec"]["backoffLimit"] == 0

    def test_no_other_run_is_asked_for_one(self) -> None:
        for given in (IS_OFF.but(requests=REQUEST), IS_OFF.but(spec=ON)):
            claimed = given.decide().status.run
            assert claimed is not None
            assert "SYNC_CHECK" not in json.dumps(render.job(given.observe().integration, claimed, SETTINGS))

    def test_the_message_names_it(self) -> None:
        running = WHILE_OFF.remembering(run=self.CHECK)
        assert shown(running).message == f"{NOTHING_RUNS}; run 2 checks whether the configuration fits both systems"
        waits = RUNNING.but(requests=asked(plan="now", plan_check=True))
        assert (shown(waits).message or "").endswith("; the requested check follows when run 1 has ended")

    @pytest.mark.parametrize(
        ("found", "event"),
        [
            ([], Announce("Fits", "run 2 checked the configuration: it fits both systems")),
            (["no table a"], Announce("DoesNotFit", "run 2 checked the configuration: no table a", warning=True)),
        ],
    )
    def test_what_it_has_found_is_shown(self, found: list[str], event: Announce) -> None:
        given = self.ended(json.dumps({"plan": {"first": False, "sides": [], "wouldHalt": found}}))
        status = shown(given)
        assert status.plan is not None
        assert (status.plan.check, status.plan.outcome, list(status.plan.would_halt)) == (
            True,
            Outcome.SUCCEEDED,
            found,
        )
        assert status.recent_activity[0].summary == "✓ run 2 (check)"
        assert event in given.decide().actions

    def test_one_that_fails_says_so(self) -> None:
        event = "run 2 has not made the check that was requested: out of memory"
        assert (
            Announce("PlanFailed", event, warning=True) in self.ended('{"reason": "out of memory"}', 1).decide().actions
        )

    def test_together_with_the_plan_of_an_undo_it_is_refused(self) -> None:
        plan = shown(IS_OFF.but(requests=asked(plan="now", plan_check=True, plan_undo="1"))).plan
        assert plan is not None
        assert (plan.run, plan.check, plan.outcome) == (None, True, Outcome.CONFIGURATION_ERROR)
        assert plan.reason == (
            "tidegate.dev/plan-check asks for a check, and tidegate.dev/plan-undo for the plan of an undo: "
            "remove one of the two annotations"
        )


class TestJobs:
    def test_the_newest_plan_and_the_declared_number_of_runs_are_kept(self) -> None:
        runs = [run(n, RunKind.PLAN if n in (2, 4, 5) else RunKind.FULL, ago=6000 - 60 * n) for n in range(1, 7)]
        given = IS_OFF.remembering(runs=6, last_run=last_run(6)).but(
            jobs=tuple(job(each, JobState.COMPLETE, ago=6000) for each in runs)
        ).declaring(activityLimit=2)  # fmt: skip
        deleted = {a.name.rpartition("-")[2] for a in given.decide().actions if isinstance(a, DeleteJob)}
        assert deleted == {"1", "2", "4"}

    def test_a_plan_that_is_not_recorded_yet_is_kept(self) -> None:
        older = run(1, RunKind.PLAN, push=False, ago=600)
        given = IS_OFF.remembering(run=PLAN, runs=2, last_run=None).but(
            jobs=(job(older, JobState.COMPLETE), job(PLAN, JobState.COMPLETE)), pods=(pod(PLAN, 0, message=FOUND),)
        )
        assert not [a for a in given.decide().actions if isinstance(a, DeleteJob)]


def test_the_phase_is_off_while_a_plan_is_left_behind_by_its_sidecar() -> None:
    left = replace(pod(PLAN, 0, ended_at=NOW - timedelta(minutes=1)), live=True, not_ended=("proxy",))
    given = WHILE_OFF.but(pods=(left,)).remembering(run=None, plan=finished().decide().status.plan)
    status = shown(given)
    assert (status.phase, {c.type: c.status for c in status.conditions}["Syncing"]) == (Phase.OFF, "False")
