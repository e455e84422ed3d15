"""What an installation chooses: the operator's own settings, from the command line or the environment."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings, fixed while it runs."""

    operator_image: str  # runs the init container that prepares the cache
    worker_image: str  # the built-in worker
    image_pull_policy: str = "IfNotPresent"
    namespaces: tuple[str, ...] = ()  # empty: the whole cluster
    concurrency: int = 8  # integrations that are reconciled at the same time
    liveness_port: int | None = None


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from `arguments`, with defaults from `environment` (TIDEGATE_…).

    Exits with a usage message when a required setting is missing.
    """
    parser = argparse.ArgumentParser(
        prog="tidegate-operator",
        description="Start, stop and reset data syncs declared as SyncIntegration resources. "
        "The cluster is that of KUBECONFIG, or the one that this runs in.",
    )

    def option(name: str, help_text: str, default: str | None = None) -> None:
        variable = f"TIDEGATE_{name.replace('-', '_').upper()}"
        value = environment.get(variable, default)
        parser.add_argument(
            f"--{name}", default=value, required=value is None, help=f"{help_text} (environment: {variable})"
        )

    option("operator-image", "image of this operator, for the container that prepares a run's cache")
    option("worker-image", "image of the built-in worker")
    option("image-pull-policy", "pull policy of both images", "IfNotPresent")
    option("namespaces", "comma-separated namespaces to serve; empty: all", "")
    option("concurrency", "how many integrations are reconciled at the same time", "8")
    option("liveness-port", "port of the liveness endpoint /healthz; empty: none", "")
    given = parser.parse_args(arguments)
    return Settings(
        operator_image=given.operator_image,
        worker_image=given.worker_image,
        image_pull_policy=given.image_pull_policy,
        namespaces=tuple(name.strip() for name in given.namespaces.split(",") if name.strip()),
        concurrency=int(given.concurrency),
        liveness_port=int(given.liveness_port) if given.liveness_port else None,
    )
