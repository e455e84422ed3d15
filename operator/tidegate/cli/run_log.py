"""Run log: the log of a run's worker, over all Pods that it ran in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tidegate.api.status import Phase
from tidegate.cli.cluster.client import Cluster
from tidegate.cli.cluster.list_watch import Gone, Interrupted
from tidegate.cli.cluster.reader_thread import Stop
from tidegate.cli.decisions.integration import Body, Integration
from tidegate.cli.display.conflicts import RunLog
from tidegate.cli.display.log_lines import counts_of
from tidegate.cli.display.log_lines import named as named_in
from tidegate.cli.errors import CommandError, NoLogError

# Lines: among the records that it names, the worker prints its progress once a second.
_TAIL = 200


def newest_run(of: Integration) -> int:
    """The run in progress, or else the last one."""
    if of.status.run is None and of.status.last_run is None:
        raise NoLogError("it has not run yet")
    return of.status.runs


@dataclass(frozen=True, slots=True)
class PodLog:
    """The log of one Pod of a run."""

    run: int
    attempt: int  # among the Pods that there still are, oldest first, from 1
    pod: str
    pieces: Iterator[bytes]


def read(cluster: Cluster, of: Integration, run: int, *, timestamps: bool = False) -> Iterator[PodLog]:
    """The log so far. Raises NoLogError when there is none."""
    _refuse_paused(of, run)
    pods = list(enumerate(cluster.pods(of, run), 1))
    if not any(pod.has_log for _, pod in pods):
        raise NoLogError(_absence(of, run))
    for attempt, pod in pods:
        if pod.has_log:
            yield PodLog(run, attempt, pod.key.name, cluster.log(pod, timestamps=timestamps))


def follow(
    cluster: Cluster, of: Integration, run: int, stop: Stop | None = None, *, timestamps: bool = False
) -> Iterator[PodLog]:
    """The log so far and as it grows, until the run ends; a Pod that is replaced does not end it."""
    stop = stop or Stop()
    if of.status.run is None or of.status.run.number != run:
        yield from read(cluster, of, run, timestamps=timestamps)
        return
    _refuse_paused(of, run)
    heard = set()
    for event in cluster.follow_job(of, run, stop):
        if isinstance(event, Interrupted):
            continue
        # A Job changes when one of its Pods starts or ends.
        for attempt, pod in enumerate(cluster.pods(of, run), 1):
            if pod.has_log and pod.key not in heard:
                heard.add(pod.key)
                yield PodLog(run, attempt, pod.key.name, cluster.log(pod, follow=stop, timestamps=timestamps))
        if isinstance(event, Gone) or _has_ended(event):
            return


def named(cluster: Cluster, of: Integration, run: int) -> list[str]:
    """The records that halted a run; none where its log is gone, or may not be read."""
    try:
        return [record for log in read(cluster, of, run) for record in named_in(lines(log.pieces))]
    except CommandError:
        return []


def counts(cluster: Cluster, of: Integration) -> str | None:
    """How far the running run has come; None where its log does not say, or may not be read."""
    if of.status.run is None or of.status.phase is Phase.PAUSED:
        return None
    try:
        pods = [pod for pod in cluster.pods(of, of.status.run.number) if pod.has_log]
        said = list(lines(cluster.log(pods[-1], tail=_TAIL))) if pods else []
    except CommandError:
        return None
    return next(filter(None, map(counts_of, reversed(said))), None)


def read_all(cluster: Cluster, of: Integration) -> Iterator[RunLog]:
    """The logs of all runs that have one, of the present cache: what an earlier cache held was deleted with it.

    Without plans: what they set aside, they set aside in a copy of the cache.
    """
    for pod in cluster.pods(of):
        if pod.has_log and pod.cache_epoch == of.status.cache_epoch and pod.run not in of.plans:
            yield RunLog(pod.run, list(lines(cluster.log(pod))))


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Whole lines of what arrives in pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")


def _refuse_paused(of: Integration, run: int) -> None:
    if of.status.phase is Phase.PAUSED and of.status.run and of.status.run.number == run:
        raise NoLogError(f"run {run} is paused: its Pod and its log are gone")


def _absence(of: Integration, run: int) -> str:
    if of.status.run and of.status.run.number == run:
        return f"the worker of run {run} has not started yet; {of.status.message}"
    if of.status.runs == 0:
        return "it has not run yet"
    if not 0 < run <= of.status.runs:
        return f"there is no run {run}: the newest is run {of.status.runs}"
    return f"no log of run {run} is left: logs are kept for the newest {of.spec.activity_limit} runs (activityLimit)"


def _has_ended(job: Body) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)
