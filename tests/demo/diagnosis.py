"""What an admin would look at when a step is stuck, in one text: status, Events, Pods, logs."""

import json

from demo.errors import DemoError
from demo.kubectl import Kubectl

_LINES = 40
_OPERATOR_NAMESPACE = "tidegate-system"


def describe(kubectl: Kubectl, name: str) -> str:
    """The state of a SyncIntegration and of all that it depends on; parts that cannot be had say why."""
    parts = {
        "status": ["get", "sync", name, "--output=jsonpath={.status}"],
        "events": ["get", "events", "--sort-by=.metadata.creationTimestamp"],
        "pods": ["get", "pods", "--output=wide"],
        "log of the newest run": [
            "logs",
            "--selector=app.kubernetes.io/managed-by=tidegate",
            "--all-containers",
            "--prefix",
            "--ignore-errors",
            f"--tail={_LINES}",
        ],
        "log of the operator": [
            "logs",
            f"--namespace={_OPERATOR_NAMESPACE}",
            "deployment/tidegate",
            f"--tail={_LINES}",
        ],
    }
    return "\n".join(f"--- {title}\n{_read(kubectl, command)}" for title, command in parts.items())


def _read(kubectl: Kubectl, command: list[str]) -> str:
    try:
        text = kubectl.run(*command).strip()
    except DemoError as error:
        return str(error)
    if text.startswith("{"):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "\n".join(text.splitlines()[-3 * _LINES :]) or "(none)"
