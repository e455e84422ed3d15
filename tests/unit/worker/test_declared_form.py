"""What the API server takes as `spec.sync` means the same to the worker as the shorter form, and mistakes are named."""

from typing import Any

import pytest

from tidegate.worker.config.declared_form import shorter_form

from .declared_form import declared
from .test_config import COMPLAINTS, CONFIG, changed, complaints, parsed

DECLARED: dict[str, Any] = declared(CONFIG)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        changed("objects/0/conflict", "erp"),
        changed("objects/0/fields/1/normalize", "digits"),
        changed("objects/0/fields/1/direction", "to-erp"),
    ],
)
def test_the_declared_form_means_the_same_as_the_shorter_form(config: dict[str, Any]) -> None:
    assert parsed(declared(config)) == parsed(config)


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, value, _ in COMPLAINTS],
    ids=[f"{p}={v!r}"[:60] for p, v, _ in COMPLAINTS],
)
def test_both_forms_are_refused_with_the_same_message(path: str, value: Any) -> None:
    config = changed(path, value)
    assert complaints(declared(config)) == complaints(config)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sides": "both"}, "object contact: sides must be a mapping"),
        ({"crm": {"table": "person", "id": "id"}}, "object contact: crm is both under sides and beside it"),
        ({"fields": [{"names": ["email"]}]}, "object contact, field 1: names must be a mapping"),
        (
            {"fields": [{"names": {"crm": "email", "erp": "mail"}, "crm": "mail"}]},
            "object contact, field 1: crm is both under names and beside it",
        ),
    ],
)
def test_a_misplaced_setting_is_named(change: dict[str, Any], complaint: str) -> None:
    (contact,) = DECLARED["objects"]
    assert complaint in complaints({**DECLARED, "objects": [contact | change]})


def test_an_object_in_the_shorter_form_is_found() -> None:
    (contact,) = DECLARED["objects"]
    mixed = {**contact, "name": "person", "fields": [*contact["fields"], {"crm": "fax", "erp": "fax"}]}
    assert shorter_form(DECLARED) == []
    assert shorter_form(CONFIG) == ["object contact"]
    assert shorter_form({**DECLARED, "objects": [contact, mixed]}) == ["object person"]
