"""A check, by `tidegate-worker check` and by a run that is asked for one; and `tidegate-worker run`."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.api.contract import ExitCode
from tidegate.worker.commands.check import print_check
from tidegate.worker.commands.manifest import read_sync, read_variables
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.main import main

from .databases import Databases, Ended
from .declared_form import declared


def manifest(databases: Databases, name: str = "contacts", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "SyncIntegration",
        "metadata": {"name": name},
        "spec": {"status": "ON", "sync": declared(databases.config(**changes))},
    }


def written(databases: Databases, *manifests: object) -> Path:
    path = databases.directory / "contacts.yaml"
    path.write_text(yaml.safe_dump_all(manifests))
    return path


def checked(databases: Databases, **changes: Any) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    text = read_sync(written(databases, manifest(databases, **changes)))
    code = print_check(text, {}, out, lambda: False, as_json=True)
    return code, json.loads(out.getvalue())


class TestCheck:
    def test_shows_how_a_page_of_each_side_was_interpreted_and_writes_nothing(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"), ("b@x", None))
        before = databases.everything()
        code, found = checked(databases)
        crm, erp = found["read"]
        assert (code, found["fits"], found["complaints"]) == (ExitCode.COMPLETE, True, [])
        assert (crm["connector"], crm["records"], crm["more"], crm["ids"]) == ("crm", 2, False, [1, 2])
        assert {field["name"]: (field["filled"], field["empty"]) for field in crm["fields"]} == {
            "email": (2, 0), "name": (1, 1), "phone": (0, 2),
        }  # fmt: skip
        assert (erp["connector"], erp["records"]) == ("erp", 0)
        assert databases.everything() == before
        assert list(databases.cache.iterdir()) == []

    def test_says_that_a_page_is_only_a_part(self, databases: Databases) -> None:
        databases.add("erp", *[(f"p{n}@x", "name") for n in range(101)])
        _, found = checked(databases)
        assert [(side["records"], side["more"]) for side in found["read"]] == [(0, False), (100, True)]

    def test_reports_all_errors_at_once(self, databases: Databases) -> None:
        code, found = checked(databases, crm={"table": "people", "id": "id"}, erp={"table": "contact", "id": "nr"})
        assert code == ExitCode.CONFIGURATION_ERROR
        assert found["complaints"] == [
            "object contact, connector crm: there is no table people; the database has clock, contact",
            "object contact, connector erp: id: table contact has no column nr; it has id, email, name, phone, version",
        ]


class TestARunThatIsAskedForACheck:
    def check(self, databases: Databases, **more: Any) -> Ended:
        return databases.run(push=False, environment={"SYNC_PLAN": "true", "SYNC_CHECK": "true"}, **more)

    def test_reports_that_all_fits_and_shows_a_page_in_its_log(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"), ("b@x", None))
        before = databases.everything()
        ended = self.check(databases)
        assert (ended.code, ended.message["plan"]) == (0, {"first": False, "sides": [], "wouldHalt": []})
        crm, erp = (line for line in ended.lines if line["type"] == "checked")
        assert crm["text"].splitlines() == [
            "contact in crm: 2 records read, which is all; ids 1, 2",
            "    email (TEXT): 2 filled",
            "    name (TEXT): 1 filled, 1 empty",
            "    phone (TEXT): 2 empty",
        ]
        assert (erp["connector"], erp["records"], erp["fields"][0]["name"]) == ("erp", 0, "email")
        assert databases.everything() == before
        assert list(databases.cache.iterdir()) == []

    def test_reports_all_that_does_not_fit_as_what_it_has_found(self, databases: Databases) -> None:
        ended = self.check(databases, crm={"table": "people", "id": "id"}, erp={"table": "contact", "id": "nr"})
        complaints = [
            "object contact, connector crm: there is no table people; the database has clock, contact",
            "object contact, connector erp: id: table contact has no column nr; it has id, email, name, phone, version",
        ]
        assert (ended.code, ended.message["outcome"]) == (0, "complete")
        assert ended.message["plan"]["wouldHalt"] == complaints
        assert [line["reason"] for line in ended.lines if line["type"] == "complaint"] == complaints

    def test_says_how_much_its_message_leaves_out_and_its_log_has_the_rest(self, databases: Databases) -> None:
        config = databases.config()
        (contact,) = config["objects"]
        nowhere = [{**contact, "name": f"o{n}", "crm": {"table": f"nothing{n}", "id": "id"}} for n in range(12)]
        ended = self.check(databases, config={**config, "objects": nowhere})
        complaints = [line["reason"] for line in ended.lines if line["type"] == "complaint"]
        assert (len(complaints), len(ended.message["plan"]["wouldHalt"])) == (12, 8)
        assert ended.message["reason"] == "12 complaints, and the log has each"

    def test_ends_with_sigterm_as_a_plan_does(self, databases: Databases) -> None:
        assert self.check(databases, interrupted=lambda: True).code in (ExitCode.PAUSED, ExitCode.COMPLETE)

    def test_never_is_a_run_that_syncs(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"))
        before = databases.everything()
        ended = databases.run(environment={"SYNC_CHECK": "true"})
        assert ended.code == ExitCode.CONFIGURATION_ERROR
        assert "SYNC_CHECK needs SYNC_PLAN=true" in ended.message["reason"]
        assert databases.everything() == before


_HEAD = "apiVersion: tidegate.dev/v1alpha1\nkind: SyncIntegration\nmetadata: {name: a}\n"

MISTAKES: list[tuple[str, str]] = [
    ("a: {", "line 1 is not YAML: "),
    ("a: b\n", "has no SyncIntegration: write the manifest as you would apply it"),
    (_HEAD, "spec is missing"),
    (
        _HEAD + "spec: {status: MAYBE, sync: {}}\n",
        "spec: status",
    ),
    (
        _HEAD + "spec: {status: ON, snyc: {}}\n",
        "spec: snyc is not known, and `kubectl apply` drops it",
    ),
    (
        _HEAD + "spec: {status: ON}\n",
        "spec: sync is missing: it is the configuration of the built-in worker",
    ),
]


class TestTheManifest:
    @pytest.mark.parametrize(("text", "words"), MISTAKES)
    def test_that_is_invalid_is_refused_with_a_message(self, tmp_path: Path, text: str, words: str) -> None:
        path = tmp_path / "contacts.yaml"
        path.write_text(text)
        with pytest.raises(ConfigurationError) as refused:
            read_sync(path)
        assert words in str(refused.value)

    def test_that_is_missing_is_named_with_the_reason(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError) as refused:
            read_sync(tmp_path / "contacts.yaml")
        assert str(refused.value) == f"{tmp_path}/contacts.yaml cannot be read: No such file or directory"

    def test_is_selected_by_name_among_several(self, databases: Databases) -> None:
        path = written(
            databases, manifest(databases, "a"), manifest(databases, "b", conflict="crm"), {"kind": "Secret"}
        )
        assert json.loads(read_sync(path, "b"))["objects"][0]["conflict"] == "crm"
        with pytest.raises(ConfigurationError, match="choose one with --name a or b"):
            read_sync(path)
        with pytest.raises(ConfigurationError, match="has no SyncIntegration c; it has a, b"):
            read_sync(path, "c")

    def test_gets_variables_from_a_file_and_a_malformed_line_is_not_shown(self, tmp_path: Path) -> None:
        path = tmp_path / "variables"
        path.write_text("# for crm\n\nCRM_URL=sqlite:///crm.db?a=b\n")
        assert read_variables(path) == {"CRM_URL": "sqlite:///crm.db?a=b"}
        path.write_text("secret words\n")
        with pytest.raises(ConfigurationError) as refused:
            read_variables(path)
        assert str(refused.value) == f"{path}, line 1: write NAME=VALUE"


class TestALocalRun:
    def test_that_is_read_only_writes_nothing(self, databases: Databases, capsys: pytest.CaptureFixture[str]) -> None:
        databases.add("crm", ("a@x", "Ada"))
        path = written(databases, manifest(databases))
        assert main(["run", str(path), "--read-only"]) == ExitCode.COMPLETE
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["read"] == {"crm": 1, "erp": 0}
        assert databases.contacts("erp") == []

    def test_with_a_cache_remembers_what_the_last_run_has_read(
        self, databases: Databases, capsys: pytest.CaptureFixture[str]
    ) -> None:
        databases.add("crm", ("a@x", "Ada"))
        command = ["run", str(written(databases, manifest(databases))), "--cache", str(databases.directory / "kept")]
        assert [main(command), main(command)] == [ExitCode.COMPLETE] * 2
        ends = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"type": "end"' in line]
        assert [(end["run"], end["changed"]["crm"]) for end in ends] == [(1, 1), (2, 0)]
        assert databases.contacts("erp") == [("a@x", "Ada", None)]


def test_a_manifest_that_kubectl_apply_would_refuse_is_refused_here_too(databases: Databases) -> None:
    older = manifest(databases)
    older["spec"]["sync"] = databases.config()
    with pytest.raises(ConfigurationError, match="object contact: `kubectl apply` takes the two connectors' settings"):
        read_sync(written(databases, older))
    older["spec"]["config"] = older["spec"]["sync"]
    with pytest.raises(ConfigurationError, match="write sync for the built-in worker, or config for one of your own"):
        read_sync(written(databases, older))
    del older["spec"]["sync"]
    text = read_sync(written(databases, older))
    assert print_check(text, {}, io.StringIO(), lambda: False, as_json=False) == ExitCode.COMPLETE
