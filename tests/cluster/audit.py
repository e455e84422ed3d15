"""The API server's audit log: what the operator has asked for, and what it was granted."""

import json
from pathlib import Path

from cluster import chart
from cluster.namespace import Object

Right = tuple[str, str, str]  # API group, resource with its subresource, verb


def recorded(audit_log: Path, since: int = 0) -> list[Object]:
    """What the operator has asked for so far, without its first `since` requests."""
    events: list[Object] = [json.loads(line) for line in audit_log.read_text().splitlines()]
    return [event for event in events if event["user"]["username"] == chart.OPERATOR][since:]


def right_of(event: Object) -> Right | None:
    """The right that a request needs; None: it is about no resource, but about what the API server offers."""
    if "objectRef" not in event:
        return None
    reference = event["objectRef"]
    subresource = f"/{reference['subresource']}" if "subresource" in reference else ""
    return reference.get("apiGroup", ""), reference["resource"] + subresource, event["verb"]


def refused(events: list[Object]) -> set[tuple[Right | None, str]]:
    """The requests that the operator had no right to, with their addresses."""
    decided = "authorization.k8s.io/decision"
    return {(right_of(e), e["requestURI"]) for e in events if e.get("annotations", {}).get(decided) != "allow"}


def used(events: list[Object]) -> set[Right]:
    """The rights that these requests took."""
    return {right for event in events if (right := right_of(event))}
