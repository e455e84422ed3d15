"""Kubeconfig: the user's kubeconfig and options → a client, by kubectl's rules; every complaint is one line.

Of several files (`KUBECONFIG=a:b`) the first to set a value wins, `current-context` included:
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files
"""

import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes import client, config
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import ConfigNode, KubeConfigLoader, KubeConfigMerger
from urllib3 import HTTPHeaderDict, Retry

from tidegate.cli.errors import ClusterError

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT_FILE = "~/.kube/config"
_KINDS = ("clusters", "contexts", "users")
_CHOSEN = "\0"  # a name that no file can hold

# A refusal or a timeout is reported instead of retried: a person is waiting.
_RETRIES = Retry(connect=0, read=0, other=0)

# Seconds without an answer after which a person wants to know what is waited for.
_SILENCE = 3.0


@dataclass(frozen=True, slots=True)
class Connection:
    """Which cluster, and as whom, as the options say; None: as the kubeconfig says."""

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    user: str | None = None
    impersonated: str | None = None
    groups: tuple[str, ...] = ()
    request_timeout: timedelta | None = None  # zero: none

    @property
    def default(self) -> bool:
        """Whether nothing is said of the kubeconfig."""
        return (self.kubeconfig, self.context, self.cluster, self.user) == (None, None, None, None)


Notice = Callable[[str], None]


def silence(text: str) -> None:
    """Say nothing."""


def connect(connection: Connection, notice: Notice = silence) -> tuple[client.ApiClient, str]:
    """The client and its namespace; inside a Pod without a kubeconfig, as the Pod's service account."""
    configuration = client.Configuration()
    try:
        if connection.default and _inside_a_pod():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            namespace = _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
        else:
            kubeconfig = Kubeconfig.read(connection.kubeconfig)
            namespace = kubeconfig.load(connection, configuration)
    except (ConfigException, OSError) as error:
        raise ClusterError(f"no cluster: {' '.join(str(error).split())}") from error
    configuration.retries = _RETRIES
    return _client(configuration, connection, notice), namespace


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The files, merged."""

    files: str  # as they were named
    merged: ConfigNode

    @classmethod
    def read(cls, named: str | None) -> "Kubeconfig":
        """The file of `--kubeconfig`, or those of the environment. Raises ClusterError that says which is wrong."""
        files = named or os.environ.get("KUBECONFIG") or _DEFAULT_FILE
        if named and not Path(named).expanduser().exists():
            raise ClusterError(f"kubeconfig {named} does not exist")
        try:
            merger = KubeConfigMerger(files)  # type: ignore[no-untyped-call]
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{mark.name} is not YAML: line {mark.line + 1}, column {mark.column + 1}" if mark else error
            raise ClusterError(f"kubeconfig {place}") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ClusterError(f"{files} is not a kubeconfig") from error
        if merger.config is None:
            raise ClusterError(f"kubeconfig {files} does not exist; name one with --kubeconfig or KUBECONFIG")
        for each in merger.config_files.values():
            if each.get("current-context"):
                merger.config.value["current-context"] = each["current-context"]
                break
        for kind in _KINDS:
            _require_shape(merger.config.value[kind], kind)
        return cls(files, merger.config)

    def contexts(self) -> list[str]:
        """Their names."""
        return self._names("contexts")

    def load(self, connection: Connection, into: client.Configuration) -> str:
        """Fill in a configuration; return the context's namespace."""
        name = connection.context or self.merged.value.get("current-context")
        if not name:
            raise ClusterError(f"kubeconfig {self.files} has no current context; {self._choice('contexts')}")
        context: dict[str, Any] = dict(self._named("contexts", name).get("context") or {})
        context |= {key: value for key, value in _overrides(connection) if value}
        self._named("clusters", context.get("cluster") or "")
        user = (self._named("users", context["user"]).get("user") or {}) if context.get("user") else {}
        # The loader takes a context by its name: this one has what the options put in its place.
        chosen = ConfigNode(_CHOSEN, {"name": _CHOSEN, "context": context})  # type: ignore[no-untyped-call]
        content = {**self.merged.value, "contexts": [chosen]}
        with _login(str(context.get("user")), user):
            KubeConfigLoader(  # type: ignore[no-untyped-call]
                ConfigNode(self.files, content),  # type: ignore[no-untyped-call]
                active_context=_CHOSEN,
                config_base_path=None,
            ).load_and_set(into)
        return str(context.get("namespace") or "default")

    def _named(self, kind: str, name: str) -> Mapping[str, Any]:
        for node in self.merged.value[kind]:
            if node.value["name"] == name:
                return dict(node.value)
        raise ClusterError(f"kubeconfig {self.files} has no {kind.removesuffix('s')} {name}; {self._choice(kind)}")

    def _choice(self, kind: str) -> str:
        return f"{kind}: {', '.join(self._names(kind)) or 'none'}"

    def _names(self, kind: str) -> list[str]:
        return [str(node.value["name"]) for node in self.merged.value[kind]]


