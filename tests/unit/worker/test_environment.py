"""What the operator orders, by environment variables: read whole, or refused with every one that does not fit."""

from pathlib import Path

import pytest

from tidegate.worker.cache.object_resets import ObjectReset
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.run import environment
from tidegate.worker.run.environment import Order

VARIABLES = {
    "SYNC_PROTOCOL": "1", "SYNC_NAME": "crm-to-billing", "SYNC_NAMESPACE": "sales", "SYNC_UID": "5f0c7a52",
    "SYNC_RUN": "7", "SYNC_SCOPE": "changes", "SYNC_PUSH": "true",
    "SYNC_CACHE_DIR": "/sync/cache", "SYNC_CACHE_EPOCH": "2", "SYNC_CONFIG": "/sync/config/sync.json",
}  # fmt: skip


def test_a_run_request_is_read_from_the_environment() -> None:
    order = Order(7, "changes", True, Path("/sync/cache"), "2", Path("/sync/config/sync.json"))
    assert environment.read(VARIABLES) == order


def test_one_halted_run_is_approved() -> None:
    assert environment.read({**VARIABLES, "SYNC_APPROVED": "6"}).approved == 6
    assert environment.read({**VARIABLES, "SYNC_APPROVED": "6", "SYNC_ALLOW_DELETES": "5"}).approved == 6
    assert environment.read({**VARIABLES, "SYNC_ALLOW_DELETES": "6"}).approved == 6
    assert environment.read({**VARIABLES, "SYNC_APPROVED": ""}).approved is None


def test_an_approval_is_asked_for() -> None:
    assert environment.read({**VARIABLES, "SYNC_APPROVAL": "always"}).asks_approval
    assert not environment.read(VARIABLES).asks_approval


def test_decisions_come_in_a_file() -> None:
    order = environment.read({**VARIABLES, "SYNC_DECISIONS": "/sync/config/decisions.json"})
    assert order.decisions == Path("/sync/config/decisions.json")
    assert environment.read({**VARIABLES, "SYNC_DECISIONS": ""}).decisions is None


def test_objects_are_reset() -> None:
    asked = '[{"object": "contact", "began": "2026-11-24T11:59:00.000000Z", "push": false}]'
    order = environment.read({**VARIABLES, "SYNC_RESET_OBJECTS": asked})
    assert order.resets == (ObjectReset("contact", "2026-11-24T11:59:00.000000Z", push=False),)
    assert environment.read({**VARIABLES, "SYNC_RESET_OBJECTS": ""}).resets == ()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SYNC_RESET_OBJECTS", "contact", "SYNC_RESET_OBJECTS must be a list of JSON objects, not 'contact'"),
        (
            "SYNC_RESET_OBJECTS",
            '[{"object": "a"}]',
            'SYNC_RESET_OBJECTS must have object, began and push, not \'[{"object": "a"}]\'',
        ),
        ("SYNC_PROTOCOL", "2", "SYNC_PROTOCOL must be 1, not '2'"),
        ("SYNC_RUN", "seven", "SYNC_RUN must be a whole number, not 'seven'"),
        ("SYNC_RUN", "-1", "SYNC_RUN must be a whole number, not '-1'"),
        ("SYNC_RUN", "٧", "SYNC_RUN must be a whole number, not '٧'"),
        ("SYNC_SCOPE", "some", "SYNC_SCOPE must be full or changes, not 'some'"),
        ("SYNC_PUSH", "yes", "SYNC_PUSH must be true or false, not 'yes'"),
        ("SYNC_CONFIRMED", "30", "SYNC_CONFIRMED must be a list of JSON objects, not '30'"),
        ("SYNC_APPROVAL", "unusual", "SYNC_APPROVAL must be always, not 'unusual'"),
        ("SYNC_APPROVED", "all", "SYNC_APPROVED must be a whole number, not 'all'"),
        ("SYNC_ALLOW_DELETES", "all", "SYNC_ALLOW_DELETES must be a whole number, not 'all'"),
    ],
)
def test_an_invalid_variable_is_refused(name: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment.read({**VARIABLES, name: value})
    assert caught.value.complaints == (complaint,)


def test_all_missing_variables_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment.read({})
    needed = set(VARIABLES) - {"SYNC_NAME", "SYNC_NAMESPACE", "SYNC_UID"}
    assert set(caught.value.complaints) == {f"the environment variable {name} is not set" for name in needed}
