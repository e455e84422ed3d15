"""A reset wipes the cache exactly once per epoch, whatever interrupts it (design section 6.1)."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tidegate
from tidegate.worker import epoch
from tidegate.worker.epoch import BEGAN_MARKER, CREDENTIALS, MARKER, RUN_MARKER, CacheLostError, Expected


def prepare(directory: Path, expected_epoch: str, oldest_epoch: str | None = None, **told: Any) -> str:
    return epoch.prepare(directory, Expected(expected_epoch, oldest_epoch, **told))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of epoch 1, with a worker's data."""
    prepare(tmp_path, "1")
    fill(tmp_path)
    return tmp_path


def fill(cache: Path) -> None:
    (cache / "state.db").write_text("what was remembered")
    (cache / "more" / "deep").mkdir(parents=True)
    (cache / "more" / "deep" / "file").write_text("x")
    (cache / "link").symlink_to(cache / "more")
    (cache / ".hidden").write_text("x")


def entries(cache: Path) -> set[str]:
    return {entry.name for entry in cache.iterdir()}


def test_a_new_volume_gets_its_epoch(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / CREDENTIALS).mkdir()
    assert prepare(tmp_path, "1") == "the cache had no epoch: 0 entries deleted, now of epoch 1"
    assert entries(tmp_path) == {MARKER, "lost+found", CREDENTIALS}


def test_the_cache_of_the_same_epoch_is_kept_however_often_the_pod_is_retried(cache: Path) -> None:
    before = entries(cache)
    for _ in range(20):
        assert prepare(cache, "1") == "the cache is of epoch 1: kept"
    assert entries(cache) == before


def test_another_epoch_deletes_the_cache_once(cache: Path) -> None:
    assert prepare(cache, "2") == "the cache was of epoch 1: 4 entries deleted, now of epoch 2"
    assert entries(cache) == {MARKER}
    fill(cache)
    for _ in range(20):
        prepare(cache, "2")
    assert (cache / "more" / "deep" / "file").exists()


@pytest.mark.parametrize("oldest", ["1", "2"])
def test_after_a_cancelled_reset_the_cache_of_either_epoch_is_kept(cache: Path, oldest: str) -> None:
    prepare(cache, "2")
    fill(cache)
    before = entries(cache)
    assert prepare(cache, "5", oldest) == "the cache was of epoch 2, whose reset was cancelled: kept, now of epoch 5"
    assert prepare(cache, "5", oldest) == "the cache is of epoch 5: kept"
    assert entries(cache) == before


@pytest.mark.parametrize(("found", "oldest"), [("1", "2"), ("7", "2"), ("x", "1")])
def test_after_a_cancelled_reset_any_other_cache_is_deleted(cache: Path, found: str, oldest: str) -> None:
    (cache / MARKER).write_text(found)
    prepare(cache, "5", oldest)
    assert entries(cache) == {MARKER}


class TestALostCache:
    """A cache that does not know of the runs that have used it is neither kept nor wiped."""

    @pytest.fixture
    def used(self, cache: Path) -> Path:
        """A cache that runs 1 to 7 have used."""
        prepare(cache, "1", run=7)
        return cache

    def test_is_detected_by_the_number_of_the_last_run(self, used: Path) -> None:
        assert prepare(used, "1", run=8, used_by=7) == "the cache is of epoch 1: kept"
        assert (used / RUN_MARKER).read_text() == "8\n"
        assert prepare(used, "1", run=8, used_by=7) == "the cache is of epoch 1: kept"

    def test_is_not_assumed_when_the_last_run_s_pod_never_started(self, used: Path) -> None:
        assert prepare(used, "1", run=12, used_by=7) == "the cache is of epoch 1: kept"

    @pytest.mark.parametrize(
        ("epoch_found", "run_found", "said"),
        [
            (None, None, "the cache is empty, but run 7 has used the cache of this sync"),
            (None, "7", "the cache is empty, but run 7 has used the cache of this sync"),
            ("1", "6", "the cache is as it was after run 6, but run 7 has used the cache of this sync"),
            ("1", None, "the cache is as it was before any run, but run 7 has used the cache of this sync"),
            ("5", "7", "the cache is of epoch 5 instead of 1, but run 7 has used the cache of this sync"),
            ("1", "9", "run 9 has used the cache, which is later than this run, 8"),
        ],
    )
    def test_is_reported_and_left_untouched(
        self, used: Path, epoch_found: str | None, run_found: str | None, said: str
    ) -> None:
        for marker, text in ((MARKER, epoch_found), (RUN_MARKER, run_found)):
            (used / marker).unlink()
            if text is not None:
                (used / marker).write_text(text)
        before = entries(used)
        with pytest.raises(CacheLostError, match=f"^{said}$"):
            prepare(used, "1", run=8, used_by=7)
        assert entries(used) == before

    def test_is_reported_when_the_status_is_older_than_the_cache(self, used: Path) -> None:
        with pytest.raises(CacheLostError, match="run 7 has used the cache, which is later than this run, 4"):
            prepare(used, "1", run=4)

    def test_a_reset_deletes_whatever_there_is(self, used: Path) -> None:
        prepare(used, "9", run=9)
        assert entries(used) == {MARKER, RUN_MARKER}

    def test_the_program_ends_with_79(self, used: Path, capsys: pytest.CaptureFixture[str]) -> None:
        told = {"SYNC_CACHE_DIR": str(used), "SYNC_CACHE_EPOCH": "1", "SYNC_RUN": "9", "SYNC_CACHE_RUN": "8"}
        assert epoch.main(told) == 79
        assert capsys.readouterr().out == (
            "the cache is as it was after run 7, but run 8 has used the cache of this sync\n"
        )