def _require_shape(entries: Sequence[ConfigNode], kind: str) -> None:
    content = kind.removesuffix("s")
    for each in entries:
        value = each.value
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise ClusterError(f"{each.path} is not a kubeconfig: an entry of {kind} has no name")
        if not isinstance(value.get(content) or {}, dict):
            raise ClusterError(f"{each.path} is not a kubeconfig: {content} of {value['name']} is not a mapping")


def _overrides(connection: Connection) -> Iterator[tuple[str, str | None]]:
    yield "cluster", connection.cluster
    yield "user", connection.user


@contextlib.contextmanager
def _login(name: str, user: Mapping[str, Any]) -> Iterator[None]:
    """Raise ClusterError when the user's login plugin fails: the client only logs it, and continues anonymously."""
    how = user.get("exec") or {}
    if not isinstance(how, dict):
        raise ClusterError(f"the kubeconfig's user {name} cannot be read: exec is not a mapping")
    plugin = str(how.get("command") or "")
    hint = " ".join(str(how.get("installHint") or "").split())
    advice = f"; {hint}" if hint else ""
    if plugin and not user.get("token") and os.sep not in plugin and shutil.which(plugin) is None:
        raise ClusterError(f"the login plugin {plugin} of user {name} is not installed{advice}")
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ClusterError(f"the kubeconfig's cluster or user {name} cannot be read: {words}") from error
    finally:
        logging.getLogger().removeHandler(complaints)
    if complaints.heard:
        raise ClusterError(f"the login plugin {plugin} of user {name} failed: {' '.join(complaints.heard)}{advice}")


class _Complaints(logging.Handler):
    """What the client logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, on one line."""
        self.heard.append(" ".join(record.getMessage().split()))


def _client(configuration: client.Configuration, connection: Connection, notice: Notice) -> client.ApiClient:
    api = client.ApiClient(configuration)
    api.rest_client = _Requests(configuration, connection.groups, notice)
    if connection.impersonated:
        api.set_default_header("Impersonate-User", connection.impersonated)  # type: ignore[no-untyped-call]
    return api


class _Requests(RESTClientObject):
    """Sends each impersonated group in a header of its own, and says when an answer takes long."""

    def __init__(self, configuration: client.Configuration, groups: tuple[str, ...], notice: Notice) -> None:
        super().__init__(configuration)
        self._groups = groups
        self._notice = notice

    def request(self, method: Any, url: Any, headers: Any = None, *rest: Any, **others: Any) -> Any:
        """As the base class does, in these groups."""
        sent = HTTPHeaderDict(headers or {})  # the client's own headers are a dict, which holds one of a name
        for group in self._groups:
            sent.add("Impersonate-Group", group)
        with contextlib.nullcontext() if _is_of_a_worker(url) else self._noticed():
            return super().request(method, url, sent, *rest, **others)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def _noticed(self) -> Iterator[None]:
        text = f"waiting for the API server {self.configuration.host} …"
        waiting = threading.Timer(_SILENCE, self._notice, [text])
        waiting.daemon = True
        waiting.start()
        try:
            yield
        finally:
            waiting.cancel()


def _is_of_a_worker(url: str) -> bool:
    """Whether the answer is a worker's log, which may be silent for as long as it likes."""
    return urlsplit(url).path.endswith("/log")


def _inside_a_pod() -> bool:
    has_kubeconfig = bool(os.environ.get("KUBECONFIG")) or Path(_DEFAULT_FILE).expanduser().exists()
    return not has_kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ
