"""`reset --object`: what it writes beside earlier requests, and what it refuses."""

from typing import Any

import pytest

from tidegate.cli.decisions.goal import RunEnded
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.decisions.object_reset import ResetObjects
from tidegate.cli.errors import RefusedError

from .situations import AT, RESET_REQUEST, integration, off, syncing, waiting

SYNC = {"objects": [{"name": "contact"}, {"name": "account"}]}
CONTACT = ResetObjects(AT, ("contact",))


def seen(status: dict[str, Any] | None = None, request: str | None = None, **spec: Any) -> Integration:
    annotations = {RESET_REQUEST: request} if request else {}
    return integration(status=status or waiting(), annotations=annotations, **{"sync": SYNC, **spec})


def test_it_requests_a_reset_of_the_objects() -> None:
    change = ResetObjects(AT, ("contact", "account")).change(seen())
    assert change.annotations == {RESET_REQUEST: f"{AT} contact,account"}
    assert change.sentence == (
        "requested a reset of contact, account: run 13, to start at once, reads these records as if for the first "
        "time; what differs is pushed (PastAndFuture)"
    )
    assert CONTACT.goal(seen()) == RunEnded(12)


def test_it_says_what_it_waits_for() -> None:
    assert "run 14, to start when run 13 has ended" in CONTACT.change(seen(syncing())).sentence
    assert "to start after the next ON" in CONTACT.change(seen(off(), switch="OFF")).sentence


def test_a_request_that_no_run_was_claimed_for_is_kept() -> None:
    change = CONTACT.change(seen(request="2026-11-24T11:59:00Z account"))
    assert change.annotations == {RESET_REQUEST: f"{AT} account,contact"}


def test_one_that_is_handled_is_not_repeated() -> None:
    earlier = "2026-11-24T11:59:00Z account"
    change = CONTACT.change(seen(waiting(handled={"resetRequestedAt": earlier}), request=earlier))
    assert change.annotations == {RESET_REQUEST: f"{AT} contact"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (seen(sync={"objects": [{"name": "person"}]}), "spec.sync has no object contact; it has person"),
        (seen(sync=None), "only spec.sync has objects that can be reset one by one; reset the whole sync"),
        (seen(request="now"), "a reset of the whole sync has been requested, and has not begun"),
    ],
)
def test_what_could_not_be_carried_out_is_refused(given: Integration, why: str) -> None:
    with pytest.raises(RefusedError) as refused:
        CONTACT.change(given)
    assert refused.value.message == why
