"""One test's namespace as its user handles it: SyncIntegrations applied, patched, waited for and read."""

import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

API_VERSION = "tidegate.dev/v1alpha1"
KIND = "SyncIntegration"
NAME = "contacts"

# Generous, to end rather than to hang: what is waited for takes seconds.
PATIENCE = 180.0
_LOOK_AGAIN = 0.05

Object = dict[str, Any]
_Found = TypeVar("_Found")


def connect(kubeconfig: Path) -> DynamicClient:
    """The administrator's client."""
    return DynamicClient(config.new_client_from_config(str(kubeconfig)))  # type: ignore[no-untyped-call]


def wait_for(
    what: str, look: Callable[[], _Found | None], told: Callable[[], str] = str, patience: float = PATIENCE
) -> _Found:
    """Look again and again until there is something; `told` says what was there instead. `patience` is in seconds."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come to be in {patience:.0f} s\n{told()}")
        time.sleep(_LOOK_AGAIN)
    return found


# The status of a SyncIntegration that no operator has seen.
UNSEEN = {"observedGeneration": -1}


@dataclass(frozen=True)
class Namespace:
    """A namespace and what is in it; objects are plain JSON."""

    name: str
    client: DynamicClient

    @staticmethod
    def install_definition(kubeconfig: Path, kubectl: Path, crds: Path) -> None:
        """Apply the CustomResourceDefinition as a user would, and wait until it is served."""
        command = [str(kubectl), f"--kubeconfig={kubeconfig}"]
        subprocess.run([*command, "apply", "--server-side", f"--filename={crds}"], check=True, capture_output=True)
        established = ["wait", "--for=condition=Established", "crd/syncintegrations.tidegate.dev", "--timeout=60s"]
        # Before it has any condition, kubectl takes it for something that never will.
        wait_for("the definition", lambda: not subprocess.run([*command, *established], capture_output=True).returncode)

    @classmethod
    @contextmanager
    def create(cls, kubeconfig: Path, title: str) -> Iterator["Namespace"]:
        """A new namespace, named for its test, that is ready for Pods; it is deleted afterwards."""
        short = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-")
        namespace = cls(f"{short}-{uuid.uuid4().hex[:6]}", connect(kubeconfig))
        namespaces = namespace.client.resources.get(api_version="v1", kind="Namespace")
        namespaces.create(body={"metadata": {"name": namespace.name}})
        try:
            # Without its account no Pod is admitted, and a Job that met this would wait before it tries again.
            wait_for("the default service account", lambda: namespace.find("v1", "ServiceAccount", "default"))
            yield namespace
        finally:
            namespaces.delete(name=namespace.name)

    # What is there

    def find(self, api_version: str, kind: str, name: str) -> Object | None:
        """One object, if it is there."""
        try:
            found: Object = self._of(api_version, kind).get(name=name, namespace=self.name).to_dict()
        except NotFoundError:
            return None
        return found

    def objects(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind, oldest name first."""
        found = self._of(api_version, kind).get(namespace=self.name, label_selector=selector).to_dict()["items"]
        return sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))

    def jobs(self) -> list[Object]:
        """The runs' Jobs, in the order of their runs."""
        found = self.objects("batch/v1", "Job", "app.kubernetes.io/managed-by=tidegate")
        return sorted(found, key=run_of)

    def job(self, run: int) -> Object:
        """The Job of a run, as soon as there is one."""
        return wait_for(f"the Job of run {run}", lambda: next((j for j in self.jobs() if run_of(j) == run), None))

    def pods(self) -> list[Object]:
        """The runs' Pods."""
        return self.objects("v1", "Pod", "app.kubernetes.io/managed-by=tidegate")

    def events(self) -> list[Object]:
        """What the admin was told, oldest first."""
        return [event for event in self.objects("events.k8s.io/v1", "Event") if event["regarding"]["kind"] == KIND]

    def integration(self, name: str = NAME) -> Object:
        """A SyncIntegration."""
        found = self.find(API_VERSION, KIND, name)
        assert found is not None
        return found

    def status(self, name: str = NAME) -> Object:
        """A SyncIntegration's status; empty before the operator has seen it."""
        status: Object = self.integration(name)["status"]
        return {} if status == UNSEEN else status

    # What its user does

    def create_integration(self, name: str = NAME, annotations: Object | None = None, **spec: Any) -> Object:
        """Apply a new SyncIntegration."""
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": spec,
        }
        created: Object = self._of(API_VERSION, KIND).create(body=body, namespace=self.name).to_dict()
        return created

    def patch(self, name: str = NAME, **spec: Any) -> None:
        """Change fields of the spec."""
        self._merge(API_VERSION, KIND, name, {"spec": spec})

    def annotate(self, name: str = NAME, **annotations: str) -> None:
        """Set annotations of the group, by their names without it: `sync_requested_at`."""
        full = {f"tidegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self._merge(API_VERSION, KIND, name, {"metadata": {"annotations": full}})

    def delete(self, api_version: str, kind: str, name: str, propagation: str = "Background") -> None:
        """Delete an object, as `kubectl delete` does without waiting."""
        options = {"propagationPolicy": propagation}
        self._of(api_version, kind).delete(name=name, namespace=self.name, body=options)

    def set_finalizers(self, api_version: str, kind: str, name: str, *finalizers: str) -> None:
        """Have an object kept while it is being deleted, or let it go."""
        self._merge(api_version, kind, name, {"metadata": {"finalizers": finalizers}})

    def create_object(self, body: Object) -> Object:
        """Create any object."""
        created: Object = self._of(body["apiVersion"], body["kind"]).create(body=body, namespace=self.name).to_dict()
        return created

    def forge_status(self, status: Object | None, name: str = NAME) -> None:
        """Change the status, as only the operator should; None: it is lost."""
        self._of(API_VERSION, KIND).status.patch(
            name=name, namespace=self.name, body={"status": status}, content_type="application/merge-patch+json"
        )

    # What is waited for

    def wait_until(self, what: str, holds: Callable[[Object], Any], name: str = NAME) -> Object:
        """Wait until the status satisfies a condition; return it."""

        def look() -> Object | None:
            status = self.status(name)
            return status if status and holds(status) else None

        return wait_for(what, look, lambda: f"{self.integration(name)}\n{self.jobs()}\n{self.pods()}")

    def wait_phase(self, phase: str, name: str = NAME) -> Object:
        """Wait for a phase that tells of the spec as it is now."""

        def reached(status: Object) -> bool:
            generation = self.integration(name)["metadata"]["generation"]
            return status.get("phase") == phase and status.get("observedGeneration") == generation

        return self.wait_until(f"phase {phase}", reached, name)

    def wait_condition(self, type_: str, value: str = "True", name: str = NAME) -> Object:
        """Wait for a condition; return it."""
        status = self.wait_until(f"{type_}={value}", lambda s: condition(s, type_).get("status") == value, name)
        return condition(status, type_)

    def wait_ended(self, run: int, name: str = NAME) -> Object:
        """Wait until the end of a run is recorded; return its entry in recent activity."""
        status = self.wait_until(
            f"the end of run {run}", lambda status: status.get("lastRun", {}).get("number") == run, name
        )
        return next(entry for entry in status["recentActivity"] if entry["run"] == run)

    def _of(self, api_version: str, kind: str) -> Any:
        return self.client.resources.get(api_version=api_version, kind=kind)

    def _merge(self, api_version: str, kind: str, name: str, change: Object) -> None:
        self._of(api_version, kind).patch(
            name=name, namespace=self.name, body=change, content_type="application/merge-patch+json"
        )


def run_of(job_or_pod: Object) -> int:
    """The run that a Job or Pod belongs to."""
    return int(job_or_pod["metadata"]["labels"]["tidegate.dev/run"])


def condition(status: Object, type_: str) -> Object:
    """A condition of a status; empty before there is one."""
    return next((c for c in status.get("conditions", ()) if c["type"] == type_), {})
