"""Run log: what the worker of a run says, whichever Pods it ran in."""

from collections.abc import Iterable, Iterator

from tidegate.api.status import Phase
from tidegate.cli.background import Stop
from tidegate.cli.cluster import Cluster
from tidegate.cli.conflicts import RunLog
from tidegate.cli.errors import NotFoundError
from tidegate.cli.follow import Gone, Interrupted
from tidegate.cli.integration import Body, Integration


def newest_run(of: Integration) -> int:
    """The run in progress, or else the last one."""
    if of.status.run is None and of.status.last_run is None:
        raise NotFoundError(f"{of.name} has not run yet")
    return of.status.runs


def read(cluster: Cluster, of: Integration, run: int) -> Iterator[bytes]:
    """What has been said so far. Raises NotFoundError when nothing of it is there."""
    _refuse_paused(of, run)
    pods = [pod for pod in cluster.pods(of, run) if pod.has_log]
    if not pods:
        raise NotFoundError(_absence(of, run))
    for pod in pods:
        yield from cluster.log(pod)


def follow(cluster: Cluster, of: Integration, run: int, stop: Stop | None = None) -> Iterator[bytes]:
    """What has been said, and what is being said, until the run ends; a Pod that is replaced does not end it."""
    stop = stop or Stop()
    if of.status.run is None or of.status.run.number != run:
        yield from read(cluster, of, run)
        return
    _refuse_paused(of, run)
    heard = set()
    for event in cluster.follow_job(of, run, stop):
        if isinstance(event, Interrupted):
            continue
        # A Job changes when one of its Pods starts or ends.
        for pod in cluster.pods(of, run):
            if pod.has_log and pod.key not in heard:
                heard.add(pod.key)
                yield from cluster.log(pod, follow=stop)
        if isinstance(event, Gone) or _has_ended(event):
            return


def read_all(cluster: Cluster, of: Integration) -> Iterator[RunLog]:
    """The logs of all runs that have one, of the present cache: what an earlier cache held was deleted with it."""
    for pod in cluster.pods(of):
        if pod.has_log and pod.cache_epoch == of.status.cache_epoch:
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
        raise NotFoundError(f"run {run} is paused: its Pod is gone, and its log with it")


def _absence(of: Integration, run: int) -> str:
    if of.status.run and of.status.run.number == run:
        return f"the worker of run {run} has not started yet; {of.status.message}"
    return f"no log of run {run} is left: the newest {of.spec.activity_limit} runs keep theirs (activityLimit)"


def _has_ended(job: Body) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)
