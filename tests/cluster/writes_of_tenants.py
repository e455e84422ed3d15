"""What tenants try to write, and must not, each beside a twin that differs in one thing and must be accepted."""

from dataclasses import dataclass, field
from typing import Any

from cluster.namespace import API_VERSION, KIND, Object

NO_JOBS = "may not create Jobs in the namespace"
NO_RIGHT = "is forbidden: User"  # role-based access control, before any policy


def no_account(name: str) -> str:
    """The policy's words about a service account."""
    return f'may not create tokens of the service account "{name}"'


@dataclass(frozen=True)
class Creation:
    """A SyncIntegration that somebody applies."""

    user: str
    template: Any = None
    status: str = "ON"

    def body(self, name: str) -> Object:
        spec: Object = {"status": self.status} | ({} if self.template is None else {"template": self.template})
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def pod(**spec: Any) -> Object:
    """A template with this Pod spec."""
    return {"spec": spec}


def projected(*sources: Object) -> Object:
    """A template with a projected volume, behind one that is of no interest."""
    return pod(volumes=[{"name": "tmp2", "emptyDir": {}}, {"name": "all", "projected": {"sources": list(sources)}}])


@dataclass(frozen=True)
class ForbiddenCreation:
    """One thing is wrong with `attempt`, and it is right in `twin`."""

    what: str
    attempt: Creation
    words: str
    twin: Creation


_CONFIG = {"configMap": {"name": "settings"}}
_TOKEN = {"serviceAccountToken": {"path": "token"}}
_CERTIFICATE = {"podCertificate": {"signerName": "a.b/c", "keyType": "ED25519", "credentialBundlePath": "bundle.pem"}}

CREATIONS = [
    ForbiddenCreation("a stranger's", Creation("outsider"), NO_RIGHT, Creation("editor")),
    ForbiddenCreation("a reader's", Creation("viewer"), NO_RIGHT, Creation("editor")),
    ForbiddenCreation("who may not create Jobs", Creation("toggler"), NO_JOBS, Creation("jobber")),
    ForbiddenCreation(
        "who may not create Jobs, for later",
        Creation("toggler", status="OFF"),
        NO_JOBS,
        Creation("jobber", status="OFF"),
    ),
    ForbiddenCreation(
        "a foreign account",
        Creation("jobber", pod(serviceAccountName="deployer")),
        no_account("deployer"),
        Creation("editor", pod(serviceAccountName="deployer")),
    ),
    ForbiddenCreation(
        "a foreign account where another one is allowed",
        Creation("specialist", pod(serviceAccountName="deployer")),
        no_account("deployer"),
        Creation("specialist", pod(serviceAccountName="syncer")),
    ),
    ForbiddenCreation(
        "a foreign account by the field's old name",
        Creation("specialist", pod(serviceAccount="deployer")),
        no_account("deployer"),
        Creation("specialist", pod(serviceAccount="syncer")),
    ),
    ForbiddenCreation(
        "a foreign account behind an allowed one",
        Creation("specialist", pod(serviceAccountName="syncer", serviceAccount="deployer")),
        no_account('syncer" or "deployer'),
        Creation("specialist", pod(serviceAccountName="syncer", serviceAccount="syncer")),
    ),
    ForbiddenCreation(
        "the default account's token, mounted",
        Creation("jobber", pod(automountServiceAccountToken=True)),
        no_account("default"),
        Creation("jobber", pod(automountServiceAccountToken=False)),
    ),
    ForbiddenCreation(
        "the default account's token, projected",
        Creation("jobber", projected(_CONFIG, _TOKEN)),
        no_account("default"),
        Creation("jobber", projected(_CONFIG)),
    ),
    ForbiddenCreation(
        "the default account's certificate, projected",
        Creation("jobber", projected(_CERTIFICATE)),
        no_account("default"),
        Creation("jobber", projected(_CONFIG)),
    ),
    ForbiddenCreation(
        "the default account by its name",
        Creation("specialist", pod(serviceAccountName="default", automountServiceAccountToken=True)),
        no_account("default"),
        Creation("specialist", pod(serviceAccountName="syncer", automountServiceAccountToken=True)),
    ),
    ForbiddenCreation(
        "a foreign account beside malformed fields",
        Creation("jobber", {"metadata": 1, "spec": {"volumes": "no", "serviceAccountName": "deployer"}}),
        no_account("deployer"),
        Creation("jobber", {"metadata": 1, "spec": {"volumes": "no", "serviceAccountName": 5}}),
    ),
    ForbiddenCreation(
        "no Pod at all by who may not create Jobs",
        Creation("toggler", pod(containers=None)),
        NO_JOBS,
        Creation("jobber", {"spec": "no Pod"}),
    ),
]


@dataclass(frozen=True)
class Change:
    """A merge patch on a SyncIntegration that is there."""

    user: str
    of: str
    spec: Object = field(default_factory=dict)
    metadata: Object = field(default_factory=dict)

    def body(self) -> Object:
        return {"spec": self.spec, "metadata": self.metadata}


def annotations(**asked: str | None) -> Object:
    """Annotations of the group, by their names without it."""
    return {"annotations": {f"tidegate.dev/{name.replace('_', '-')}": value for name, value in asked.items()}}


@dataclass(frozen=True)
class ForbiddenChange:
    """One thing is wrong with `attempt`, and it is right in `twin`."""

    what: str
    attempt: Change
    words: str
    twin: Change


