"""How far the watches have come, and what goes back: a new beginning, not a delay."""

import pytest

from tidegate.control.freshness import Freshness, SoFar

STREAM = ("jobs", "")


@pytest.fixture
def freshness() -> Freshness:
    """A watch that has shown object a in version 10 and b in version 20."""
    freshness = Freshness()
    freshness.saw(STREAM, "a", 10)
    freshness.saw(STREAM, "b", 20)
    freshness.listed(STREAM)
    return freshness


class TestALaggingWatch:
    @pytest.mark.parametrize(
        ("stored", "lags"),
        [
            ({"a": 10, "b": 20}, False),
            ({"a": 10, "b": 21}, True),  # a change
            ({"a": 10, "b": 20, "c": 30}, True),  # a new object
            ({"b": 20}, True),  # a deletion
        ],
    )
    def test_has_not_shown_the_stored_version(self, freshness: Freshness, stored: dict[str, int], lags: bool) -> None:
        assert freshness.lags(STREAM, stored, freshness.so_far(STREAM)) == lags

    def test_is_stale_while_its_first_list_is_incomplete(self) -> None:
        freshness = Freshness()
        freshness.saw(STREAM, "a", 20)
        stored = {"a": 20, "b": 10}
        assert freshness.lags(STREAM, stored, SoFar())
        freshness.saw(STREAM, "b", 10)
        freshness.listed(STREAM)
        assert not freshness.lags(STREAM, stored, SoFar())

    def test_catches_up(self, freshness: Freshness) -> None:
        before = freshness.so_far(STREAM)
        freshness.heard(STREAM, 30)
        freshness.lost(STREAM, "a")
        freshness.saw(STREAM, "c", 31)
        assert not freshness.lags(STREAM, {"b": 20, "c": 31}, before)


class TestAnOlderList:
    """etcd was restored from a backup: resourceVersions go back, and a resumed watch shows nothing."""

    @pytest.mark.parametrize(
        ("version", "stored", "undone"),
        [
            (20, {"a": 10, "b": 20}, False),
            (99, {"a": 10, "b": 20}, False),
            (99, {"a": 11}, False),  # a change, and a deletion
            (19, {"a": 10}, True),  # a quiet cluster: no object is older, but the list is
            (99, {"a": 9, "b": 20}, True),  # busy since: the list is newer, but an object is older
        ],
    )
    def test_reverts_what_the_watch_has_shown(
        self, freshness: Freshness, version: int, stored: dict[str, int], undone: bool
    ) -> None:
        assert freshness.so_far(STREAM).is_undone_by(version, stored) == undone

    def test_ignores_events_that_arrive_during_the_list(self, freshness: Freshness) -> None:
        before = freshness.so_far(STREAM)
        freshness.saw(STREAM, "a", 40)
        assert not before.is_undone_by(20, {"a": 10, "b": 20})

    def test_reverts_nothing_where_nothing_was_shown(self) -> None:
        assert not SoFar().is_undone_by(1, {})
