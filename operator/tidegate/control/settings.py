"""What an installation chooses: the operator's own settings, from the command line or the environment."""

import argparse
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A claimed Job that does not exist after this time will not be created any more (see `history.CREATION_PATIENCE`).
LONGEST_REQUEST = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings, fixed while it runs."""

    operator_image: str  # runs the init container that prepares the cache
    worker_image: str  # the built-in worker
    image_pull_policy: str = "IfNotPresent"
    run_template: Mapping[str, Any] = field(default_factory=dict)  # Pod template beneath each `spec.template`
    namespaces: tuple[str, ...] = ()  # empty: the whole cluster
    concurrency: int = 8  # integrations that are reconciled at the same time
    port: int | None = None  # of /healthz, /readyz and /metrics
    lease: tuple[str, str] | None = None  # namespace and name, where several operators stand by
    request_timeout: float = LONGEST_REQUEST  # seconds; a write of unknown outcome is settled by the next observation
    watch_check_period: float = 60.0  # seconds in which the watchdog asks the API server for fewer than three pages
    watch_patience: float = 60.0  # seconds in which a watch has to show what the API server holds
    log_level: int = logging.INFO
    log_format: str = "text"  # or "json"


_LOG_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LOG_FORMATS = ("text", "json")


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from `arguments`, with defaults from `environment` (TIDEGATE_…).

    Exits with a usage message when a required setting is missing.
    """
    parser = argparse.ArgumentParser(
        prog="tidegate-operator",
        description="Start, stop and reset data syncs declared as SyncIntegration resources. "
        "The cluster is that of KUBECONFIG, or the one that this runs in.",
    )

    def option(name: str, help_text: str, default: str | None = None, read: Callable[[str], object] = str) -> None:
        variable = f"TIDEGATE_{name.replace('-', '_').upper()}"
        value = environment.get(variable, default)
        parser.add_argument(
            f"--{name}",
            type=read,
            default=value,
            required=value is None,
            help=f"{help_text} (environment: {variable})",
        )

    option("operator-image", "image of this operator, for the container that prepares a run's cache")
    option("worker-image", "image of the built-in worker")
    option("image-pull-policy", "pull policy of both images", "IfNotPresent")
    option("run-template", "Pod template of all runs, as JSON; spec.template overrides it", "", pod_template)
    option("namespaces", "comma-separated namespaces to serve; empty: all", "", namespaces)
    option("concurrency", "how many integrations are reconciled at the same time", "8", count)
    option("port", "port of /healthz, /readyz and /metrics; empty: none", "", port_number)
    option("lease", "NAMESPACE/NAME of the Lease for leader election; empty: no leader election", "", lease)
    timeout = f"seconds after which a request to the API server is given up, at most {LONGEST_REQUEST:.0f}"
    option("request-timeout", timeout, f"{LONGEST_REQUEST:.0f}", seconds_of_a_request)
    check_period = "seconds in which fewer than three requests compare the watches with the API server"
    option("watch-check-period", check_period, "60", seconds)
    patience = "seconds without progress of a watch that lags behind the API server, after which the process exits"
    option("watch-patience", patience, "60", seconds)
    option("log-level", f"least severe level to log: {', '.join(_LOG_LEVELS)}", "info", log_level)
    option("log-format", f"format of a log line: {', '.join(_LOG_FORMATS)}", "text", log_format)
    return Settings(**vars(parser.parse_args(arguments)))


# argparse shows a function's name and what it could not read: `invalid seconds value: 'soon'`.


def namespaces(text: str) -> tuple[str, ...]:
    """Names, separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def count(text: str) -> int:
    """A number from 1 on."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)


def port_number(text: str) -> int | None:
    """A port; empty: none."""
    if not text:
        return None
    if not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 1 to 65535")
    return int(text)


def lease(text: str) -> tuple[str, str] | None:
    """A namespace and a name; empty: none."""
    if not text:
        return None
    namespace, _, name = text.partition("/")
    if not namespace or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME")
    return namespace, name


def seconds(text: str) -> float:
    """A time above 0."""
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return float(text)


def seconds_of_a_request(text: str) -> float:
    """A time above 0, and no longer than what a claim counts on."""
    if seconds(text) > LONGEST_REQUEST:
        raise argparse.ArgumentTypeError(f"{text} is more than {LONGEST_REQUEST:.0f} seconds")
    return float(text)


def pod_template(text: str) -> Mapping[str, Any]:
    """A JSON object with the members of a Pod template, `metadata` and `spec`; empty: nothing beyond the defaults.

    What is in them is checked by the API server when a Job is created.
    """
    try:
        template = json.loads(text or "{}")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"the Pod template is not JSON: {error}") from error
    if not isinstance(template, dict) or not all(isinstance(member, dict) for member in template.values()):
        raise argparse.ArgumentTypeError("the Pod template must be a JSON object of objects")
    if unknown := template.keys() - {"metadata", "spec"}:
        raise argparse.ArgumentTypeError(f"a Pod template has no {', '.join(sorted(unknown))}: only metadata and spec")
    return template


def log_level(text: str) -> int:
    """A level of Python's logging."""
    if text not in _LOG_LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(_LOG_LEVELS)}")
    return _LOG_LEVELS[text]


def log_format(text: str) -> str:
    """`text` for people, `json` for log collectors."""
    if text not in _LOG_FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(_LOG_FORMATS)}")
    return text
