"""What the annotation tidegate.dev/reset-requested-at asks for: a reset of the whole sync, or of objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.resets import objects_of, obstacle, request

AT = "2026-11-27T10:00:00Z"
KNOWN = ("contact", "sales order")
NO_TIME = "it has several words and no time: for single objects name them after one, such as 2026-11-27T10:00:00Z"


@pytest.mark.parametrize(
    ("value", "objects"),
    [
        (f"{AT} contact", ("contact",)),
        (f"{AT} contact,account", ("contact", "account")),
        (f"{AT}  contact, sales order ,", ("contact", "sales order")),
        ("2026-11-27T10:00:00.123456+00:00 contact\n", ("contact",)),
        (f"{AT} contact,contact", ("contact",)),
        (AT, ()),
        (f"{AT} ", ()),
        ("now", ()),
        ("", ()),
        ("contact", ()),
        ("Fri Nov 27 10:00:00 UTC 2026", ()),  # date
        ("2026-11-27 10:00:00+00:00", ()),  # date --rfc-3339=seconds
    ],
)
def test_names_after_a_time_are_objects(value: str, objects: tuple[str, ...]) -> None:
    assert objects_of(value) == objects


names = st.text(st.characters(exclude_characters=",", exclude_categories=["Z", "C"]), min_size=1)


@given(objects=st.lists(names, unique=True, max_size=5))
def test_what_is_requested_is_what_is_read(objects: list[str]) -> None:
    assert objects_of(request(AT, objects)) == tuple(objects)


@pytest.mark.parametrize(
    ("value", "known", "why"),
    [
        (AT, KNOWN, None),
        ("contacts", KNOWN, None),
        (f"{AT} contact,sales order", KNOWN, None),
        (f"{AT} contact,kontakt", KNOWN, "spec.sync has no object kontakt; it has contact, sales order"),
        (f"{AT} contact", None, "only spec.sync has objects that can be reset one by one; reset the whole sync"),
        (AT, None, None),
        ("contact", KNOWN, "name objects after a time, such as 2026-11-27T10:00:00Z contact"),
        ("now kontakt", KNOWN, NO_TIME),
        ("now, kontakt", None, NO_TIME),
        ("now", KNOWN, None),
        ("Fri Nov 27 10:00:00 UTC 2026", KNOWN, None),
        ("contact 2026-11-27T10:00:00Z", KNOWN, "name objects after a time, such as 2026-11-27T10:00:00Z contact"),
    ],
)
def test_a_request_that_could_reset_something_else_than_was_meant_is_refused(
    value: str, known: tuple[str, ...] | None, why: str | None
) -> None:
    assert obstacle(value, objects_of(value), known) == why
