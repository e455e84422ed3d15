"""The cache: durable, exclusive, and refusing what was made for something else."""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.intents import Intent
from tidegate.worker.cache.row import Row
from tidegate.worker.cache.store import FORMAT, Cache
from tidegate.worker.connectors import Key
from tidegate.worker.errors import CacheLocked, CacheUnusable, RunEnded
from tidegate.worker.sqlite_errors import meaning_of


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(tmp_path, "1")
    yield cache
    cache.close()


def test_committed_data_is_there_after_reopening(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "1")
    with cache.transaction():
        cache.remember("halted", 7)
        cache.add(0, [("a", b"a's match", b"a's shadow")])
    cache.close()
    again = Cache(tmp_path, "1")
    row = again.row_of(0, "a")
    assert again.recall("halted") == 7
    assert row is not None
    assert (row.match, row.shadow, row.link) == (b"a's match", b"a's shadow", None)
    assert again.add(0, [("b", None, None)])[0] > row.rid
    again.close()


def test_a_failed_transaction_has_no_effect(cache: Cache) -> None:
    def fail() -> None:
        with cache.transaction():
            cache.remember("halted", 7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert cache.recall("halted") is None


class TestUnusable:
    def test_a_cache_of_another_epoch(self, tmp_path: Path) -> None:
        Cache(tmp_path, "1").close()
        with pytest.raises(CacheUnusable, match="the cache is of epoch 1, and the run expects epoch 2"):
            Cache(tmp_path, "2")

    def test_after_a_cancelled_reset_a_cache_of_the_epoch_before_it_is_used(self, tmp_path: Path) -> None:
        Cache(tmp_path, "3").close()
        Cache(tmp_path, "5", "2").close()
        Cache(tmp_path, "5").close()
        with pytest.raises(CacheUnusable):
            Cache(tmp_path, "9", "6")

    def test_a_cache_of_another_format(self, tmp_path: Path) -> None:
        Cache(tmp_path, "1").close()
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
        connection.close()
        with pytest.raises(CacheUnusable, match=f"has format {FORMAT + 1}, and this worker knows format {FORMAT}"):
            Cache(tmp_path, "1")

    @pytest.mark.parametrize("content", [b"no database, but long enough to be looked at" * 50, b"SQLite format 3\0"])
    def test_a_file_that_is_no_cache(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(CacheUnusable, match="the cache cannot be read"):
            Cache(tmp_path, "1")

    def test_a_directory_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CacheUnusable, match="the cache cannot be read"):
            Cache(tmp_path / "nowhere", "1")

    def test_a_refused_cache_is_released_for_the_next_open(self, tmp_path: Path) -> None:
        Cache(tmp_path, "1").close()
        with pytest.raises(CacheUnusable) as caught:  # which keeps the frames alive, and all that they hold
            Cache(tmp_path, "2")
        Cache(tmp_path, "1").close()
        assert caught.value.exit_code == 4

    def test_a_cache_in_use_by_another_process(self, tmp_path: Path, cache: Cache) -> None:
        with pytest.raises(CacheLocked, match="another process is working on the cache"):
            Cache(tmp_path, "1")
        cache.remember("it", "still works")

    @pytest.mark.parametrize(
        ("name", "exit_code"),
        [("SQLITE_FULL", 1), ("SQLITE_IOERR_WRITE", 1), ("SQLITE_BUSY", 1), ("SQLITE_CORRUPT_INDEX", 4), (None, 1)],
    )
    def test_only_problems_that_a_reset_can_fix_ask_for_manual_action(self, name: str | None, exit_code: int) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        if name:
            error.sqlite_errorname = name
        meaning: RunEnded = meaning_of(error)
        assert meaning.exit_code == exit_code


class TestLinks:
    def test_are_symmetric(self, cache: Cache) -> None:
        (crm,) = cache.add(0, [(1, b"m", None)])
        (erp,) = cache.add(1, [(9, b"m", None)])
        cache.link([(crm, erp)])
        rows = cache.rows([crm, erp])
        assert (rows[crm].link, rows[erp].link) == (erp, crm)
        assert cache.unpaired(0, b"m") == cache.unpaired(1, b"m") == []

    def test_end_when_one_side_is_forgotten(self, cache: Cache) -> None:
        (crm,) = cache.add(0, [(1, b"m", None)])
        (erp,) = cache.add(1, [(9, b"m", None)])
        cache.link([(crm, erp)])
        cache.pending.add([crm, erp])
        cache.parked.add(crm, "name", "why", 1, "conflict")
        cache.intents.write_down([Intent(crm, 1, b"", None)])
        cache.forget([crm])
        assert cache.rows([crm, erp])[erp].link is None
        assert [row.rid for row in cache.unpaired(1, b"m")] == [erp]
        assert (cache.pending.any_from(0), cache.pending.any_from(1)) == (False, True)
        assert (cache.parked.count(), cache.intents.unsettled()) == (0, [])

    def test_are_proposed_where_one_record_on_each_side_has_the_match_key(self, cache: Cache) -> None:
        crm = cache.add(0, [(1, b"a", None), (2, b"b", None), (3, b"b", None), (4, None, None), (5, b"c", None)])
        erp = cache.add(1, [(1, b"c", None), (2, b"b", None), (3, b"a", None), (4, None, None), (5, b"a", None)])
        assert cache.counterparts(0, 1, crm[0], crm[-1]) == [(crm[4], erp[0])]
        cache.link([(crm[1], erp[2])])  # and of each key one is left
        assert cache.counterparts(0, 1, crm[0], crm[2]) == [(crm[0], erp[4]), (crm[2], erp[1])]
        assert cache.counterparts(1, 0, erp[1], erp[3]) == [(erp[1], crm[2])]

    def test_are_created_with_counterparts(self, cache: Cache) -> None:
        cache.index_matches()
        crm = cache.add(0, [(1, b"a", None), (2, b"b", None)])
        cache.add_counterparts(1, [(crm[0], 8, b"a", b"A"), (crm[1], 9, b"b", b"B")], [b"a of crm", b"b of crm"])
        one, other = (cache.row_of(1, key) for key in (8, 9))
        assert one == Row(3, 1, 8, crm[0], b"a", b"A")
        assert other == Row(4, 1, 9, crm[1], b"b", b"B")
        rows = cache.rows(crm)
        assert [(row.link, row.shadow) for row in rows.values()] == [(3, b"a of crm"), (4, b"b of crm")]

    def test_are_proposed_again_for_a_created_counterpart_that_has_lost_its_own(self, cache: Cache) -> None:
        cache.index_matches()
        (crm,) = cache.add(0, [(1, b"a", None)])
        cache.add_counterparts(1, [(crm, 9, b"a", b"A")], [b"a"])
        cache.forget([crm])
        (again,) = cache.add(0, [(1, b"a", None)])
        assert [row.key for row in cache.unpaired(1, b"a")] == [9]
        assert [theirs for ours, theirs in cache.counterparts(0, 1, again, again)] == [2]

    @pytest.mark.parametrize("indexed", [False, True])
    def test_are_listed_as_missing_in_the_order_of_rids(self, cache: Cache, indexed: bool) -> None:
        if indexed:
            cache.index_alone()
        crm = cache.add(0, [(n, None, None) for n in (3, 2, 1, 0)])
        cache.link([(crm[1], *cache.add(1, [(1, None, None)]))])
        assert cache.alone(0, 0, 2) == (crm[0], crm[2])
        assert cache.alone(0, crm[2], 2) == (crm[3], crm[3])
        assert cache.alone(0, crm[3], 2) is None
        assert (cache.count_alone(0), cache.count_alone(1)) == (3, 0)


class TestPending:
    def test_is_listed_in_order_from_any_position(self, cache: Cache) -> None:
        rids = cache.add(0, [(n, None, None) for n in range(5)])
        cache.add(2, [(1, None, None)])
        cache.pending.add([*reversed(rids)])
        cache.pending.add([rids[2]], gone=True)
        assert [row.key for row in cache.pending.batch([0, 1], rids[0], 3)] == [1, 2, 3]
        assert cache.pending.gone(rids) == {rids[2]}

    def test_counts_as_a_delete_only_where_the_counterpart_still_exists(self, cache: Cache) -> None:
        crm = cache.add(0, [(n, None, None) for n in range(4)])
        erp = cache.add(1, [(n, None, None) for n in range(3)])
        cache.link(zip(crm[:3], erp, strict=True))
        cache.pending.add([crm[0], crm[1], crm[3], erp[1]], gone=True)
        assert cache.pending.deletes_of(0) == [crm[0]]
        assert cache.pending.count_gone(0) == 3

    def test_is_empty_after_the_record_was_accepted(self, cache: Cache) -> None:
        one, other = cache.add(0, [(1, None, None), (2, None, None)])
        cache.pending.add([one, other])
        cache.parked.add(one, "name", "why", 1, "conflict")
        cache.accepted.add_unchanged([one])
        assert len(cache.pending.batch([0], 0, 9)) == 2
        cache.accepted.apply()
        assert [row.rid for row in cache.pending.batch([0], 0, 9)] == [other]
        assert cache.parked.count() == 0

    def test_records_that_were_parked_as_a_whole_are_retried_and_fields_are_not(self, cache: Cache) -> None:
        one, other = cache.add(0, [(1, None, None), (2, None, None)])
        cache.parked.add(one, "", "erp refuses it", 1, "retry")
        cache.parked.add(other, "name", "it was changed on both sides", 1, "conflict")
        cache.parked.retry_records()
        assert [row.rid for row in cache.pending.batch([0], 0, 9)] == [one]


RECORDS = 20_000  # rids of three chunks of the bitmap
RIDS = st.integers(1, RECORDS)
# Far from each other, without a gap, and with a few gaps across the border of two chunks.
PAGES = st.one_of(st.sets(RIDS, max_size=50), st.builds(range, RIDS, RIDS), st.sets(st.integers(8188, 8196)))


@pytest.fixture(scope="class")
def two_sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """Records whose id is their rid, every third of them of another source."""
    cache = Cache(tmp_path_factory.mktemp("cache"), "1")
    with cache.transaction():
        for rid in range(1, RECORDS + 1):
            cache.add(1 if rid % 3 == 0 else 0, [(rid, None, None)])
    yield cache
    cache.close()


class TestAWholeScan:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(PAGES, max_size=4))
    @example([range(1, 100), range(100, 200)])  # of one chunk
    def test_misses_exactly_the_records_that_it_has_not_visited(
        self, two_sources: Cache, pages: list[Collection[int]]
    ) -> None:
        two_sources.visits.begin()
        for page in pages:
            two_sources.visits.add(page)
        missed = {rid for rids in two_sources.visits.missed(0) for rid in rids}
        assert missed == {rid for rid in range(1, RECORDS + 1) if rid % 3} - set().union(*pages)

    def test_recognizes_records_by_ids_of_either_kind(self, cache: Cache) -> None:
        cache.add(0, [(1, None, b"digest of 1, then more"), ("1", None, None)])
        assert cache.known(0, [1, "1", 2]) == {1: (1, 1, b"digest o"), "1": ("1", 2, None)}
        assert cache.known(1, [1]) == {}


def test_ids_are_recognized_whatever_they_contain(cache: Cache) -> None:
    keys: list[Key] = ["a", "a\0b", "a\0c", "\0", 0, "0", -(1 << 63), "é\u202e"]
    with cache.transaction():
        rids = cache.add(0, [(key, None, b"shadow: " + str(n).encode()) for n, key in enumerate(keys)])
    assert {key: row[:2] for key, row in cache.known(0, keys).items()} == {
        key: (key, rid) for key, rid in zip(keys, rids, strict=True)
    }
    assert cache.known(0, ["a\0b"])["a\0b"][2] == b"shadow: "
    assert cache.known(1, keys) == {}


IDS = st.one_of(
    st.integers(-3, 12),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.text(st.sampled_from("aZ09\0é\U0001f30a"), max_size=3),
)


@pytest.fixture(scope="module")
def with_ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    cache = Cache(tmp_path_factory.mktemp("ids"), "1")
    yield cache
    cache.close()


class TestThePageOfAScan:
    @settings(max_examples=200, deadline=None)
    @given(st.lists(IDS, unique=True, max_size=12), st.lists(IDS, unique=True, max_size=8), st.booleans())
    def test_is_recognized_in_any_order_and_with_any_gaps(
        self, with_ids: Cache, remembered: list[Key], page: list[Key], in_order: bool
    ) -> None:
        with_ids.forget_all([0, 1])
        added = with_ids.add(0, [(key, None, b"8 digits, fields") for key in remembered])
        rids = dict(zip(remembered, added, strict=True))
        with_ids.add(1, [(key, None, None) for key in page])
        page = sorted(page, key=lambda key: (isinstance(key, str), key)) if in_order else page
        assert with_ids.known(0, page) == {key: (key, rids[key], b"8 digits") for key in page if key in rids}

    def test_leaves_out_what_lies_between_its_ids(self, with_ids: Cache) -> None:
        with_ids.forget_all([0, 1])
        with_ids.add(0, [(key, None, None) for key in range(10)])
        assert list(with_ids.known(0, [2, 3, 5])) == [2, 3, 5]
