"""`kubectl sync` as a client of a cluster in which no operator runs: whom it acts on, as whom, and what it prints."""

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.command_line import CommandLine
from cluster.namespace import Namespace
from cluster.operator_process import OperatorProcess
from devcluster.certificates import Authority
from devcluster.cluster import Cluster
from devcluster.toolchain import kubectl
from tidegate.cli.decisions.integration import NOT_PICKED_UP

RESET_REQUEST = "tidegate.dev/reset-requested-at"


def test_without_an_operator_no_outcome_is_promised(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    assert sync("run", "contacts").out == f"contacts: requested run 1, to start at once; {NOT_PICKED_UP}\n"


def test_a_missing_operator_is_reported_while_waiting(
    control_plane: Cluster, namespace: Namespace, sync: CommandLine, tmp_path: Path
) -> None:
    namespace.create_integration(status="ON")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear(NOT_PICKED_UP)
    with OperatorProcess(control_plane.kubeconfig, namespace.name, tmp_path / "operator.log"):
        done = turning_off.end()
    assert done.code == 0, done.err


def test_a_wait_ends_after_its_timeout(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    late = sync("off", "contacts", "--wait", "--timeout", "300ms")
    assert late.code == 4
    assert f"Error: contacts: timed out after 300ms: {NOT_PICKED_UP}" in late.err


def test_a_wait_ends_when_the_sync_is_deleted(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    turning_off = sync.start("off", "contacts", "--wait")
    turning_off.hear_out("turning OFF")
    namespace.delete("tidegate.dev/v1alpha1", "SyncIntegration", "contacts")
    namespace.create_integration(status="OFF")  # another one of the same name
    gone = turning_off.end()
    assert (gone.code, gone.err) == (5, "Error: contacts: deleted while waiting\n")


def test_a_selector_or_all_selects_several_syncs(namespace: Namespace, sync: CommandLine) -> None:
    for name in ("orders", "people"):
        namespace.create_integration(name, status="ON")
    label = {"metadata": {"labels": {"team": "sales"}}}
    patch = ["patch", "sync", "people", f"--namespace={namespace.name}", "--type=merge", f"--patch={json.dumps(label)}"]
    subprocess.run([kubectl(), *patch], env=sync.environment(), check=True, capture_output=True)
    assert sync("off").code == 2, "to act on all takes --all"
    assert sync("off", "-l", "team=sales").out.startswith("people: turning OFF")
    assert [line.split(":")[0] for line in sync("off", "--all").out.splitlines()] == ["orders", "people"]
    everywhere = sync("status", "-A", "-l", "team=sales").out.splitlines()
    assert everywhere[0].startswith("NAMESPACE ")
    assert any(line.split()[:3] == [namespace.name, "people", "OFF"] for line in everywhere[1:])


def test_a_reset_asks_for_confirmation(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    refused = sync("reset", "contacts")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[-1] == (
        "Error: This deletes all cached data of contacts; the next full sync reads all records as if for the first "
        "time: without a terminal, confirm with --yes"
    )
    with sync.terminal("reset", "contacts") as terminal:
        terminal.see("This deletes all cached data of contacts; ")
        terminal.see("Continue? [y/N]")
        terminal.type("\r")
        terminal.see("Nothing was changed.")
        assert terminal.end() == 1
    assert RESET_REQUEST not in namespace.integration()["metadata"].get("annotations", {})
    with sync.terminal("reset", "contacts") as terminal:
        terminal.see("Continue? [y/N]")
        terminal.type("y\r")
        assert terminal.end() == 0
    before = namespace.integration()["metadata"]["annotations"][RESET_REQUEST]
    assert sync("reset", "contacts", "--yes").code == 0
    assert namespace.integration()["metadata"]["annotations"][RESET_REQUEST] > before


@pytest.mark.parametrize("command", ["on", "off", "run", "reset"])
def test_a_change_in_all_namespaces_asks_for_confirmation(
    namespace: Namespace, sync: CommandLine, command: str
) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        namespace.create_integration(name, status="ON" if command != "on" else "OFF")
    refused = sync(command, "--all", "-A")
    assert (refused.code, refused.out) == (2, "")
    assert "SyncIntegrations" in refused.err
    assert "without a terminal, confirm with --yes" in refused.err
    with sync.terminal(command, "--all", "-A") as terminal:
        terminal.see(" SyncIntegrations")
        terminal.see("Continue? [y/N]")
        terminal.type("n\r")
        assert terminal.end() == 1
    assert {namespace.integration(name)["metadata"]["generation"] for name in ("a", "f")} == {1}


def test_an_error_on_one_sync_does_not_stop_the_others(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    done = sync("off", "nobody", "contacts")
    assert done.code == 5
    assert done.out.startswith("contacts: turning OFF")
    assert done.err == f'Error: no SyncIntegration "nobody" in namespace {namespace.name}\n'


def test_a_sync_in_another_namespace_is_suggested(
    control_plane: Cluster, namespace: Namespace, sync: CommandLine
) -> None:
    namespace.create_integration("people-here", status="ON")
    with Namespace.create(control_plane.kubeconfig, "elsewhere") as other:
        missing = CommandLine.open(control_plane.kubeconfig, other.name, sync.kubeconfig.parent)(
            "status", "people-here"
        )
    assert missing.code == 5
    assert missing.err == (
        f'Error: no SyncIntegration "people-here" in namespace {other.name}; there is one in {namespace.name}: '
        f"add -n {namespace.name}\n"
    )


def test_an_empty_result_names_its_namespace(namespace: Namespace, sync: CommandLine) -> None:
    for command in (["status"], ["off", "--all"], ["run", "-l", "team=sales"]):
        none = sync(*command)
        assert (none.code, none.out, none.err) == (0, "", f"No SyncIntegrations found in {namespace.name} namespace.\n")
    assert sync("status", "-A", "-l", "team=nobody").err == "No SyncIntegrations found.\n"


def test_output_name_prints_names_that_kubectl_accepts(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    (name,) = sync("status", "-o", "name").out.split()
    assert sync("off", name).out.startswith("contacts: turning OFF")
    assert sync("status", "sync/contacts").code == 0


def test_the_options_as_and_as_group_impersonate_a_user(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    forbidden = sync("status", "contacts", "--as", "guest")
    assert (forbidden.code, 'User "guest" cannot get' in forbidden.err) == (1, True)
    for groups in (["system:masters"], ["nobody", "system:masters"]):
        flags = [flag for group in groups for flag in ("--as-group", group)]
        assert sync("status", "contacts", "--as", "guest", *flags).code == 0
    assert sync("--as", "guest", "status", "contacts").code == 1, "the options may come first"


def test_objects_are_printed_like_kubectl_prints_them(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    done = sync("off", "contacts", "-o", "json")
    printed = json.loads(done.out)
    assert (printed["spec"]["status"], "managedFields" in printed["metadata"]) == ("OFF", False)
    assert done.err == f"contacts: turning OFF: no run is in progress, and none will start; {NOT_PICKED_UP}\n"
    (listed,) = yaml.safe_load(sync("status", "-o", "yaml").out)["items"]
    assert listed["metadata"]["name"] == "contacts"
    assert sync("status", "-o", "name").out == "syncintegration.tidegate.dev/contacts\n"


def test_a_missing_right_is_reported_with_the_api_server_s_message(
    control_plane: Cluster, namespace: Namespace, sync: CommandLine, tmp_path: Path
) -> None:
    namespace.create_integration(status="ON")
    rules = [{"apiGroups": ["tidegate.dev"], "resources": ["syncintegrations"], "verbs": ["get", "list", "watch"]}]
    namespace.create_object(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "look"}, "rules": rules}
    )
    namespace.create_object(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "look"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "guest"}],
        }
    )
    authority = Authority(control_plane.directory / "pki")
    server = json.loads(control_plane.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    kubeconfig = authority.kubeconfig(tmp_path / "guest", server, authority.client("guest"))
    guest = CommandLine.open(kubeconfig, namespace.name, tmp_path)
    assert guest("status", "contacts").code == 0
    forbidden = guest("off", "contacts")
    assert forbidden.code == 1
    assert 'Error: contacts: syncintegrations.tidegate.dev "contacts" is forbidden: User "guest" cannot patch' in (
        forbidden.err
    )


def test_the_owner_s_source_is_named(namespace: Namespace, sync: CommandLine) -> None:
    tracking = {"argocd.argoproj.io/tracking-id": "shop:tidegate.dev/SyncIntegration:sales/contacts"}
    namespace.create_integration(annotations=tracking, status="ON")
    assert sync("off", "contacts").err == (
        "Warning: contacts: the Argo CD Application shop will revert this change; in its source, set in the spec of "
        "contacts: status: OFF\n"
    )


def test_an_unreachable_cluster_is_reported_on_one_line(sync: CommandLine) -> None:
    content = json.loads(sync.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    sync.kubeconfig.write_text(json.dumps(content))
    failed = sync("status")
    assert failed.code == 1
    assert failed.err.startswith("Error: the API server cannot be reached: ")
    assert len(failed.err.splitlines()) == 1
    assert sync("status", "--context", "x").err.endswith("has no context x; contexts: tidegate\n")


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that accepts connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


def test_an_unresponsive_api_server_is_reported_quickly(sync: CommandLine) -> None:
    content = json.loads(sync.kubeconfig.read_text())
    with silent_server() as address:
        content["clusters"][0]["cluster"]["server"] = address
        sync.kubeconfig.write_text(json.dumps(content))
        failed = sync("status", "--request-timeout", "1s")
        assert (failed.code, failed.out) == (1, "")
        (line,) = failed.err.splitlines()
        assert line.startswith("Error: the API server cannot be reached: it did not answer in time (")
        asking = sync.start("status", "--request-timeout", "0")
        asking.hear(f"waiting for the API server {address} …")
        asking.interrupt()
        assert asking.end().code == 130


def test_kubectl_runs_and_completes_the_plugin(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")

    def typed(*arguments: str) -> list[str]:
        command = [str(kubectl()), *arguments]
        done = subprocess.run(command, env=sync.environment(), check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    assert typed("sync", "status", "contacts", "--output=name") == ["syncintegration.tidegate.dev/contacts"]
    assert "off\tTurn syncs OFF when the running run has finished" in typed("__complete", "sync", "of")
    assert "contacts\tON, not seen yet" in typed("__complete", "sync", "on", "c")
    assert ":4" in typed("__complete", "sync", "on", "c")
    assert "--future-only" in " ".join(typed("__complete", "sync", "on", "--f"))
    assert namespace.name in typed("__complete", "sync", "status", "-n", namespace.name[:5])
    assert "tidegate" in typed("__complete", "sync", "status", "--context", "")


def test_options_of_the_connection_may_come_first(namespace: Namespace, sync: CommandLine) -> None:
    namespace.create_integration(status="ON")
    assert sync("-n", namespace.name, "status", "-o", "name").out == "syncintegration.tidegate.dev/contacts\n"
    assert sync("-n", "default", "status", "-o", "name").out == ""
    assert sync("-n", "default", "status", "-n", namespace.name, "-o", "name").out.endswith("/contacts\n")
