"""A SyncIntegration as the API server has it: what the pure modules of this package decide by and show."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from tidegate.api import names, resets
from tidegate.api.runs import Run, RunKind
from tidegate.api.spec import OffPolicy, Switch, SyncIntegrationSpec
from tidegate.api.status import Condition, SyncIntegrationStatus
from tidegate.cli.errors import ClusterError

Body = Mapping[str, Any]

# Set by `off --pause` and `off --finish`, and only there: the offPolicy that the next ON puts back.
OFF_POLICY_ANNOTATION = f"{names.GROUP}/declared-off-policy"

# Said of one that has no status.
NOT_PICKED_UP = "the operator has not picked it up yet: is it running, and does it serve this namespace?"


class Key(NamedTuple):
    """What tells one integration from another."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Integration:
    """One SyncIntegration at one resourceVersion."""

    body: Body
    spec: SyncIntegrationSpec
    status: SyncIntegrationStatus

    @property
    def key(self) -> Key:
        """Its namespace and name."""
        return Key(self.body["metadata"]["namespace"], self.name)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])

    @property
    def uid(self) -> str:
        """Tells it from another one that had the same name before."""
        return str(self.body["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """Grows with each change of the spec."""
        return int(self.body["metadata"]["generation"])

    @property
    def resource_version(self) -> str:
        """Changes with each change of anything."""
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def annotations(self) -> Mapping[str, str]:
        """All of them."""
        return self.body["metadata"].get("annotations") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """All of them."""
        return self.body["metadata"].get("labels") or {}

    def command(self, verb: str, *flags: str) -> str:
        """A command line about it that can be pasted, whatever the context's namespace."""
        return " ".join(("kubectl sync", verb, self.name, "-n", self.key.namespace, *flags))

    @property
    def on(self) -> bool:
        """Whether ON is declared; whether it is honoured is for the status to say."""
        return self.spec.status is Switch.ON

    @property
    def observed(self) -> bool:
        """Whether the status is about the spec as it is now."""
        return self.status.observed_generation == self.generation

    @property
    def sync_run(self) -> Run | None:
        """The run that is in progress or paused, unless it only plans: a plan is neither finished nor paused by OFF."""
        run = self.status.run
        return None if run is None or run.kind is RunKind.PLAN else run

    @property
    def plan_run(self) -> Run | None:
        """The plan in progress."""
        return None if self.sync_run else self.status.run

    @property
    def plans(self) -> Set[int]:
        """The runs that only plan or check, as far as the status names them: it names each that still has a log."""
        status = self.status
        ended = {entry.run for entry in status.recent_activity if entry.kind is RunKind.PLAN}
        newest = {status.plan.run} if status.plan and status.plan.run is not None else set()
        return ended | newest | ({self.plan_run.number} if self.plan_run else set())

    @property
    def reset_pending(self) -> bool:
        """Whether a reset of the whole sync has been requested by annotation and has not begun."""
        requested = self._new_reset
        return (
            requested is not None
            and resets.obstacle(requested, (), self.spec.object_names) is None
            and not resets.objects_of(requested)
        )

    @property
    def resets_pending(self) -> tuple[str, ...]:
        """The objects whose reset has been requested by annotation, and that no run was claimed for since."""
        return resets.objects_of(self._new_reset or "")

    @property
    def _new_reset(self) -> str | None:
        requested = self.annotations.get(names.RESET_REQUESTED_ANNOTATION)
        return None if requested == self.status.handled.reset_requested_at else requested

    @property
    def declared_off_policy(self) -> OffPolicy | None:
        """The offPolicy to restore at the next ON, if an `off` has replaced it for one OFF."""
        value = self.annotations.get(OFF_POLICY_ANNOTATION, "")
        return OffPolicy(value) if value in tuple(OffPolicy) else None

    def condition(self, type_: str) -> Condition | None:
        """A condition, if the operator has set it."""
        return next((condition for condition in self.status.conditions if condition.type == type_), None)

    def holds(self, type_: str, generation: int = 0) -> bool:
        """Whether a condition is true, as of this generation or a later one."""
        condition = self.condition(type_)
        return condition is not None and condition.status == "True" and condition.observed_generation >= generation

    @property
    def cannot_start(self) -> bool:
        """Whether the Pod of its run cannot start, or is late to."""
        condition = self.condition("Ready")
        return condition is not None and condition.reason == "PodCannotStart"

    @property
    def waits_for_a_pod(self) -> bool:
        """Whether a Pod that cannot start, or that does not end, is in the way of everything else, as of this spec."""
        condition = self.condition("Ready")
        return self.observed and condition is not None and condition.reason in ("PodCannotStart", "PodDoesNotEnd")

    @property
    def job_refused(self) -> bool:
        """Whether it is stalled because the API server refuses the Job of its run: only another spec helps."""
        return self.holds("Stalled") and self.sync_run is not None


def integration_of(body: Body) -> Integration:
    """A SyncIntegration from the API server's JSON.

    Raises ClusterError when it does not fit the models.
    """
    try:
        return Integration(
            body,
            SyncIntegrationSpec.model_validate(body["spec"]),
            SyncIntegrationStatus.model_validate(body.get("status") or {}),
        )
    except ValidationError as error:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        raise ClusterError(
            f"{key} was written by a version of Tidegate that this client cannot read: upgrade the older of the two"
        ) from error
