"""A shadow survives every change of the fields: what was seen of a field stays with that field."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.cache.shadow import digest_of, lay_out
from tidegate.worker.values.normal_form import HASH_BYTES, UNKNOWN

names = st.sampled_from("abcdefg")
field_lists = st.lists(names, min_size=1, max_size=6, unique=True)
hashes = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES).filter(lambda hash_: hash_ != UNKNOWN)


def test_a_shadow_gives_back_what_was_packed_into_it() -> None:
    _, layout = lay_out([], ["email", "name"])
    shadow = layout.pack(b"the whole"[:HASH_BYTES], [b"an email", None])
    assert digest_of(shadow) == b"the whol"
    assert layout.unpack(shadow) == (b"an email", None)


def test_of_a_record_that_was_never_seen_nothing_is_known() -> None:
    _, layout = lay_out([], ["email", "name"])
    assert layout.unpack(None) == (None, None)


@given(field_lists, field_lists, st.data())
def test_fields_may_come_go_and_change_places(before: list[str], after: list[str], data: st.DataObject) -> None:
    seen = {name: data.draw(hashes) for name in before}
    slots, layout = lay_out([], before)
    shadow = layout.pack(UNKNOWN, [seen[name] for name in before])
    _, layout = lay_out(slots, after)
    assert layout.unpack(shadow) == tuple(seen.get(name) for name in after)


@given(st.lists(field_lists, min_size=1, max_size=5))
def test_a_slot_once_given_is_never_given_to_another_field(configurations: list[list[str]]) -> None:
    slots: list[str] = []
    given_to: dict[int, str] = {}
    for fields in configurations:
        slots, layout = lay_out(slots, fields)
        for field, slot in zip(fields, layout.slots, strict=True):
            assert given_to.setdefault(slot, field) == field


def test_two_fields_of_the_same_identity_share_a_slot() -> None:
    slots, layout = lay_out([], ["email", "email"])
    assert (slots, layout.slots) == (["email"], (0, 0))
