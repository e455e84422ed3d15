"""What users declare: the spec of a SyncIntegration (design section 3)."""

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from tidegate.api import names
from tidegate.api.base import ApiModel, Duration, PositiveDuration
from tidegate.api.contract import WORKER_CONTAINER


class Switch(StrEnum):
    """The position of the toggle."""

    ON = "ON"
    OFF = "OFF"


class Mode(StrEnum):
    """What turning ON does with the changes that were made while the sync was OFF."""

    PAST_AND_FUTURE = "PastAndFuture"  # a read-write full sync: catch up and push
    FUTURE_ONLY = "FutureOnly"  # a read-only full sync: catch up, push nothing


class OffPolicy(StrEnum):
    """What turning OFF does with the running run."""

    FINISH_RUN = "FinishRun"
    PAUSE_RUN = "PauseRun"


def _switch_of_yaml_boolean(value: object) -> object:
    if isinstance(value, bool):
        return Switch.ON if value else Switch.OFF
    return value


# YAML reads a bare ON as the boolean true: an untyped enum is the one structural schema that takes both.
SwitchField = Annotated[
    Switch,
    BeforeValidator(_switch_of_yaml_boolean),
    WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True, "enum": ["ON", "OFF", True, False]}),
]

FreeForm = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]

Quantity = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 32,
            "x-kubernetes-validations": [
                {
                    "rule": "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
                    "message": "must be a size greater than zero, such as 512Mi or 1Gi",
                }
            ],
        }
    ),
]


class Approval(StrEnum):
    """Which runs a person has to approve before their first write."""

    UNUSUAL = "Unusual"  # those that would exceed a limit of spec.sync.safety
    ALWAYS = "Always"  # beside these, the full sync of each activation that would write anything


class CacheSpec(ApiModel):
    """Where the worker remembers both sides between runs: a PersistentVolumeClaim made for the integration."""

    size: Annotated[
        Quantity | None,
        Field(description="Size of the PersistentVolumeClaim; 1Gi when not given, enough for some 4 million pairs."),
    ] = None
    storage_class_name: Annotated[
        str | None,
        Field(max_length=253, description="Its storage class; the cluster's default when not given."),
    ] = None
    none: Annotated[
        bool,
        Field(description="true: no volume. For workers of your own that remember nothing between runs."),
    ] = False


# In the place of a digest: no Job can be made from it either.
_TOO_DEEP = "too-deep"


