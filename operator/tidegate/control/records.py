"""Records: what a run's report adds to what its sync has done to records so far, and what waits for a decision. Pure.

A check mark means that all was done (design section 10), so whatever a run set aside is
counted where its success is shown.
"""

from collections.abc import Mapping

from tidegate.api.runs import ActivityEntry, Outcome, RunKind, RunReport
from tidegate.api.status import RecordTotals, SyncIntegrationStatus
from tidegate.control.untrusted import LARGEST_NUMBER


def set_everything_aside(entry: ActivityEntry) -> bool:
    """True when a full sync pushed nothing and at least as much waits as it read: its success did no work."""
    report = entry.report
    if report is None or entry.kind is not RunKind.FULL or entry.outcome is not Outcome.SUCCEEDED:
        return False
    largest_side = max(report.read.values(), default=0)
    return 0 < largest_side <= report.waiting and not any(report.pushed.values())


def bounded_activity(entries: tuple[ActivityEntry, ...], limit: int) -> tuple[ActivityEntry, ...]:
    """So many entries, newest first. Plans do not push out the newest run of the sync, which the check mark is of."""
    kept = entries[:limit]
    if any(entry.kind is not RunKind.PLAN for entry in kept):
        return kept
    beyond = next((entry for entry in entries[limit:] if entry.kind is not RunKind.PLAN), None)
    return kept if beyond is None else (*kept[:-1], beyond)


def summary_of(entry: ActivityEntry) -> str:
    """The run as `kubectl get` shows it: `✓ run 12 (3 set aside)`."""
    report = entry.report
    what = f"{entry.mark} run {entry.run}"
    if entry.check:
        return f"{what} (check)"
    if entry.kind is RunKind.PLAN and entry.undo is not None:
        return f"{what} (plan of the undo of run {entry.undo})"
    if entry.kind is RunKind.PLAN:
        return f"{what} (plan)"
    if entry.kind is RunKind.UNDO:
        return f"{what} (undo of run {entry.undo})"
    if report is not None and report.set_aside:
        return f"{what} ({report.set_aside} set aside)"
    if report is not None and report.waiting:
        return f"{what} ({report.waiting} waiting)"
    return what


def waiting_after(status: SyncIntegrationStatus, entry: ActivityEntry) -> int:
    """How many fields and records wait for a decision once this run has ended.

    A run that failed before its first checkpoint does not know: what waited before it still does.
    """
    report = entry.report
    if report is None or (entry.outcome is not Outcome.SUCCEEDED and not report.waiting):
        return status.waiting_records
    return report.waiting


def records_waiting(count: int) -> str:
    """The words for so many, in messages and Events."""
    return f"{'1 record waits' if count == 1 else f'{count} records wait'} for a decision"


def totals_after(status: SyncIntegrationStatus, report: RunReport | None) -> RecordTotals:
    """The totals with this run's counts. Connectors that the run does not name are dropped, which bounds the status."""
    before = status.record_totals
    if report is None or not report.read:
        return before
    return RecordTotals(
        read=_sum(before.read, report.read, report.read),
        created=_sum(before.created, report.created, report.read),
        updated=_sum(before.updated, report.updated, report.read),
        deleted=_sum(before.deleted, report.deleted, report.read),
        withheld=_sum(before.withheld, report.withheld, report.read),
        set_aside=_limited(before.set_aside + report.set_aside),
    )


def _sum(before: Mapping[str, int], more: Mapping[str, int], connectors: Mapping[str, int]) -> dict[str, int]:
    return {name: _limited(before.get(name, 0) + more.get(name, 0)) for name in connectors}


def _limited(count: int) -> int:
    return min(count, LARGEST_NUMBER)
