"""What goes on in the model's cluster by itself: the Job controller, the kubelet, the garbage collector.

As slow and as far behind as the test has it. Idealized: the Job controller makes no Pod for a Job that is already
deleted, keeps count of the Pods that it has seen end, and makes a second Pod only where the test has it do so.
"""

import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidegate.api import names
from tidegate.api.base import format_time
from tidegate.api.contract import CACHE_CONTAINER, WORKER_CONTAINER, Environment, ExitCode
from tidegate.control.parse import controller_uid
from tidegate.worker.epoch import CacheLostError, Expected, Found, is_kept

from .ledger import FINAL
from .model import CLAIM, JOB, POD, Backup, Server

Body = dict[str, Any]
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


@dataclass
class Tally:
    """What has become of a Job's Pods so far."""

    succeeded: bool = False
    failed: int = 0
    final: int | None = None


@dataclass(frozen=True)
class EtcdBackup:
    """What a backup of etcd holds, the Job controller's finalizers and counts included."""

    stored: Backup
    tallies: dict[str, Tally]
    counted: set[str]


@dataclass
class ModelCluster:
    """The controllers of a cluster, each step at the test's bidding."""

    server: Server
    starts: str = "everything"  # of a Pod, or "preparation": all but the worker, or "nothing"
    sidecars: bool = False  # injected into each Pod, as ordinary containers that do not end with the worker
    _tallies: dict[str, Tally] = field(default_factory=dict)
    _counted: set[str] = field(default_factory=set)
    _marks: dict[str, Found] = field(default_factory=dict)  # what the markers in each cache say
    _snapshots: list[tuple[str, Found]] = field(default_factory=list)
    _names: Counter[str] = field(default_factory=Counter)

    # etcd, in which the Job controller keeps what it has counted

    def back_up(self) -> EtcdBackup:
        return EtcdBackup(self.server.back_up(), copy.deepcopy(self._tallies), set(self._counted))

    def restore_etcd(self, backup: EtcdBackup) -> None:
        """Put a backup in place of all that is stored; volumes stay as they are."""
        self.server.restore(backup.stored)
        self._tallies, self._counted = copy.deepcopy(backup.tallies), set(backup.counted)

    # The Job controller

    def look_at(self, name: str) -> Body:
        """A Job as the Job controller sees it; it may act upon it later."""
        job = self.server.objects[JOB, name]
        return {
            "metadata": {**job["metadata"]},
            "spec": {**job["spec"]},
            "status": copy.deepcopy(job.get("status", {})),
        }

    def control_job(self, seen: Body) -> None:
        """One pass of the Job controller: it acts on what it has seen; its status update fails if that is old."""
        name, uid = seen["metadata"]["name"], seen["metadata"]["uid"]
        stored = self.server.objects.get((JOB, name))
        status = copy.deepcopy(seen.get("status") or {})
        conditions = {c["type"]: c for c in status.get("conditions", ())}
        if stored is None or stored["metadata"]["uid"] != uid or conditions.keys() & {"Complete", "Failed"}:
            return
        self._count(uid)
        tally = self._tallies.setdefault(uid, Tally())
        end = self._end_of(seen, status, tally)
        if end is not None:
            self._delete_pods(uid)
            if not self._live(uid):
                conditions |= {end["type"]: end}
                if end["type"] == "Complete":
                    status["completionTime"] = format_time(self.server.now)
        elif seen["spec"].get("suspend"):
            # Its finalizer is taken from each first, so that it counts no longer, however it ends.
            # https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/controller/job/job_controller.go: deleteJobPods
            self._counted |= {pod["metadata"]["uid"] for pod in self._live(uid)}
            self._delete_pods(uid)
            conditions["Suspended"] = self._condition("Suspended", "True")
            status.pop("startTime", None)
        else:
            if "startTime" not in status:
                status["startTime"] = format_time(self.server.now)
            if conditions.get("Suspended", {}).get("status") == "True":
                conditions["Suspended"] = self._condition("Suspended", "False")
            waits_for_the_end = seen["spec"].get("podReplacementPolicy") == "Failed"
            active = [pod for pod in self._live(uid) if "deletionTimestamp" not in pod["metadata"]]
            if not (self._live(uid) if waits_for_the_end else active):
                self._create_pod(seen)
            # https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/controller/controller_utils.go: ActivePods
            for pod in sorted(active, key=lambda pod: pod["status"]["phase"] == "Pending")[1:]:
                self._delete_pod(pod)
        live = self._live(uid)
        status["terminating"] = sum(1 for pod in live if "deletionTimestamp" in pod["metadata"])
        status["active"] = len(live) - status["terminating"]
        status["conditions"] = list(conditions.values())
        if stored["metadata"]["resourceVersion"] == seen["metadata"]["resourceVersion"] and status != stored.get(
            "status"
        ):
            stored["status"] = status
            self.server.changed(JOB, stored)
            if end is not None and not live:
                self.server.ledger.job_ended(self.server.view(JOB, name))

    def _end_of(self, seen: Body, status: Body, tally: Tally) -> Body | None:
        if tally.succeeded:
            return self._condition("Complete", "True")
        if tally.final is not None:
            words = (
                f"Container sync for pod sales/x failed with exit code {tally.final} matching FailJob rule at index 0"
            )
            return self._condition("Failed", "True", "PodFailurePolicy", words)
        if tally.failed > seen["spec"]["backoffLimit"]:
            return self._condition(
                "Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
            )
        limit = seen["spec"].get("activeDeadlineSeconds")
        if limit is not None and "startTime" in status and not seen["spec"].get("suspend"):
            started = datetime.fromisoformat(status["startTime"])
            if self.server.now >= started + timedelta(seconds=limit):
                return self._condition(
                    "Failed", "True", "DeadlineExceeded", "Job was active longer than specified deadline"
                )
        return None

    def _condition(self, type_: str, status: str, reason: str = "", message: str = "") -> Body:
        at = format_time(self.server.now)
        return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}

    def _count(self, job_uid: str) -> None:
        tally = self._tallies.setdefault(job_uid, Tally())
        for pod in self._pods(job_uid):
            uid = pod["metadata"]["uid"]
            if uid in self._counted or pod["status"]["phase"] not in ("Succeeded", "Failed"):
                continue
            self._counted.add(uid)
            code = _exit_code(pod)
            if code == 0 and pod["status"]["phase"] == "Succeeded":
                tally.succeeded = True
            elif code in FINAL and code != ExitCode.COMPLETE:
                tally.final = code
            elif code is not None and code != ExitCode.PAUSED:
                tally.failed += 1

    def make_second_pod(self) -> None:
        """The Job controller acts on an old view, in which a live Pod of a Job is not there yet."""
        for pod in self.live_pods():
            job = self.server.objects.get((JOB, pod["metadata"]["labels"][JOB_NAME_LABEL]))
            if job is None or controller_uid(pod) != job["metadata"]["uid"]:
                continue
            ended = {c["type"] for c in job.get("status", {}).get("conditions", ())} & {"Complete", "Failed"}
            if not ended and not job["spec"].get("suspend"):
                self._create_pod(job, by_mistake=True)

    def _create_pod(self, job: Body, *, by_mistake: bool = False) -> None:
        template, job_name = job["spec"]["template"], job["metadata"]["name"]
        self._names[job_name] += 1
        metadata = {
            **copy.deepcopy(template["metadata"]),
            "name": f"{job_name}-{self._names[job_name]}",
            "ownerReferences": [_controlled_by(job)],
        }
        metadata["labels"][JOB_NAME_LABEL] = job_name
        self.server.create(POD, {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending"}})
        self.server.ledger.pod_created(self.server.pods, by_mistake=by_mistake)

    def _delete_pods(self, job_uid: str) -> None:
        for pod in self._live(job_uid):
            self._delete_pod(pod)

    def _delete_pod(self, pod: Body) -> None:
        if "deletionTimestamp" not in pod["metadata"]:
            pod["metadata"]["deletionTimestamp"] = format_time(self.server.now)
            self.server.changed(POD, pod)

    def _pods(self, job_uid: str) -> list[Body]:
        return [pod for pod in self.server.stored(POD) if controller_uid(pod) == job_uid]

    def _live(self, job_uid: str) -> list[Body]:
        return [pod for pod in self._pods(job_uid) if pod["status"]["phase"] in ("Pending", "Running")]

    # The kubelet

    def live_pods(self) -> list[Body]:
        return [pod for pod in self.server.stored(POD) if pod["status"]["phase"] in ("Pending", "Running")]

    def start(self, pod: Body) -> None:
        """Run the init container, and then the worker."""
        if "deletionTimestamp" in pod["metadata"]:
            self._report(pod, "Failed")
            return
        if self.starts == "nothing":
            return
        (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == "cache")
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            cache = self.server.objects.get((CLAIM, claim["claimName"]))
            if cache is None:
                return  # it waits for its volume
            (init,) = (c for c in pod["spec"]["initContainers"] if c["name"] == CACHE_CONTAINER)
            told = {variable["name"]: variable["value"] for variable in init["env"]}
            epoch, uid = told[Environment.CACHE_EPOCH], cache["metadata"]["uid"]
            run, used_by = int(told[Environment.RUN]), told.get(Environment.CACHE_RUN)
            marks = self._marks.get(uid, Found())
            expected = Expected(
                epoch,
                told.get(Environment.CACHE_OLDEST_EPOCH),
                run,
                int(used_by) if used_by else None,
                told.get(Environment.CACHE_EPOCH_BEGAN),
            )
            try:
                kept = is_kept(marks, expected)
            except CacheLostError as lost:
                self._report(pod, "Failed", init={"exitCode": int(ExitCode.CACHE_LOST), "message": str(lost)})
                return
            if Environment.PLAN in told:
                self.server.ledger.cache_looked_at(run)
            else:
                self.server.ledger.cache_prepared(run, uid, marks.run, existed=marks.epoch is not None, wiped=not kept)
                self._marks[uid] = Found(epoch, run, expected.began or (marks.began if kept else None))
        if self.starts == "preparation":
            prepared = [{"name": CACHE_CONTAINER, "state": {"terminated": {"exitCode": 0}}}]
            if pod["status"].get("initContainerStatuses") != prepared:
                pod["status"]["initContainerStatuses"] = prepared
                self._report(pod, "Pending")
            return
        started = {"name": WORKER_CONTAINER, "state": {"running": {"startedAt": format_time(self.server.now)}}}
        pod["status"]["containerStatuses"] = [started]
        self._report(pod, "Running")

    def end(self, pod: Body, exit_code: int | None) -> None:
        """The worker ends; None: its Pod is evicted. What is left beside it ends when the Pod is deleted."""
        containers: list[Body] = pod["status"].get("containerStatuses") or [{}]
        worker, *beside = containers
        if "terminated" in worker.get("state", {}):
            if "deletionTimestamp" in pod["metadata"]:
                beside[0]["state"] = {"terminated": {"exitCode": 137}}
                self._report(pod, "Failed")
            return
        words = {
            "message": f'{{"reason": "code {exit_code}", "plan": {{"sides": []}}}}',
            "finishedAt": format_time(self.server.now),
        }
        state = None if exit_code is None else {"exitCode": exit_code, **words}
        run = int(pod["metadata"]["labels"][names.RUN_LABEL])
        if exit_code is not None and self.sidecars and worker:
            worker["state"] = {"terminated": state}
            pod["status"]["containerStatuses"] = [worker, {"name": "proxy", "state": {"running": {}}}]
            self._report(pod, "Running")
            self.server.ledger.worker_ended(run, exit_code)
            return
        if exit_code in FINAL:
            self.server.ledger.worker_ended(run, exit_code)
        self._report(pod, "Succeeded" if exit_code == 0 else "Failed", state)

    def _report(self, pod: Body, phase: str, terminated: Body | None = None, init: Body | None = None) -> None:
        pod["status"]["phase"] = phase
        if init is not None:
            pod["status"]["initContainerStatuses"] = [{"name": CACHE_CONTAINER, "state": {"terminated": init}}]
        if terminated is not None:
            pod["status"]["containerStatuses"] = [{"name": WORKER_CONTAINER, "state": {"terminated": terminated}}]
        self.server.changed(POD, pod)

    def orphan(self, job_uid: str) -> None:
        """Somebody deletes a Job with `--cascade=orphan`: its Pods live on without an owner."""
        for pod in self._pods(job_uid):
            pod["metadata"]["ownerReferences"] = []
            self.server.changed(POD, pod)

    def delete_orphans(self) -> None:
        """Somebody does as the message says with Pods whose Job is gone."""
        for pod in self.live_pods():
            if not pod["metadata"]["ownerReferences"]:
                self.server.delete(POD, pod["metadata"]["name"])

    # What befalls volumes

    def snapshot(self) -> None:
        """Somebody makes a snapshot of the cache."""
        self._snapshots += [(claim["metadata"]["uid"], self._marks[claim["metadata"]["uid"]]) for claim in self._used()]

    def restore(self, number: int) -> None:
        """Somebody puts an old snapshot back, or an empty file system, while no Pod uses the volume."""
        if self.live_pods():
            return
        for claim in self._used():
            uid = claim["metadata"]["uid"]
            old = [marks for of, marks in self._snapshots if of == uid]
            self._marks[uid] = old[number % len(old)] if old and number < 5 else Found()
            self.server.ledger.cache_restored()

    def delete_cache(self) -> None:
        """Somebody deletes the claim; while a Pod uses it Kubernetes keeps it."""
        if not self.live_pods():
            for claim in self.server.stored(CLAIM):
                self.server.delete(CLAIM, claim["metadata"]["name"])
                self.server.ledger.cache_restored()

    def _used(self) -> list[Body]:
        return [claim for claim in self.server.stored(CLAIM) if claim["metadata"]["uid"] in self._marks]

    # The garbage collector

    def collect(self) -> None:
        """Delete what has no owner, and remove Pods that have ended and are counted."""
        owners = {job["metadata"]["uid"] for job in self.server.stored(JOB)}
        for pod in self.server.stored(POD):
            if not pod["metadata"]["ownerReferences"]:
                continue  # it was orphaned
            orphan = controller_uid(pod) not in owners
            live = pod["status"]["phase"] in ("Pending", "Running")
            if orphan and live:
                self._delete_pod(pod)
                continue
            counted = "deletionTimestamp" in pod["metadata"] and pod["metadata"]["uid"] in self._counted
            if not live and (orphan or counted):
                self.server.delete(POD, pod["metadata"]["name"])

    # All at once

    def work(self, exit_code: int | None = 0, *, pauses: bool = True) -> None:
        """Everybody does what is to be done, once; a worker that runs ends, one that is told to end pauses.

        `pauses`: whether SIGTERM comes in time for that.
        """
        for job in self.server.stored(JOB):
            if controller_uid(job) is not None and names.RUN_LABEL in job["metadata"]["labels"]:
                self.control_job(self.look_at(job["metadata"]["name"]))
        for pod in self.live_pods():
            if pod["status"]["phase"] == "Pending":
                self.start(pod)
            else:
                self.end(pod, int(ExitCode.PAUSED) if pauses and "deletionTimestamp" in pod["metadata"] else exit_code)
        self.collect()


def _controlled_by(job: Body) -> Body:
    metadata = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    return {**owner, "controller": True}


def _exit_code(pod: Body) -> int | None:
    status = pod["status"]
    lost = [s for s in status.get("initContainerStatuses", ()) if s["state"].get("terminated", {}).get("exitCode")]
    for container in (*lost, *status.get("containerStatuses", ())):
        if "terminated" in container["state"]:
            code: int = container["state"]["terminated"]["exitCode"]
            return code
    return None
