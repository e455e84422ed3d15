"""Metrics for Prometheus: what the operator has done, counted where it happens.

Fed by `reconcile` with every status that it has written. docs/metrics.md lists every series.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from tidegate.api.runs import Outcome, RunKind
from tidegate.api.status import Phase, SyncIntegrationStatus
from tidegate.control.due import due_at
from tidegate.control.freshness import Freshness
from tidegate.control.gauges import OF_INTEGRATION, Gauges
from tidegate.control.observation import Integration
from tidegate.control.queue import WorkQueue

_RUN_SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)
_LATENCY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_RECONCILE_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)


class Metrics:
    """The operator's counters and histograms, in a registry of their own."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        build = Gauge(
            "tidegate_build_info", "1, for the version of the operator.", ("version",), registry=self._registry
        )
        build.labels(version("tidegate")).set(1)
        self._names: dict[str, tuple[str, str]] = {}
        self._turning_off_since: dict[str, datetime] = {}
        self._runs = Counter(
            "tidegate_runs",
            "Runs that have ended, by kind (Full, Incremental, Plan) and outcome.",
            (*OF_INTEGRATION, "kind", "outcome"),
            registry=self._registry,
        )
        self._run_seconds = Histogram(
            "tidegate_run_duration_seconds",
            "From the claim of a run to its end.",
            ("kind",),
            buckets=_RUN_SECONDS,
            registry=self._registry,
        )
        self._drain_seconds = Histogram(
            "tidegate_drain_duration_seconds",
            "From the moment an OFF was seen to the moment it was honoured.",
            buckets=_RUN_SECONDS,
            registry=self._registry,
        )
        self._start_seconds = Histogram(
            "tidegate_run_start_latency_seconds",
            "From the moment a run was due to its claim.",
            buckets=_LATENCY_SECONDS,
            registry=self._registry,
        )
        self._reconcile_seconds = Histogram(
            "tidegate_reconcile_duration_seconds",
            "Duration of one reconciliation, API writes included.",
            buckets=_RECONCILE_SECONDS,
            registry=self._registry,
        )
        self._reconcile_errors = Counter(
            "tidegate_reconcile_errors",
            "Reconciliations that failed and are retried, by reason (api, defect).",
            ("reason",),
            registry=self._registry,
        )

    def observe(
        self, integrations: Callable[[], Iterable[Integration]], queue: WorkQueue, freshness: Freshness
    ) -> None:
        """Read the present values from these when asked."""
        self._registry.register(Gauges(integrations, queue, freshness, self._clock))

    def observe_process(self, ready: Callable[[], bool], leading: Callable[[], bool]) -> None:
        """Tell of the process itself what these say when asked."""
        gauge = Gauge("tidegate_ready", "1 once all watches have synced.", registry=self._registry)
        gauge.set_function(lambda: float(ready()))
        gauge = Gauge("tidegate_leading", "1 for the operator that leads.", registry=self._registry)
        gauge.set_function(lambda: float(leading()))

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format. May be asked from another thread than that of the event loop."""
        return generate_latest(self._registry)

    def reconciled(self, seconds: float) -> None:
        """A reconciliation has ended."""
        self._reconcile_seconds.observe(seconds)

    def failed(self, reason: str) -> None:
        """A reconciliation has failed: `api` when an API request failed, `defect` otherwise."""
        self._reconcile_errors.labels(reason).inc()

    def forgot(self, uid: str) -> None:
        """An integration is gone, and so are its series."""
        self._turning_off_since.pop(uid, None)
        name = self._names.pop(uid, None)
        if name is not None:
            self._runs.remove_by_labels(dict(zip(OF_INTEGRATION, name, strict=True)))

    def wrote(self, integration: Integration, new: SyncIntegrationStatus) -> None:
        """A status has been stored over the one that the integration had."""
        old = integration.status
        self._names[integration.uid] = (integration.namespace, integration.name)
        if new.last_run is not None and (old.last_run is None or new.last_run.number != old.last_run.number):
            entry = next((entry for entry in new.recent_activity if entry.run == new.last_run.number), None)
            if entry is not None:
                self._ended(integration, entry.kind, entry.outcome, entry.duration)
        plan, planned_before = new.plan, old.plan.run if old.plan else None
        if plan is not None and plan.started_at is not None and plan.run != planned_before:
            self._ended(integration, RunKind.PLAN, plan.outcome, plan.finished_at - plan.started_at)
        is_sync = new.run is not None and new.run.kind is not RunKind.PLAN
        if is_sync and new.run is not None and new.runs > old.runs and old.next_run_at and old.last_run:
            due = due_at(integration, old, old.last_run)  # a status has whole seconds
            self._start_seconds.observe(max(0.0, (new.run.started_at - due).total_seconds()))
        self._drain(integration.uid, new.phase)

    def _ended(self, integration: Integration, kind: RunKind, outcome: Outcome, duration: timedelta) -> None:
        self._runs.labels(integration.namespace, integration.name, kind, outcome).inc()
        self._run_seconds.labels(kind).observe(max(0.0, duration.total_seconds()))

    def _drain(self, uid: str, phase: Phase | None) -> None:
        if phase is Phase.TURNING_OFF:
            self._turning_off_since.setdefault(uid, self._clock())
            return
        since = self._turning_off_since.pop(uid, None)
        if since is not None and phase in (Phase.OFF, Phase.PAUSED):
            self._drain_seconds.observe((self._clock() - since).total_seconds())
