"""A spec's digest: the same as long as nothing is corrected."""

from typing import Any

import pytest

from tidegate.api.spec import SyncIntegrationSpec

DECLARED = {
    "status": "ON",
    "delay": "5m",
    "template": {"spec": {"nodeName": "a"}},
    "sync": {"objects": [{"name": "x"}]},
}


def digest(**changes: Any) -> str:
    return SyncIntegrationSpec.model_validate({**DECLARED, **changes}).digest


@pytest.mark.parametrize(
    "same", [{"status": "OFF"}, {"offPolicy": "PauseRun"}, {"retries": 2}, {"cache": {"none": False}}]
)
def test_the_toggle_and_explicit_defaults_do_not_change_it(same: dict[str, Any]) -> None:
    assert digest(**same) == digest()


@pytest.mark.parametrize(
    "other",
    [
        {"delay": "6m"},
        {"mode": "FutureOnly"},
        {"retries": 3},
        {"template": None},
        {"template": {"spec": {"nodeName": "b"}}},
        {"sync": {"objects": []}},
        {"cache": {"size": "2Gi"}},
    ],
)
def test_every_other_field_changes_it(other: dict[str, Any]) -> None:
    assert digest(**other) != digest()


def test_it_is_stable_across_releases() -> None:
    """Statuses keep it: another one would have every halted sync of a cluster try again at an upgrade."""
    assert digest() == "caa6473431cb0a26"
