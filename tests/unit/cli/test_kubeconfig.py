"""Which cluster is meant, and as whom; what is wrong with a kubeconfig is one line, before anything is asked."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.cli.cluster.kubeconfig import Connection, connect
from tidegate.cli.errors import ClusterError
from tidegate.cli.main import sync


def kubeconfig(directory: Path, name: str = "config", **changes: Any) -> str:
    """A kubeconfig of two contexts."""
    content = {
        "current-context": "work",
        "clusters": [{"name": c, "cluster": {"server": f"https://{c}.example"}} for c in ("work", "home")],
        "users": [{"name": u, "user": {"token": u}} for u in ("ada", "bob")],
        "contexts": [
            {"name": "work", "context": {"cluster": "work", "user": "ada", "namespace": "sales"}},
            {"name": "home", "context": {"cluster": "home", "user": "bob"}},
        ],
        **changes,
    }
    path = directory / name
    path.write_text(json.dumps(content))
    return str(path)


def login(directory: Path, script: str | None, **more: Any) -> str:
    """A kubeconfig whose user logs in by a plugin: this shell script, or none that there is."""
    plugin = directory / "login"
    if script is not None:
        plugin.write_text(f"#!/bin/sh\n{script}\n")
        plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    command = "no-such-login" if script is None else str(plugin)
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never", **more}
    return kubeconfig(directory, users=[{"name": "ada", "user": {"exec": how}}])


@pytest.mark.parametrize(
    ("connection", "host", "token", "namespace"),
    [
        (Connection(), "https://work.example", "ada", "sales"),
        (Connection(context="home"), "https://home.example", "bob", "default"),
        (Connection(cluster="home"), "https://home.example", "ada", "sales"),
        (Connection(context="home", user="ada"), "https://home.example", "ada", "default"),
    ],
)
def test_options_choose_the_cluster_and_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: Connection, host: str, token: str, namespace: str
) -> None:
    before = Path(kubeconfig(tmp_path)).read_text()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    api, found = connect(connection)
    assert api.configuration.host == host
    assert api.configuration.api_key == {"BearerToken": f"Bearer {token}"}
    assert found == namespace
    assert (tmp_path / "config").read_text() == before


def test_the_first_of_several_files_to_name_a_context_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kubeconfig(tmp_path, "first", clusters=[], users=[], contexts=[], **{"current-context": "home"})
    monkeypatch.setenv("KUBECONFIG", f"{first}:{kubeconfig(tmp_path, 'second')}:{tmp_path / 'absent'}")
    assert connect(Connection())[0].configuration.host == "https://home.example"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not: [valid", "kubeconfig {file} is not YAML: line 1, column 12"),
        ("\tx", "kubeconfig {file} is not YAML: line 1, column 1"),
        ("hello", "{file} is not a kubeconfig"),
        ("[1]", "{file} is not a kubeconfig"),
        ("clusters: [{}, {}]", "no cluster: Invalid kube-config file. Expected key name in {file}/{{}}"),
        ("{}", "kubeconfig {file} has no current context; contexts: none"),
        ("", "no cluster: Invalid kube-config. {file} file is empty"),
    ],
)
def test_an_invalid_kubeconfig_is_reported_by_name(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "bad.kc"
    file.write_text(content)
    done = CliRunner().invoke(sync, ["status", "--kubeconfig", str(file)])
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"Error: {complaint.format(file=file)}\n")


_VALUES = st.none() | st.booleans() | st.integers() | st.sampled_from(["work", "ada", "https://work.example", "%", ""])
_KEYS = st.sampled_from(
    (
        *("name", "context", "cluster", "user", "server", "token", "namespace", "exec", "command", "apiVersion"),
        *("tokenFile", "certificate-authority-data", "client-certificate-data", "auth-provider", "config"),
    )
)
_TREES = st.recursive(_VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3))
_KUBECONFIGS = st.fixed_dictionaries(
    {
        "current-context": st.just("work"),
        "contexts": st.just([{"name": "work", "context": {"cluster": "work", "user": "ada"}}]) | _TREES,
        "clusters": st.just([{"name": "work", "cluster": {"server": "https://work.example"}}])
        | st.builds(lambda cluster: [{"name": "work", "cluster": cluster}], _TREES)
        | _TREES,
        "users": st.builds(lambda user: [{"name": "ada", "user": user}], _TREES) | _TREES,
    }
)


@given(_KUBECONFIGS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_invalid_kubeconfig_gives_a_one_sentence_error(tmp_path: Path, content: dict[str, Any]) -> None:
    file = tmp_path / "any"
    file.write_text(json.dumps(content))
    complaint = "none"
    try:
        connect(Connection(str(file)))
    except ClusterError as error:
        complaint = error.message
    assert complaint
    assert "\n" not in complaint


def test_a_missing_file_is_reported_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match=r"kubeconfig /nowhere does not exist$"):
        connect(Connection("/nowhere"))
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(ClusterError, match="kubeconfig /nowhere does not exist; name one with --kubeconfig or KUBE"):
        connect(Connection())


@pytest.mark.parametrize(
    ("connection", "complaint"),
    [
        (Connection(context="x"), "has no context x; contexts: work, home"),
        (Connection(cluster="x"), "has no cluster x; clusters: work, home"),
        (Connection(user="x"), "has no user x; users: ada, bob"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(
    tmp_path: Path, connection: Connection, complaint: str
) -> None:
    with pytest.raises(ClusterError, match=complaint):
        connect(replace(connection, kubeconfig=kubeconfig(tmp_path)))


@pytest.mark.parametrize(
    ("script", "more", "complaint"),
    [
        (None, {}, "the login plugin no-such-login of user ada is not installed"),
        (
            None,
            {"installHint": "get it\n  from example"},
            "the login plugin no-such-login of user ada is not installed; get it from example",
        ),
        (
            "echo expired >&2; exit 3",
            {},
            "the login plugin {plugin} of user ada failed: exec: process returned 3. expired",
        ),
        ("echo nonsense", {}, "the login plugin {plugin} of user ada failed: exec: failed to decode process output: "),
        (
            """echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {}}'""",
            {},
            "the login plugin {plugin} of user ada failed: exec: missing token or clientCertificateData field",
        ),
    ],
)
def test_a_login_plugin_that_fails_ends_the_command(
    tmp_path: Path, script: str | None, more: dict[str, Any], complaint: str
) -> None:
    done = CliRunner().invoke(sync, ["status", "--kubeconfig", login(tmp_path, script, **more)])
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {complaint.format(plugin=tmp_path / 'login')}")


def test_a_login_plugin_s_token_is_used(tmp_path: Path) -> None:
    status = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}'
    api, _ = connect(Connection(login(tmp_path, f"echo '{status}'")))
    assert api.configuration.api_key == {"BearerToken": "Bearer t"}


def test_an_unreadable_certificate_is_reported(tmp_path: Path) -> None:
    cluster = {"server": "https://work.example", "certificate-authority-data": "abc"}
    broken = kubeconfig(tmp_path, clusters=[{"name": "work", "cluster": cluster}])
    with pytest.raises(ClusterError, match="the kubeconfig's cluster or user ada cannot be read: "):
        connect(Connection(broken))