class SyncIntegrationSpec(ApiModel):
    """The declared state of one data sync."""

    status: Annotated[
        SwitchField,
        Field(
            description="The toggle: ON starts the sync, OFF stops it when the running run has finished. Quoted or not."
        ),
    ]
    mode: Annotated[
        Mode,
        Field(
            description="What turning ON does with changes made while OFF: PastAndFuture catches up and pushes them, "
            "FutureOnly catches up and pushes none of them. Read when an activation starts."
        ),
    ] = Mode.PAST_AND_FUTURE
    delay: Annotated[
        Duration,
        Field(description="From the end of one run to the start of the next, such as 30s, 5m or 1h30m; 0s: at once."),
    ] = timedelta(minutes=5)
    reset: Annotated[
        bool,
        Field(
            description="Delete all cached data before the activation's full sync, so that records are read as if for "
            "the first time. Done once per activation: left at true, it has no effect until the next OFF and ON."
        ),
    ] = False
    off_policy: Annotated[
        OffPolicy,
        Field(
            description="What OFF does with the running run: FinishRun waits for its end, PauseRun suspends it and the "
            "next ON picks up where it left off."
        ),
    ] = OffPolicy.FINISH_RUN
    approval: Annotated[
        Approval,
        Field(
            description="Which runs halt before their first write until a person approves them: Unusual those that "
            "exceed a limit of sync.safety, Always also the full sync of each activation that would write anything."
        ),
    ] = Approval.UNUSUAL
    run_timeout: Annotated[
        PositiveDuration | None,
        Field(description="A run that takes longer is stopped and counts as failed; paused time does not count."),
    ] = None
    retries: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="How often a failing run's Pod is replaced before the run counts as failed.",
        ),
    ] = 2
    activity_limit: Annotated[
        int,
        Field(ge=1, le=50, description="How many finished runs are kept, in status.recentActivity and as Jobs."),
    ] = 10
    cache: Annotated[CacheSpec, Field(description="Where the worker remembers both sides between runs.")] = CacheSpec()
    sync: Annotated[
        FreeForm | None,
        Field(description="What the built-in worker syncs: the two systems, and which of their records and fields."),
    ] = None
    config: Annotated[
        FreeForm | None,
        Field(description="The configuration of a worker of your own, in a form of its own; it reads it as a file."),
    ] = None
    template: Annotated[
        FreeForm | None,
        Field(
            description="A Pod template, as in a Job: your own worker's container named 'sync', or overrides for the "
            "built-in one (environment from Secrets, resources, node selection, volumes)."
        ),
    ] = None

    @property
    def configuration(self) -> dict[str, Any] | None:
        """What the worker reads as its file."""
        return self.sync if self.sync is not None else self.config

    @property
    def object_names(self) -> tuple[str, ...] | None:
        """The names of the objects of `sync`; None without it."""
        if self.sync is None:
            return None
        objects = self.sync.get("objects")
        entries = objects if isinstance(objects, list) else ()
        return tuple(each["name"] for each in entries if isinstance(each, dict) and isinstance(each.get("name"), str))

    @property
    def configuration_text(self) -> str:
        """The same as JSON, which a run's Pod carries along."""
        return json.dumps(self.configuration or {}, ensure_ascii=False, separators=(",", ":"))

    @property
    def has_own_worker(self) -> bool:
        """Whether a worker of the user's own syncs, by a configuration in a form of its own."""
        return self.sync is None and _names_own_image(self.template)

    @property
    def digest(self) -> str:
        """What tells this declaration from another one, apart from the switch and how an OFF is carried out.

        A field with its default value does not count, so that a version which adds one sees no change.
        """
        # pydantic refuses to write what is nested more deeply than the API server allows it to be.
        free_form = {"sync", "config", "template"}
        typed = self.model_dump(mode="json", exclude_defaults=True, exclude={"status", "off_policy", *free_form})
        try:
            declared = json.dumps([typed, self.sync, self.config, self.template], sort_keys=True)
        except RecursionError:
            return _TOO_DEEP
        return hashlib.sha256(declared.encode()).hexdigest()[:16]

    @property
    def lacks_cache_of_built_in_worker(self) -> bool:
        """True when the built-in worker is to sync and `cache.none` leaves it nothing to remember between runs."""
        return self.cache.none and self.configuration is not None and not _names_own_image(self.template)

    @property
    def lacks_approvals(self) -> bool:
        """True when each full sync needs an approval and the worker's image does not say that it knows approvals."""
        own = _names_own_image(self.template)
        return (
            self.approval is Approval.ALWAYS and own and not _declares(self.template, names.WORKER_APPROVALS_ANNOTATION)
        )

    @property
    def worker_undoes(self) -> bool:
        """Whether the worker knows an undo: the built-in one does, one of the user's own if its template says so."""
        return not _names_own_image(self.template) or _declares(self.template, names.WORKER_UNDOES_ANNOTATION)

    @property
    def worker_plans(self) -> bool:
        """Whether the worker knows a plan: the built-in one does, one of the user's own if its template says so."""
        return not _names_own_image(self.template) or _declares(self.template, names.WORKER_PLANS_ANNOTATION)


def _names_own_image(template: dict[str, Any] | None) -> bool:
    pod = (template or {}).get("spec")
    containers = pod.get("containers") if isinstance(pod, dict) else None
    return any(
        isinstance(container, dict) and container.get("name") == WORKER_CONTAINER and "image" in container
        for container in (containers if isinstance(containers, list) else ())
    )


def _declares(template: dict[str, Any] | None, annotation: str) -> bool:
    metadata = (template or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and annotations.get(annotation) == "true"
