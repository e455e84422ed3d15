"""The cases: what is made, what is waited for, and what is measured of it."""

import asyncio
import copy
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.operator_process import OperatorProcess
from devcluster.cluster import Cluster
from devcluster.free_port import free_port
from tidegate.control.due import due_at
from tidegate.control.parse import integration_of

from .cluster import (
    NAMESPACE,
    PATHS,
    Client,
    ControllerManager,
    FirstSeen,
    Object,
    Requests,
    all_of,
    beside,
    cpu_seconds,
    end_pods,
    kubeconfig_of_operator,
    servers,
)

SYNCS, JOBS, CRONJOBS = "syncintegrations", "jobs", "cronjobs"
_QUICK = ("--kube-api-qps=10000", "--kube-api-burst=10000")

# Short enough for the narrowest spread, a second.
_DELAY = 100
# Longer than it takes to make all syncs and to have each start once: an operator that sees the end of a last run in the
# future, which the status of a sync that is due late would tell of, does not wait for its delay.
_LONG_DELAY = 900

# Seconds after which a start is over: the watchdog has compared everything once, and has paused for a minute.
_SETTLED = 70


class Operator:
    """The operator while it is entered, and what it uses."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._port = free_port()
        self._process = OperatorProcess(
            kubeconfig_of_operator(cluster), NAMESPACE, directory / "operator.log", f"--port={self._port}"
        )

    def __enter__(self) -> Self:
        self._process.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)

    async def ready(self) -> None:
        while not await asyncio.to_thread(self._answers):
            if not self._process.running():
                raise RuntimeError(f"the operator has ended:\n{self._process.log()[-2000:]}")
            await asyncio.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    @property
    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Starts:
    """How late each run was started, in seconds, and what one took on the processors, in seconds.

    `cpu_seconds` are the controller's, `servers_cpu_seconds` those of the API server and etcd.
    """

    late: Sequence[float]
    cpu_seconds: float
    servers_cpu_seconds: float = 0
    requests: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Scale:
    """What a number of idle resources costs. Seconds, bytes, requests a minute."""

    resources: int
    first_start: float
    first_cpu: float
    restart_ready: float
    restart_due: float
    restart_cpu: float
    resident_bytes: int
    idle_cpu: float
    idle_requests: Counter[str]


@dataclass(frozen=True)
class Bench:
    """One control plane, and a status of a sync that waits for its next run."""

    cluster: Cluster
    client: Client
    directory: Path
    waiting: Object

    @classmethod
    async def prepare(cls, cluster: Cluster, client: Client, directory: Path) -> "Bench":
        """Let one sync run once, to learn how a status looks."""
        with _controllers(cluster), Operator(cluster, directory) as operator:
            await operator.ready()
            async with beside(end_pods(client)):
                await client.create(PATHS[SYNCS], _sync("model", "ON", 3600))
                (model,) = await client.until(SYNCS, lambda items: "lastRun" in items[0]["status"])
        await client.delete_all(SYNCS)
        await client.delete_all(JOBS)
        return cls(cluster, client, directory, model["status"])

    async def due_at_once(self, number: int) -> Starts:
        """So many syncs whose delay is over in the same second, spread over it as they are."""
        at = _soon(number)
        due = await self._create({f"at-once-{n}": at for n in range(number)})
        with _no_controllers(self.cluster), Operator(self.cluster, self.directory) as operator:
            await operator.ready()
            starts = await self._starts(due, operator.pid)
        await self._clean(SYNCS)
        return starts

    async def cron_jobs_at_once(self, number: int, *options: str) -> Starts:
        """The same for CronJobs, whose schedule is a minute."""
        at = (int(_soon(number)) // 60 + 1) * 60
        time_of_day = datetime.fromtimestamp(at, UTC)
        schedule = f"{time_of_day.minute} {time_of_day.hour} * * *"
        due = {f"at-once-{n}": float(at) for n in range(number)}
        await all_of(self.client.create(PATHS[CRONJOBS], _cron_job(name, schedule)) for name in due)
        with ControllerManager(self.cluster, "--controllers=cronjob-controller", *options) as manager:
            starts = await self._starts(due, manager.pid)
        await self._clean(CRONJOBS)
        return starts

    async def _starts(self, due: Mapping[str, float], controller: int) -> Starts:
        """Wait until a controller, a process, has started all that is due."""
        jobs, number = FirstSeen(self.client, JOBS, _owner), len(due)
        async with beside(jobs.watch()):
            await _until(min(due.values()) - 2)
            processes = (controller,), servers(self.cluster)
            before = [cpu_seconds(*each) for each in processes]
            await jobs.wait_for(number)
            await asyncio.sleep(2)  # the echoes of its writes
            ours, theirs = ((cpu_seconds(*each) - then) / number for each, then in zip(processes, before, strict=True))
        return Starts([when - due[name] for name, when in jobs.at.items()], ours, theirs)

    async def steady(self, number: int, rate: int, seconds: int) -> tuple[Starts, Sequence[float]]:
        """So many syncs of which `rate` start each second; then how long some of them take to honour an OFF.

        Each starts once.
        """
        begin = _soon(number)
        due = await self._create({f"steady-{n}": begin + n // rate for n in range(number)}, _LONG_DELAY)
        jobs, ends = FirstSeen(self.client, JOBS, _owner), FirstSeen(self.client, SYNCS, _when_ended)
        with _controllers(self.cluster):
            with Operator(self.cluster, self.directory) as operator:
                await operator.ready()
                async with beside(jobs.watch()), beside(ends.watch()), beside(end_pods(self.client)):
                    await _until(begin - 1)
                    cpu, requests = operator.cpu_seconds, Requests(self.cluster)
                    await asyncio.sleep(seconds)
                    cpu, runs, asked = operator.cpu_seconds - cpu, len(ends.at), requests.count()
                    offs = await self._turn_off([name for name in due if name in jobs.at][: 2 * rate])
            await self._clean(SYNCS)  # no Pod goes before the Job controller has let it
        late = [when - due[name] for name, when in jobs.at.items() if due[name] < begin + seconds]
        return Starts(late, cpu / runs, requests={verb: count / runs for verb, count in asked.items()}), offs

    async def scale(self, number: int, idle_seconds: int) -> Scale:
        """So many syncs that are OFF: first seen by an operator, then by its successor, beside one that is due."""
        names = [f"idle-{n}" for n in range(number)]
        await all_of(self.client.create(PATHS[SYNCS], _sync(name, "OFF", 3600)) for name in names)
        honoured, jobs = FirstSeen(self.client, SYNCS, _when_off), FirstSeen(self.client, JOBS, _owner)
        with _no_controllers(self.cluster):
            async with beside(honoured.watch()):
                began = time.time()
                with Operator(self.cluster, self.directory) as operator:
                    await honoured.wait_for(number)
                    first_start, first_cpu = time.time() - began, operator.cpu_seconds
            await self._create({"due": time.time() - 60})
            async with beside(jobs.watch()):
                began = time.time()
                with Operator(self.cluster, self.directory) as operator:
                    await operator.ready()
                    ready = time.time() - began
                    await jobs.wait_for(1)
                    await self.client.delete(f"{PATHS[SYNCS]}/due")  # a run without a Pod is not idleness
                    await self.client.delete_all(JOBS)
                    await asyncio.sleep(_SETTLED)
                    restart_cpu = operator.cpu_seconds
                    cpu, requests = operator.cpu_seconds, Requests(self.cluster)
                    await asyncio.sleep(idle_seconds)
                    cpu, asked = operator.cpu_seconds - cpu, requests.count()
                    resident = operator.resident_bytes
        await self._clean(SYNCS)
        minute = 60 / idle_seconds
        per_minute = Counter({verb: round(count * minute) for verb, count in asked.items()})
        return Scale(
            resources=number,
            first_start=first_start,
            first_cpu=first_cpu,
            restart_ready=ready,
            restart_due=jobs.at["due"] - began,
            restart_cpu=restart_cpu,
            resident_bytes=resident,
            idle_cpu=cpu / idle_seconds,
            idle_requests=per_minute,
        )

    async def _create(self, around: Mapping[str, float], delay: int = _DELAY) -> Mapping[str, float]:
        """Make syncs that wait for their next run, each in a second of its own; return when they are due."""
        due: dict[str, float] = {}

        async def one(name: str, at: float) -> None:
            await self.client.create(PATHS[SYNCS], _sync(name, "ON", delay))
            status = copy.deepcopy(self.waiting)
            # One second beyond the delay: times are cut to the second.
            ended, status["nextRunAt"] = _time(at - delay - 1), _time(at)
            status["lastRun"]["finishedAt"] = status["lastSyncedAt"] = ended
            stored = await self.client.patch(f"{PATHS[SYNCS]}/{name}/status", {"status": status})
            sync = integration_of(stored)
            assert sync.status.last_run is not None
            due[name] = due_at(sync, sync.status, sync.status.last_run).timestamp()

        await all_of(one(name, at) for name, at in around.items())
        return due

    async def _turn_off(self, names: Sequence[str]) -> Sequence[float]:
        """How long each OFF takes, of syncs that no run keeps waiting."""
        off = FirstSeen(self.client, SYNCS, _when_off)
        asked: dict[str, float] = {}
        async with beside(off.watch()):
            for name in names:
                await self.client.patch(f"{PATHS[SYNCS]}/{name}", {"spec": {"status": "OFF"}})
                asked[name] = time.time()
                await asyncio.sleep(0.02)
            await off.wait_for(len(names))
        return [max(0.0, off.at[name] - at) for name, at in asked.items()]

    async def _clean(self, resource: str) -> None:
        await self.client.delete_all(resource)
        await self.client.delete_all(JOBS)
        await self.client.delete_all("pods")


def _controllers(cluster: Cluster) -> ControllerManager:
    return ControllerManager(cluster, "--controllers=job-controller,garbage-collector-controller", *_QUICK)


def _no_controllers(cluster: Cluster) -> ControllerManager:
    return ControllerManager(cluster, "--controllers=ttl-controller")


def _sync(name: str, status: str, delay: int) -> Object:
    spec = {"status": status, "delay": f"{delay}s", "cache": {"none": True}, "activityLimit": 1}
    return {"apiVersion": "tidegate.dev/v1alpha1", "kind": "SyncIntegration", "metadata": {"name": name}, "spec": spec}


def _cron_job(name: str, schedule: str) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "sync", "image": "played"}]}
    job = {"spec": {"template": {"spec": pod}}}
    spec = {"schedule": schedule, "timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid", "jobTemplate": job}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def _owner(job: Object) -> str | None:
    owners = job["metadata"].get("ownerReferences") or [{}]
    name: str | None = owners[0].get("name")
    return name


def _when_off(sync: Object) -> str | None:
    return str(sync["metadata"]["name"]) if sync.get("status", {}).get("phase") == "Off" else None


def _when_ended(sync: Object) -> str | None:
    """The second run: the first is in the status that the sync was made with."""
    last = sync.get("status", {}).get("lastRun", {}).get("number", 0)
    return str(sync["metadata"]["name"]) if last > 1 else None


def _soon(number: int) -> int:
    """A time until which so many resources can be made, and an operator can start."""
    return int(time.time()) + 30 + number // 10


async def _until(at: float) -> None:
    """Wait for the first start. Raises RuntimeError when it has been before everything was ready to see it."""
    if at < time.time():
        raise RuntimeError("the machine is too slow, or does other work: syncs were due before the operator was ready")
    await asyncio.sleep(at - time.time())


def _time(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
