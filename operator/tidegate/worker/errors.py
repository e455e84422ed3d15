"""How a run can end other than well, each with its exit code (design section 6.1). Raised anywhere, caught in `main`.

The text of an error is one sentence: the operator shows it as the reason of a Stalled sync.
"""

from tidegate.api.contract import ExitCode


class RunEnded(Exception):  # noqa: N818 - it is not always an error
    """The run cannot go on; anything else that is raised is a defect of the worker."""

    exit_code: int = 1
    outcome: str = "failed"


class ConfigurationError(RunEnded):
    """The configuration does not fit; trying again cannot help. All complaints are gathered first."""

    exit_code = ExitCode.CONFIGURATION_ERROR

    def __init__(self, *complaints: str) -> None:
        self.complaints = complaints
        super().__init__("; ".join(complaints))


class Halted(RunEnded):
    """Continuing might destroy data: a person has to look first."""

    exit_code = ExitCode.HALTED
    outcome = "halted"


class CacheUnusable(RunEnded):
    """The cache cannot be read, or was made for another configuration: a reset is needed."""

    exit_code = ExitCode.CACHE_UNUSABLE


class CacheLost(RunEnded):
    """What the runs before had remembered is not there: a full sync is needed, with a new cache."""

    exit_code = ExitCode.CACHE_LOST


class CacheLocked(RunEnded):
    """Another process works on the cache; it goes away by itself."""


class SystemFailed(RunEnded):
    """A connected system cannot be reached or broke off; the run is retried."""


class Paused(RunEnded):
    """SIGTERM was obeyed and everything done so far is committed."""

    exit_code = ExitCode.PAUSED
    outcome = "paused"