# What is there: an administrator made both; one has an account of its own.
PLAIN, PRIVILEGED = "plain", "privileged"
# One that is ON, and what a stop of it is allowed to change.
RUNNING = "running"
STOP: Object = {"status": "OFF", "offPolicy": "PauseRun"}


def smuggled(what: str, spec: Object, metadata: Object | None = None) -> "ForbiddenChange":
    """A stop that changes something else with it, by somebody who may only stop."""
    attempt = Change("stopper", RUNNING, {**STOP, **spec}, metadata or {})
    return ForbiddenChange(f"a stop with {what}", attempt, NO_JOBS, Change("stopper", RUNNING, STOP))


CHANGES = [
    ForbiddenChange(
        "an ON by who may not create Jobs",
        Change("toggler", PLAIN, {"status": "ON"}),
        NO_JOBS,
        Change("jobber", PLAIN, {"status": "ON"}),
    ),
    ForbiddenChange(
        "an ON of what runs under a foreign account",
        Change("jobber", PRIVILEGED, {"status": "ON"}),
        no_account("deployer"),
        Change("editor", PRIVILEGED, {"status": "ON"}),
    ),
    ForbiddenChange(
        "a foreign account, later",
        Change("jobber", PLAIN, {"template": pod(serviceAccountName="deployer")}),
        no_account("deployer"),
        Change("jobber", PLAIN, {"template": pod(nodeSelector={"disk": "ssd"})}),
    ),
    ForbiddenChange(
        "other work under a foreign account",
        Change("jobber", PRIVILEGED, {"template": pod(containers=[{"name": "sync", "image": "registry.example/x:1"}])}),
        no_account("deployer"),
        Change("jobber", PRIVILEGED, {"template": pod(serviceAccountName=None)}),
    ),
    ForbiddenChange(
        "another sync under a foreign account",
        Change("specialist", PRIVILEGED, {"config": {"connectors": {}}}),
        no_account("deployer"),
        Change("specialist", PLAIN, {"config": {"connectors": {}}}),
    ),
    ForbiddenChange(
        "a run at once, by annotation",
        Change("toggler", PLAIN, metadata=annotations(sync_requested_at="now")),
        NO_JOBS,
        Change("toggler", PLAIN, metadata=annotations(note="what it is for")),
    ),
    ForbiddenChange(
        "a reset, by annotation",
        Change("toggler", PLAIN, metadata=annotations(reset_requested_at="now")),
        NO_JOBS,
        Change("jobber", PLAIN, metadata=annotations(reset_requested_at="now")),
    ),
    ForbiddenChange(
        "deletes, confirmed by annotation",
        Change("toggler", PLAIN, metadata=annotations(approve="1")),
        NO_JOBS,
        Change("jobber", PLAIN, metadata=annotations(approve="1")),
    ),
    ForbiddenChange(
        "a request taken back",
        Change("toggler", PRIVILEGED, metadata=annotations(sync_requested_at=None)),
        NO_JOBS,
        Change("editor", PRIVILEGED, metadata=annotations(sync_requested_at=None)),
    ),
    ForbiddenChange(
        "an ON by who may only stop",
        Change("stopper", PLAIN, {"status": "ON"}),
        NO_JOBS,
        Change("stopper", RUNNING, {"status": "OFF"}),
    ),
    ForbiddenChange(
        "a stop by a reader", Change("viewer", RUNNING, STOP), NO_RIGHT, Change("stopper", RUNNING, {"status": False})
    ),
    ForbiddenChange(
        "what OFF does, without an OFF",
        Change("stopper", RUNNING, {"offPolicy": "PauseRun"}),
        NO_JOBS,
        Change("stopper", PLAIN, {"offPolicy": "PauseRun"}),
    ),
    smuggled("another delay", {"delay": "0s"}),
    smuggled("a field taken out", {"delay": None}),
    smuggled("a field put in", {"runTimeout": "1m"}),
    smuggled("another mode", {"mode": "FutureOnly"}),
    smuggled("a reset", {"reset": True}),
    smuggled("another sync", {"config": {"connectors": {"crm": {}}}}),
    smuggled("other work", {"template": pod(containers=[{"name": "sync", "image": "registry.example/x:1"}])}),
    smuggled("a run at once", {}, annotations(sync_requested_at="now")),
    smuggled("a full sync, by annotation", {}, annotations(full_sync_requested_at="now")),
    smuggled("a reset, by annotation", {}, annotations(reset_requested_at="now")),
    smuggled("an undo, by annotation", {}, annotations(undo_requested="1")),
    smuggled("an approval", {}, annotations(approve="1")),
    smuggled("a decision about conflicts", {}, annotations(decisions="[]")),
    smuggled("a plan", {}, annotations(plan_requested_at="now")),
    smuggled("the key that another's plan seals values with", {}, annotations(plan_public_key="mine")),
    smuggled("another run in another's plan of an undo", {}, annotations(plan_undo="1")),
    smuggled("a check in the place of another's plan", {}, annotations(plan_check="true")),
    ForbiddenChange(
        "anything of a reader",
        Change("viewer", PLAIN, metadata={"labels": {"team": "sales"}}),
        NO_RIGHT,
        Change("toggler", PLAIN, metadata={"labels": {"team": "sales"}}),
    ),
]
