"""docs/decide.md: its commands, and how a decision comes to the Pod of the run that carries it out."""

import json
from pathlib import Path

from cluster.command_line import CommandLine
from cluster.namespace import Namespace, wait_for
from cluster.operator_process import OperatorProcess
from cluster.played_logs import PlayedLogs
from cluster.played_node import PlayedNode
from cluster.test_command_line_doc import WHY, timeless
from devcluster.toolchain import kubectl
from documentation.pages import Page, Scene, Shell, play
from tidegate.api.decisions import digest_of

PAGE = Page.read("docs/decide.md")


def waits(id_: int, field: str) -> dict[str, object]:
    return {"type": "parked", "object": "contact", "connector": "crm", "id": id_, "field": field, "reason": WHY}


def test_the_page_s_commands_print_what_it_shows(
    namespace: Namespace,
    node: PlayedNode,
    operator: OperatorProcess,
    logs: PlayedLogs,
    sync: CommandLine,
    tmp_path: Path,
) -> None:
    namespace.create_integration(status="ON", delay="5m")
    logs.say(1, waits(7, "phone"), waits(9, "name"), {"type": "end", "outcome": "complete", "parked": 2})
    node.end(1, message='{"waiting": 2}')
    namespace.wait_ended(1)
    shell = Shell.open(sync.kubeconfig, tmp_path, kubectl())

    def in_progress() -> None:
        namespace.wait_phase("Syncing")

    scenes = [Scene("kubectl sync decide contacts --id 7 --field phone --take crm", after=in_progress)]
    list(play(PAGE, shell, scenes, shown=lambda text: timeless(text.replace(namespace.name, "sales"))))


def test_a_decision_is_given_to_the_next_run_and_counts_as_handled_when_that_has_succeeded(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="5m", retries=0)
    node.end(1)
    namespace.wait_ended(1)
    decided = sync("decide", "contacts", "--object", "contact", "--connector", "crm", "--id", "7", "--take", "crm")
    assert decided.code == 0
    text = namespace.integration()["metadata"]["annotations"]["tidegate.dev/decisions"]
    assert [each["id"] for each in json.loads(text)] == [[7]]
    template = namespace.job(2)["spec"]["template"]
    assert template["metadata"]["annotations"]["tidegate.dev/decisions"] == text
    node.end(2, 1)
    namespace.wait_ended(2)
    assert "decisions" not in namespace.integration()["status"]["handled"]
    assert sync("run", "contacts").code == 0
    node.end(3)
    namespace.wait_ended(3)
    assert namespace.integration()["status"]["handled"]["decisions"] == digest_of(text)
    assert sync("run", "contacts").code == 0
    assert "tidegate.dev/decisions" not in namespace.job(4)["spec"]["template"]["metadata"]["annotations"]


def test_who_may_not_read_logs_decides_by_naming_the_object_and_the_connector(
    namespace: Namespace, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON")
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["tidegate.dev"], "resources": ["syncintegrations"], "verbs": ["get", "patch"]}]
    edits = {"apiVersion": f"{rbac}/v1", "metadata": {"name": "edit"}}
    namespace.create_object({**edits, "kind": "Role", "rules": rules})
    subjects = [{"apiGroup": rbac, "kind": "User", "name": "editor"}]
    role = {"apiGroup": rbac, "kind": "Role", "name": "edit"}
    namespace.create_object({**edits, "kind": "RoleBinding", "roleRef": role, "subjects": subjects})
    words = ("decide", "contacts", "--as", "editor", "--take", "crm", "--id", "7")
    unsure = sync(*words)
    assert unsure.code == 1
    assert "Warning: what waits is not known, because the logs cannot be read: " in unsure.err
    assert "Error: contacts: no field of record" in unsure.err
    assert "give --object and --connector" in unsure.err
    assert sync(*words, "--object", "contact", "--connector", "crm").code == 0


def test_decisions_that_cannot_be_read_are_refused_in_words_and_the_sync_goes_on(
    namespace: Namespace, node: PlayedNode, operator: OperatorProcess, sync: CommandLine
) -> None:
    namespace.create_integration(status="ON", delay="5m")
    node.end(1)
    namespace.wait_ended(1)
    namespace.annotate(decisions="yes")
    words = "no decision of the annotation tidegate.dev/decisions is carried out: it is not JSON"
    namespace.wait_until("the refusal", lambda status: words in status.get("message", ""))
    wait_for("the Event", lambda: [event for event in namespace.events() if event["reason"] == "DecisionsRefused"])
    assert sync("run", "contacts").code == 0
    node.end(2)
    namespace.wait_ended(2)
