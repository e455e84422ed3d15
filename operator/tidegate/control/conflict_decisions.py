"""Conflict decisions: what people have decided by annotation, and whether the next run is given it. Pure.

A run that pushes is given decisions that no run has carried out; they count as handled when such a run has succeeded.
The plan of such a run is given them, too, and carries none out.
What a Pod cannot be given is refused in words, and nothing else waits for that.
"""

from functools import partial
from typing import Any

from tidegate.api import decisions, names
from tidegate.api.runs import RunKind
from tidegate.api.status import HandledRequests, SyncIntegrationStatus
from tidegate.control.observation import Integration, Observation
from tidegate.control.step import Announce

# What Kubernetes allows all annotations of a Pod to have together, less some for those of an administrator's template.
_LARGEST = (256 - 8) * 1024


def digest_of(integration: Integration) -> str | None:
    """What tells the annotation's decisions from others; None: there are none."""
    text = integration.requests.decisions
    return None if text is None else decisions.digest_of(text)


def for_run(integration: Integration, status: SyncIntegrationStatus, kind: RunKind, *, push: bool) -> str | None:
    """The digest of the decisions that a run is given: one of an activation, and only if it pushes."""
    if not push or kind not in (RunKind.FULL, RunKind.INCREMENTAL):
        return None
    digest = digest_of(integration)
    return None if _is_handled(status, digest) or _obstacle(integration) else digest


def refuse(seen: Observation, status: SyncIntegrationStatus) -> tuple[SyncIntegrationStatus, tuple[Announce, ...]]:
    """Tell once by an Event why decisions are refused."""
    digest = digest_of(seen.integration)
    if _is_handled(status, digest) or digest == status.handled.refused_decisions:
        return status, ()
    why = _obstacle(seen.integration)
    if why is None:
        return status, ()
    handled = status.handled.replace(partial(HandledRequests, refused_decisions=digest))
    told = Announce("DecisionsRefused", _refusal_words(why), warning=True)
    return status.replace(partial(SyncIntegrationStatus, handled=handled)), (told,)


def with_handled(status: SyncIntegrationStatus, digest: str | None) -> SyncIntegrationStatus:
    """The status after a run that was given these decisions has succeeded."""
    if digest is None:
        return status
    handled = status.handled.replace(partial(HandledRequests, decisions=digest))
    return status.replace(partial(SyncIntegrationStatus, handled=handled))


def words(seen: Observation, status: SyncIntegrationStatus) -> str:
    """What becomes of decisions that no run has carried out, for the message; "" where there are none."""
    digest = digest_of(seen.integration)
    if _is_handled(status, digest):
        return ""
    if why := _obstacle(seen.integration):
        return f"; {_refusal_words(why)}"
    run = status.run
    if run is not None and run.decisions == digest and run.kind is not RunKind.PLAN:
        return ""
    return "; the next run that pushes carries out the decisions about conflicts"


def _is_handled(status: SyncIntegrationStatus, digest: str | None) -> bool:
    return digest is None or digest == status.handled.decisions


def _refusal_words(why: str) -> str:
    return f"no decision of the annotation {names.DECISIONS_ANNOTATION} is carried out: {why}"


def _obstacle(integration: Integration) -> str | None:
    text = integration.requests.decisions or ""
    if integration.spec.has_own_worker:
        return "only the built-in worker carries out decisions, and spec.template names another image"
    size = _annotations_size(integration) + len(text.encode())
    if size > _LARGEST:
        return (
            f"with spec.sync and the template's annotations it takes {size:,} bytes, and a Pod holds {_LARGEST:,}; "
            "decide in several steps"
        )
    try:
        decisions.parse(text)
    except ValueError as error:
        return str(error)
    return None


def _annotations_size(integration: Integration) -> int:
    """Of all other annotations of the run's Pod, in bytes."""
    declared: Any = (integration.spec.template or {}).get("metadata")
    annotations: Any = declared.get("annotations") if isinstance(declared, dict) else None
    others = annotations.items() if isinstance(annotations, dict) else ()
    try:
        texts = [integration.spec.configuration_text, *(f"{key}{value}" for key, value in others)]
    except RecursionError:  # no Job can be made from it, and its refusal says so
        return 0
    return sum(len(each.encode()) for each in texts)
