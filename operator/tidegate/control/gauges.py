"""Gauges: where each sync stands, and how far the watches and the queue are.

Present values are read when Prometheus asks, so that an integration that is gone has no series. Times are
timestamps rather than ages: an age is wrong as soon as a scrape fails. What runs have done to records is counted in the
status, so that it survives the operator and is the same from every replica.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tidegate.api.status import Phase
from tidegate.control.duplicate import DUPLICATE_POD
from tidegate.control.freshness import Freshness
from tidegate.control.observation import Integration
from tidegate.control.queue import WorkQueue
from tidegate.control.reasons import CANNOT_START, JOB_REFUSED, POD_DOES_NOT_END

OF_INTEGRATION = ("namespace", "name")

# What keeps a sync from going on and may pass by itself, by the reason of its conditions: what lasts needs a person.
_OBSTACLES = {
    CANNOT_START: ("pod_cannot_start", "1 while the Pod of a run is late to start."),
    JOB_REFUSED: ("job_refused", "1 while the API server refuses the Job of a run."),
    POD_DOES_NOT_END: ("pod_does_not_end", "1 while a deleted Pod is still there after its grace period."),
    DUPLICATE_POD: ("duplicate_pod", "1 while a run has more than one Pod."),
}


class Gauges(Collector):
    """The present values of all integrations, the queue and the watches."""

    def __init__(
        self,
        integrations: Callable[[], Iterable[Integration]],
        queue: WorkQueue,
        freshness: Freshness,
        clock: Callable[[], datetime],
    ) -> None:
        self._integrations = integrations
        self._queue = queue
        self._freshness = freshness
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """The present values."""
        yield from _of_syncs(self._integrations())
        depth = GaugeMetricFamily("tidegate_queue_depth", "Integrations waiting to be reconciled.")
        depth.add_metric((), self._queue.depth)
        yield depth
        event = GaugeMetricFamily(
            "tidegate_watch_last_event_timestamp_seconds", "Time of the last event of the watch.", labels=("resource",)
        )
        now = self._clock().timestamp()
        for resource in self._freshness.resources():
            silence = self._freshness.seconds_since_last_event(resource)
            if silence is not None:
                event.add_metric((resource,), now - silence)
        yield event


def _of_syncs(integrations: Iterable[Integration]) -> Iterator[Metric]:
    def gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"tidegate_{name}", meaning, labels=(*OF_INTEGRATION, *labels))

    phase = gauge("phase", "1 for the phase that a sync is in.", "phase")
    stalled = gauge("stalled", "1 while a sync needs manual action.")
    obstacles = {reason: gauge(*named) for reason, named in _OBSTACLES.items()}
    activated = gauge("activation_timestamp_seconds", "When the sync was turned ON; absent while it is off.")
    succeeded = gauge("last_success_timestamp_seconds", "The end of the newest run that succeeded.")
    delay = gauge("delay_seconds", "The declared delay between runs.")
    failures = gauge("consecutive_failures", "Runs that failed since the newest that succeeded.")
    waiting = gauge("waiting_records", "Fields and records that wait for a decision.")
    set_aside = CounterMetricFamily(
        "tidegate_set_aside_records", "Fields and records that runs have set aside.", labels=OF_INTEGRATION
    )
    records = CounterMetricFamily(
        "tidegate_records", "Records that runs have handled.", labels=(*OF_INTEGRATION, "connector", "operation")
    )
    withheld = CounterMetricFamily(
        "tidegate_withheld_records",
        "Records that runs have not created, updated or deleted, because it is not allowed there.",
        labels=(*OF_INTEGRATION, "connector"),
    )
    for integration in integrations:
        name = (integration.namespace, integration.name)
        status = integration.status
        for each in Phase:
            phase.add_metric((*name, each), float(status.phase is each))
        stalled.add_metric(name, float(any(c.type == "Stalled" and c.status == "True" for c in status.conditions)))
        reasons = {condition.reason for condition in status.conditions}
        for reason, obstacle in obstacles.items():
            obstacle.add_metric(name, float(reason in reasons))
        delay.add_metric(name, integration.spec.delay.total_seconds())
        failures.add_metric(name, status.consecutive_failures)
        waiting.add_metric(name, status.waiting_records)
        if status.activation is not None:
            activated.add_metric(name, status.activation.started_at.timestamp())
        if status.last_synced_at is not None:
            succeeded.add_metric(name, status.last_synced_at.timestamp())
        totals = status.record_totals
        set_aside.add_metric(name, totals.set_aside)
        for connector, count in totals.withheld.items():
            withheld.add_metric((*name, connector), count)
        for operation, counts in (
            ("read", totals.read),
            ("created", totals.created),
            ("updated", totals.updated),
            ("deleted", totals.deleted),
        ):
            for connector, count in counts.items():
                records.add_metric((*name, connector, operation), count)
    yield from obstacles.values()
    yield from (phase, stalled, activated, succeeded, delay, failures, waiting, set_aside, withheld, records)
