"""The CustomResourceDefinition, generated from the models into crds/: `python -m tidegate.definition.crd > FILE`.

The models are the one place that names fields: those of `api`, and for `spec.sync` the worker's.
"""

import sys
from typing import Any

import yaml

from tidegate.api import names
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import SyncIntegrationStatus
from tidegate.definition.spec_sync import spec_sync
from tidegate.definition.structural import drop, structural

_CACHE_RULE = {
    "rule": "!(has(self.none) && self.none && (has(self.size) || has(self.storageClassName)))",
    "message": "size and storageClassName cannot be combined with none: true",
}

_CACHE_STAYS_RULE = {
    "rule": "self == oldSelf",
    "message": "immutable; delete and recreate the SyncIntegration to change it",
}

_CONFIGURATION_RULE = {
    "rule": "!(has(self.sync) && has(self.config))",
    "message": "write sync for the built-in worker, or config for one of your own, and not both",
}

_COLUMNS = [
    {
        "name": "Status",
        "type": "string",
        "jsonPath": ".status.declared",
        "description": "The toggle: ON or OFF.",
    },
    {
        "name": "Phase",
        "type": "string",
        "jsonPath": ".status.phase",
        "description": "Where the toggle stands.",
    },
    {
        "name": "Ready",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
        "description": "True when what is declared is so: an ON has caught up, or an OFF is honoured.",
    },
    {
        "name": "Mode",
        "type": "string",
        "jsonPath": ".spec.mode",
        "description": "What turning ON does with past changes.",
    },
    {
        "name": "Activity",
        "type": "string",
        "jsonPath": ".status.activity",
        "description": "The newest run; a check mark says that it is done and no sync is running.",
    },
    {
        "name": "Last-Sync",
        "type": "date",
        "jsonPath": ".status.lastSyncedAt",
        "description": "Since the end of the newest run that succeeded.",
    },
    {
        "name": "Delay",
        "type": "string",
        "jsonPath": ".spec.delay",
        "description": "From one run's end to the next one's start.",
    },
    {
        "name": "Age",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
        "description": "Since the resource was created.",
    },
    {
        "name": "Reason",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].reason',
        "priority": 1,
        "description": "Why it is ready, or is not.",
    },
    {
        "name": "Message",
        "type": "string",
        "jsonPath": ".status.message",
        "priority": 1,
        "description": "What is happening and what would change it.",
    },
]


def custom_resource_definition() -> dict[str, Any]:
    """The CustomResourceDefinition of SyncIntegration, as `kubectl apply` takes it."""
    spec = structural(SyncIntegrationSpec.model_json_schema(mode="serialization"))
    status = structural(SyncIntegrationStatus.model_json_schema(mode="serialization"))
    spec["properties"]["cache"]["x-kubernetes-validations"] = [_CACHE_RULE, _CACHE_STAYS_RULE]
    spec["properties"]["sync"] = {**spec_sync(), "description": spec["properties"]["sync"]["description"]}
    spec["x-kubernetes-validations"] = [_CONFIGURATION_RULE]
    status["properties"]["conditions"] |= {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    }
    # The operator writes the status, and reads it back with defaults of its own.
    drop(status, "default", "x-kubernetes-validations")
    status.pop("required", None)
    # By this, tools that know of no Tidegate see that no operator has seen the resource yet (kstatus).
    status["default"] = {"observedGeneration": -1}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _COLUMNS,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "The ON/OFF toggle of a data sync between two systems.",
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": spec,
                                "status": status,
                            },
                        }
                    },
                }
            ],
        },
    }


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        # The same rule stands in several places; anchors would make the reader jump.
        return True


def main() -> None:
    """Write the definition to standard output as YAML."""
    sys.stdout.write("# Generated from the models by `make crds`. Do not edit.\n")
    yaml.dump(
        custom_resource_definition(),
        sys.stdout,
        Dumper=_PlainDumper,
        sort_keys=False,
        width=120,
        allow_unicode=True,
    )


if __name__ == "__main__":
    main()
