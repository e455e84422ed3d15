"""A played node that runs a migration's Pod too, beside those of runs."""

from pathlib import Path

from cluster.namespace import Object
from cluster.played_node import PlayedNode


class MigratingNode(PlayedNode):
    """The Pod of a migration runs until migrations are told to end."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        super().__init__(kubeconfig, namespace)
        self._migrations_end = False

    def end_migrations(self) -> None:
        """From now on each migration succeeds as soon as it runs."""
        self._migrations_end = True

    def _watch_over(self, pod: Object) -> None:
        if "tidegate.dev/run" in pod["metadata"]["labels"]:
            super()._watch_over(pod)
        elif self._migrations_end:
            self._report(pod, "Succeeded", {"terminated": {"exitCode": 0}})
