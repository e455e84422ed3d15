"""A shadow survives every change of the fields: what was seen of a field stays with that field."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.cache.shadow import Former, digest_of, lay_out
from tidegate.worker.config.rules import FieldRule
from tidegate.worker.values.normal_form import HASH_BYTES, UNKNOWN, Normalization


def field(name: str, *normalize: Normalization) -> str:
    """A field's identity."""
    return FieldRule((name, name), normalize=normalize).identity


names = st.sampled_from([field(name) for name in "abcdefg"])
field_lists = st.lists(names, min_size=1, max_size=6, unique=True)
hashes = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES).filter(lambda hash_: hash_ != UNKNOWN)


def test_unpacking_returns_what_was_packed() -> None:
    _, layout = lay_out([], [field("email"), field("name")])
    shadow = layout.pack(b"the whole"[:HASH_BYTES], [b"an email", None])
    assert digest_of(shadow) == b"the whol"
    assert layout.unpack(shadow) == (b"an email", None)


def test_a_missing_shadow_knows_no_field() -> None:
    _, layout = lay_out([], [field("email"), field("name")])
    assert layout.unpack(None) == (None, None)


@given(field_lists, field_lists, st.data())
def test_fields_may_be_added_removed_and_reordered(before: list[str], after: list[str], data: st.DataObject) -> None:
    seen = {name: data.draw(hashes) for name in before}
    slots, layout = lay_out([], before)
    shadow = layout.pack(UNKNOWN, [seen[name] for name in before])
    _, layout = lay_out(slots, after)
    assert layout.unpack(shadow) == tuple(seen.get(name) for name in after)


@given(st.lists(field_lists, min_size=1, max_size=5))
def test_a_slot_is_never_reused_for_another_field(configurations: list[list[str]]) -> None:
    slots: list[str] = []
    given_to: dict[int, str] = {}
    for fields in configurations:
        slots, layout = lay_out(slots, fields)
        for field, slot in zip(fields, layout.slots, strict=True):
            assert given_to.setdefault(slot, field) == field


def test_two_fields_of_the_same_identity_share_a_slot() -> None:
    slots, layout = lay_out([], [field("email"), field("email")])
    assert (slots, layout.slots) == ([field("email")], (0, 0))


class TestAFieldNormalizedDifferently:
    BEFORE, AFTER = [field("email"), field("phone", "digits")], [field("phone", "trim", "digits"), field("email")]

    def test_is_compared_by_its_former_hash(self) -> None:
        slots, layout = lay_out([], self.BEFORE)
        shadow = layout.pack(UNKNOWN, [b"an email", b"a number"])
        _, layout = lay_out(slots, self.AFTER)
        assert layout.unpack(shadow) == (None, b"an email")
        assert layout.formerly(shadow, 0) == (b"a number", Former(1, ("digits",)))
        assert layout.formerly(shadow, 1) is None
        assert layout.formerly(None, 0) is None

    def test_has_no_former_hash_where_it_is_a_reference_or_another_column(self) -> None:
        slots, _ = lay_out([], [field("firm", "trim")])
        _, layout = lay_out(slots, [FieldRule(("firm", "firm"), ref="firm").identity, field("company")])
        assert not layout.has_former

    def test_has_one_hash_only_after_a_patch(self) -> None:
        slots, before = lay_out([], self.BEFORE)
        shadow = before.pack(b"the whole"[:HASH_BYTES], [b"an email", b"a number"])
        _, layout = lay_out(slots, self.AFTER)
        patched = layout.patched(shadow, {0: b"a phone!"})
        assert digest_of(patched) == UNKNOWN
        assert layout.unpack(patched) == (b"a phone!", b"an email")
        assert before.unpack(patched) == (b"an email", None)

    def test_keeps_its_former_hash_while_another_field_is_patched(self) -> None:
        slots, before = lay_out([], self.BEFORE)
        _, layout = lay_out(slots, self.AFTER)
        patched = layout.patched(before.pack(UNKNOWN, [b"an email", b"a number"]), {1: b"another!"})
        assert layout.formerly(patched, 0) == (b"a number", Former(1, ("digits",)))
        assert layout.unpack(layout.patched(None, {1: b"another!"})) == (None, b"another!")

    def test_may_return_to_an_earlier_normalization(self) -> None:
        slots, _ = lay_out([], self.BEFORE)
        slots, _ = lay_out(slots, self.AFTER)
        _, layout = lay_out(slots, self.BEFORE)
        assert layout.unpack(layout.patched(None, {1: b"a number"})) == (None, b"a number")
