"""What the API server refuses in `spec.sync`, in words that say what is allowed, and what it explains."""

import copy
import json
import subprocess
from typing import Any

import pytest
import yaml

from cluster.namespace import API_VERSION, KIND, NAME, Namespace
from devcluster.cluster import Cluster
from devcluster.toolchain import kubectl
from documentation.pages import Page

SYNC: dict[str, Any] = {
    "connectors": {
        "crm": {"type": "http", "baseUrl": {"env": "CRM"}, "auth": {"bearer": {"env": "TOKEN"}}},
        "erp": {"type": "sql", "url": "postgresql://erp.example/erp"},
    },
    "objects": [
        {
            "name": "company",
            "sides": {"crm": {"path": "/companies", "id": "id"}, "erp": {"table": "company", "id": "id"}},
            "match": ["name"],
            "fields": [{"names": {"crm": "name", "erp": "name"}, "match": "casefold"}],
        },
        {
            "name": "contact",
            "sides": {
                "crm": {"path": "/contacts", "id": "id", "cursor": "updatedAt", "find": {"email": "{email}"}},
                "erp": {"table": "contact", "id": "id", "cursor": "updated_at", "staleFor": "1m"},
            },
            "match": ["email"],
            "fields": [
                {"names": {"crm": "email", "erp": "mail"}, "normalize": ["casefold"]},
                {"names": {"crm": "score", "erp": "score"}, "direction": "to-erp"},
                {"names": {"crm": "company", "erp": "company_id"}, "ref": "company"},
                {
                    "names": {"crm": "stage", "erp": "phase"},
                    "map": [{"crm": "new", "erp": 1}, {"crm": "old", "erp": 2.5}],
                },
                {"names": {"erp": "origin"}, "constant": "crm"},
            ],
            "conflict": "newest",
            "writes": {"erp": ["create", "update"]},
        },
    ],
    "safety": {"maxDeletes": {"percent": 5}},
    "overlap": "1m",
}

MISSING = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    sync = copy.deepcopy(SYNC)
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = sync
    for part in way:
        place = place[part]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return sync


def apply(control_plane: Cluster, namespace: Namespace, *options: str, **spec: Any) -> subprocess.CompletedProcess[str]:
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": NAME}, "spec": {"status": "OFF", **spec}}
    command = [str(kubectl()), f"--kubeconfig={control_plane.kubeconfig}", f"--namespace={namespace.name}"]
    return subprocess.run(
        [*command, "apply", "--filename=-", *options],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
    )