class TestANumberThatComesTwice:
    """Etcd is restored from a backup: the status forgets runs and epochs that the volume still knows of."""

    BEFORE, AFTER = "2026-11-24T12:00:00.000001Z", "2026-11-24T13:00:00.000001Z"

    @pytest.fixture
    def used(self, cache: Path) -> Path:
        """A cache of epoch 4, in which run 4 has worked, as the status does not know any more."""
        prepare(cache, "4", run=4, began=self.BEFORE)
        fill(cache)
        return cache

    def test_a_reset_deletes_a_cache_that_has_the_same_epoch_and_run(self, used: Path) -> None:
        said = prepare(used, "4", run=4, began=self.AFTER)
        assert said == f"the cache was of epoch 4, which began at {self.BEFORE}: 4 entries deleted, now of epoch 4"
        assert entries(used) == {MARKER, RUN_MARKER, BEGAN_MARKER}

    def test_it_is_deleted_once(self, used: Path) -> None:
        prepare(used, "4", run=4, began=self.AFTER)
        fill(used)
        assert prepare(used, "4", run=4, began=self.AFTER) == "the cache is of epoch 4: kept"

    def test_a_run_that_was_to_continue_another_cache_is_told(self, used: Path) -> None:
        before = entries(used)
        with pytest.raises(CacheLostError, match=f"an epoch 4 that began at {self.BEFORE} instead of {self.AFTER}"):
            prepare(used, "4", run=5, used_by=4, began=self.AFTER)
        assert entries(used) == before

    def test_a_cache_of_an_older_version_has_no_time_and_is_kept(self, used: Path) -> None:
        (used / BEGAN_MARKER).unlink()
        assert prepare(used, "4", run=5, used_by=4, began=self.AFTER) == "the cache is of epoch 4: kept"

    def test_an_operator_that_knows_no_time_keeps_it(self, used: Path) -> None:
        assert prepare(used, "4", run=5, used_by=4) == "the cache is of epoch 4: kept"


def test_the_target_of_a_link_is_not_touched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("x")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "link").symlink_to(elsewhere)
    prepare(cache, "1")
    assert (elsewhere / "file").exists()


class Crash(BaseException):
    """The process is gone."""


def test_a_wipe_that_is_interrupted_anywhere_is_repeated_completely(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = ("unlink", "replace", "open")
    for cut in range(2, 100):
        remaining = cut - 1
        with monkeypatch.context() as patch:

            def counting(real: Any) -> Any:
                def effect(*values: Any, **more: Any) -> Any:
                    nonlocal remaining
                    remaining -= 1
                    if remaining == 0:
                        raise Crash
                    return real(*values, **more)

                return effect

            for name in effects:
                patch.setattr(Path, name, counting(getattr(Path, name)))
            patch.setattr(shutil, "rmtree", counting(shutil.rmtree))
            patch.setattr(epoch, "_flush", counting(epoch._flush))
            try:
                prepare(cache, str(cut))
            except Crash:
                pass
            else:
                break
        prepare(cache, str(cut))
        assert entries(cache) == {MARKER}, f"cut short at effect {cut}"
        fill(cache)
    assert 8 < cut < 99  # there was something to cut, and the last wipe was whole


def test_a_marker_with_the_epoch_proves_that_nothing_older_is_left(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marked_too_early(path: Path) -> None:
        assert not (cache / MARKER).exists() or entries(cache) == {MARKER}

    monkeypatch.setattr(epoch, "_flush", marked_too_early)
    prepare(cache, "2")


def test_the_program_needs_only_the_standard_library(cache: Path) -> None:
    program = [sys.executable, "-S", "-m", "tidegate.worker.epoch"]
    environment = {
        "PYTHONPATH": str(Path(tidegate.__file__).parents[1]),
        "SYNC_CACHE_DIR": str(cache),
        "SYNC_CACHE_EPOCH": "3",
    }
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "the cache was of epoch 1: 4 entries deleted, now of epoch 3\n")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SYNC_CACHE_EPOCH": "1"}, "the environment variable SYNC_CACHE_DIR is not set\n"),
        ({"SYNC_CACHE_EPOCH": "1", "SYNC_CACHE_DIR": "/nowhere"}, "the cache cannot be prepared: "),
    ],
)
def test_a_failed_wipe_fails_the_pod_with_a_message(
    variables: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert epoch.main(variables) == 1
    assert capsys.readouterr().out.startswith(said)