CONTACT = "objects/1"
NO_FIELD = "Invalid value: each name in match must be the name of exactly one field of the object"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # Misspelt
        ("conectors", {}, 'unknown field "spec.sync.conectors"'),
        ("connectors/erp/urls", "x", 'unknown field "spec.sync.connectors.erp.urls"'),
        (f"{CONTACT}/conflcit", "erp", 'unknown field "spec.sync.objects[1].conflcit"'),
        (f"{CONTACT}/sides/erp/tabel", "x", 'unknown field "spec.sync.objects[1].sides.erp.tabel"'),
        (f"{CONTACT}/fields/0/normalise", ["trim"], 'unknown field "spec.sync.objects[1].fields[0].normalise"'),
        (f"{CONTACT}/crm", {}, 'unknown field "spec.sync.objects[1].crm"'),
        ("safety/maxDelete", 5, 'unknown field "spec.sync.safety.maxDelete"'),
        # Values
        (f"{CONTACT}/deletes", "copy", 'supported values: "unlink", "propagate"'),
        (
            f"{CONTACT}/fields/0/normalize",
            ["lower"],
            'supported values: "casefold", "accents", "trim",',
        ),
        ("safety/maxDeletes/percent", 120, "should be less than or equal to 100"),
        ("overlap", "soon", "must be a duration of zero or more, such as 30s, 5m or 1h30m"),
        (f"{CONTACT}/sides/erp/staleFor", 5, "must be of type string"),
        (f"{CONTACT}/sides/crm/update", "GET", 'supported values: "PATCH", "PUT"'),
        ("connectors/erp/type", "slq", "type must be file, http or sql; a connector that another package offers has "),
        ("connectors/crm/auth", {"bearer": {"env": "X"}, "header": {"name": "X", "value": {"env": "X"}}}, "at most 1 "),
        # Missing, and too many
        ("connectors", MISSING, "spec.sync.connectors: Required value"),
        ("connectors/erp", MISSING, "should have at least 2 properties"),
        ("connectors/sap", {"type": "sql", "url": "x"}, "must have at most 2 items"),
        ("connectors/erp/url", MISSING, "spec.sync.connectors.erp.url: Required value"),
        ("connectors/crm/baseUrl", MISSING, "spec.sync.connectors.crm.baseUrl: Required value"),
        ("connectors/erp/type", MISSING, "spec.sync.connectors.erp.type: Required value"),
        ("objects", [], "should have at least 1 items"),
        (f"{CONTACT}/name", MISSING, "spec.sync.objects[1].name: Required value"),
        (f"{CONTACT}/name", "company", "spec.sync.objects[1]: Duplicate value"),
        (f"{CONTACT}/sides", MISSING, "spec.sync.objects[1].sides: Required value"),
        (f"{CONTACT}/match", [], "should have at least 1 items"),
        (f"{CONTACT}/fields/0/names", MISSING, "spec.sync.objects[1].fields[0].names: Required value"),
        (f"{CONTACT}/sides/erp/table", MISSING, "in objects, a side of type sql needs table, id, and may have "),
        (f"{CONTACT}/sides/crm/id", MISSING, "spec.sync.objects[1].sides.crm.id: Required value"),
        # Of another type
        ("connectors/erp/auth", {"bearer": {"env": "X"}}, "type sql needs url, and may have timezone"),
        (
            f"{CONTACT}/sides/erp/paging",
            {"none": {}},
            "in objects, a side of type sql needs table, id, and may have ",
        ),
        # Names
        (
            "connectors",
            {"2nd": {"type": "sql", "url": "x"}, "erp": {"type": "sql", "url": "x"}},
            "begins with a letter",
        ),
        (
            "connectors",
            {"park": {"type": "sql", "url": "x"}, "erp": {"type": "sql", "url": "x"}},
            "and is not conflict",
        ),
        (
            f"{CONTACT}/sides",
            {"crm": {"path": "/c", "id": "id"}, "sap": {"table": "c", "id": "id"}},
            "sides of an object must have the names of the two connectors",
        ),
        (
            f"{CONTACT}/fields/1/names",
            {"crm": "score", "sap": "score"},
            "names of a field must be under the names of the connectors",
        ),
        (f"{CONTACT}/fields/1/names", {"crm": "score"}, "names in body should have at least 2 properties"),
        (f"{CONTACT}/writes", {"sap": []}, "writes of an object must be under the names of the connectors"),
        (f"{CONTACT}/conflict", "sap", "conflict of an object must be newest, park or a connector's name"),
        (
            f"{CONTACT}/fields/1/direction",
            "to-sap",
            "direction of a field must be to- and a connector's ",
        ),
        (f"{CONTACT}/fields/2/ref", "compnay", "ref of a field must be the name of one of the objects"),
        (f"{CONTACT}/match", ["email", "emial"], f"spec.sync.objects[1].match: {NO_FIELD}"),
        (f"{CONTACT}/match", ["origin"], f"spec.sync.objects[1].match: {NO_FIELD}"),
        (f"{CONTACT}/fields/1/names/erp", "email", f"spec.sync.objects[1].match: {NO_FIELD}"),
        # Without a cursor
        (f"{CONTACT}/sides/erp/cursor", MISSING, "conflict newest of an object needs a cursor on both sides"),
        ("objects/0/conflict", "newest", "conflict newest of an object needs a cursor on both sides"),
    ],
)
def test_an_error_is_reported_with_its_field(
    control_plane: Cluster, namespace: Namespace, path: str, value: Any, words: str
) -> None:
    answer = apply(control_plane, namespace, sync=changed(path, value))
    assert answer.returncode != 0
    assert words in answer.stderr
    assert namespace.find(API_VERSION, KIND, NAME) is None


def test_a_valid_sync_is_stored_unchanged(control_plane: Cluster, namespace: Namespace) -> None:
    answer = apply(control_plane, namespace, sync=SYNC)
    assert answer.returncode == 0, answer.stderr
    assert namespace.integration()["spec"]["sync"] == SYNC


def test_a_map_entry_may_be_null(control_plane: Cluster, namespace: Namespace) -> None:
    """Without --server-side, kubectl leaves null out of what it sends."""
    sync = changed("objects/1/fields/3/map/1/erp", None)
    answer = apply(control_plane, namespace, "--server-side", sync=sync)
    assert answer.returncode == 0, answer.stderr
    assert namespace.integration()["spec"]["sync"] == sync


PAGES = [Page.read(f"docs/{name}.md") for name in ("sync", "apis")]
BLOCKS = [yaml.safe_load(text) for page in PAGES for text in page.blocks("yaml")]
SHOWN = [block for block in BLOCKS if block.keys() >= {"connectors", "objects"}]


@pytest.mark.parametrize("sync", SHOWN, ids=[str(n) for n, _ in enumerate(SHOWN, 1)])
def test_every_configuration_on_the_pages_is_accepted(
    control_plane: Cluster, namespace: Namespace, sync: dict[str, Any]
) -> None:
    answer = apply(control_plane, namespace, sync=sync)
    assert answer.returncode == 0, answer.stderr
    assert namespace.integration()["spec"]["sync"] == sync


def test_match_may_name_a_field_as_either_connector_does(control_plane: Cluster, namespace: Namespace) -> None:
    answer = apply(control_plane, namespace, sync=changed(f"{CONTACT}/match", ["mail", "score"]))
    assert answer.returncode == 0, answer.stderr


def test_the_rules_can_be_checked_of_as_much_as_may_be_written(control_plane: Cluster, namespace: Namespace) -> None:
    """The API server stops at a cost limit, and then refuses what it has not checked."""
    fields = [
        {"names": {"a": f"a{n}", "b": f"b{n}"}} | ({"ref": "object-127"} if n in range(16, 96) else {})
        for n in range(256)
    ]
    side = {"table": "t", "id": "id", "cursor": "at"}
    item = {"sides": {"a": side, "b": side}, "match": [f"b{n}" for n in range(16)], "conflict": "newest"}
    sync = {
        "connectors": {name: {"type": "sql", "url": "x"} for name in "ab"},
        "objects": [{"name": f"object-{n}", **item, "fields": fields} for n in range(128)],
    }
    answer = apply(control_plane, namespace, "--server-side", sync=sync)
    assert answer.returncode == 0, answer.stderr


def test_a_third_party_connector_has_free_form_settings(control_plane: Cluster, namespace: Namespace) -> None:
    sync = changed("connectors/crm", {"type": "acme", "settings": {"site": {"of": ["any", {"form": 1.5}]}}})
    for item in sync["objects"]:
        item["sides"]["crm"] = {"settings": {"list": item["name"]}}
    answer = apply(control_plane, namespace, sync=sync)
    assert answer.returncode == 0, answer.stderr
    assert namespace.integration()["spec"]["sync"] == sync


def test_a_custom_worker_has_a_free_form_configuration(control_plane: Cluster, namespace: Namespace) -> None:
    config = {"path1": "a", "flags": ["x"], "Tables": {"n": 1.5}}
    assert apply(control_plane, namespace, config=config).returncode == 0
    assert namespace.integration()["spec"]["config"] == config
    both = apply(control_plane, namespace, config=config, sync=SYNC)
    assert "write sync for the built-in worker, or config for one of your own, and not both" in both.stderr


@pytest.mark.parametrize(
    "path",
    [
        "", "connectors", "connectors.auth", "connectors.auth.oauth2", "objects", "objects.sides",
        "objects.sides.paging", "objects.sides.where", "objects.fields", "safety", "safety.maxDeletes", "pace",
    ],
)  # fmt: skip
def test_explain_describes_every_setting(control_plane: Cluster, path: str) -> None:
    command = [
        str(kubectl()),
        f"--kubeconfig={control_plane.kubeconfig}",
        "explain",
        f"sync.spec.sync.{path}".strip("."),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "<no description>" not in answer.stdout
