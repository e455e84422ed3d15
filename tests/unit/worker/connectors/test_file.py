"""Files as systems: other people's changes, missing files, new ids, finding, and what is left behind."""

import os
import stat
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]  # it has no type information
import pytest

from tidegate.worker.connectors import Changed, Record, Rejected, Write, file
from tidegate.worker.connectors.file.files import Facts
from tidegate.worker.connectors.file.local import LocalFiles
from tidegate.worker.errors import ConfigurationError, SystemFailed

from .opening import everything, opened, stored


def contacts(directory: Path | str, *fields: str, casefold: Any = (), environ: Any = None, **place: Any) -> Any:
    settings = {"type": "file", "url": str(directory), **place.pop("settings", {})}
    place = {"path": "c.csv", "id": "id", **place}
    return opened(file.TYPE, settings, place, *(fields or ("name",)), casefold=casefold, environ=environ)


@pytest.fixture
def contacts_file(tmp_path: Path) -> Path:
    path = tmp_path / "c.csv"
    path.write_text("id,name\n1,Ann\n2,Bob\n3,Cyd\n")
    return path


def edit(path: Path, before: str, after: str) -> None:
    """An edit of the same length, in place, that leaves the time of modification as it was."""
    assert len(before) == len(after)
    status = path.stat()
    path.write_text(path.read_text().replace(before, after))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_an_edit_by_another_program_is_detected_by_compare_and_set_and_kept(contacts_file: Path) -> None:
    with contacts(contacts_file.parent) as collection:
        ann, bob, cyd = everything(collection)
        edit(contacts_file, "Ann", "Amy")
        answers = collection.update([Write(ann, {0: "Anna"}), Write(bob, {0: "Bobby"})])
        assert answers == [Changed(), Record("2", ("Bobby",))]
        edit(contacts_file, "Cyd", "Kim")
        assert collection.delete([cyd, bob]) == [Changed(), Changed()]
        assert collection.find([("Kim",), ("Cyd",)]) == [Record("3", ("Kim",))]
        edit(contacts_file, "Kim", "Cyd")
        assert collection.find([("Cyd",)]) == [cyd]
        assert collection.get(["3"]) == {"3": cyd}
    assert contacts_file.read_text() == "id,name\n1,Amy\n2,Bobby\n3,Cyd\n"


def test_an_edit_while_the_new_file_is_written_is_not_overwritten(
    contacts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = os.fsync
    edits = iter([("Ann", "Amy"), ("Cyd", "Kim")])

    def meanwhile(handle: int) -> None:
        flushed(handle)
        for before, after in edits:
            edit(contacts_file, before, after)
            break

    with contacts(contacts_file.parent) as collection:
        ann, bob, _ = everything(collection)
        monkeypatch.setattr(os, "fsync", meanwhile)
        answers = collection.update([Write(ann, {0: "Anna"}), Write(bob, {0: "Bobby"})])
    assert answers == [Changed(), Record("2", ("Bobby",))]
    assert contacts_file.read_text() == "id,name\n1,Amy\n2,Bobby\n3,Kim\n"


def test_a_file_that_keeps_changing_fails_the_run(contacts_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"N{n:02}" for n in range(20)]
    flushed = os.fsync

    def meanwhile(handle: int) -> None:
        flushed(handle)
        edit(contacts_file, "Cyd" if names[0] == "N00" else names[0], names[1])
        del names[0]

    with contacts(contacts_file.parent) as collection:
        ann, *_ = everything(collection)
        monkeypatch.setattr(os, "fsync", meanwhile)
        with pytest.raises(SystemFailed, match=r"c\.csv keeps changing"):
            collection.update([Write(ann, {0: "Anna"})])
    assert "Anna" not in contacts_file.read_text()
    assert [path.name for path in contacts_file.parent.iterdir()] == ["c.csv"]


def test_a_file_that_changes_while_it_is_read_is_read_again(
    contacts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contacts_file.open("a") as half:
        half.write("4,D")
    facts = LocalFiles.facts
    looks = 0

    def growing(self: LocalFiles, path: str) -> Facts | None:
        nonlocal looks
        looks += 1
        if looks == 2:  # it has just been read
            with contacts_file.open("a") as rest:
                rest.write("ee\n")
        return facts(self, path)

    monkeypatch.setattr(LocalFiles, "facts", growing)
    with contacts(contacts_file.parent) as collection:
        assert looks == 4
        assert [record.values for record in everything(collection)] == [("Ann",), ("Bob",), ("Cyd",), ("Dee",)]


def test_a_change_within_the_resolution_of_the_file_system_s_clock_is_detected_by_the_content(
    contacts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = str(time.time_ns())
    monkeypatch.setattr(LocalFiles, "facts", lambda *_: (("changed", second), ("size", "29")))
    with contacts(contacts_file.parent) as collection:
        ann, *_ = everything(collection)
        edit(contacts_file, "Ann", "Amy")
        assert collection.update([Write(ann, {0: "Eva"})]) == [Changed()]
        (amy, *_) = everything(collection)
        (eva,) = stored(collection.update([Write(amy, {0: "Eva"})]))
        edit(contacts_file, "Eva", "Ida")
        assert collection.delete([eva]) == [Changed()]
    assert contacts_file.read_text() == "id,name\n1,Ida\n2,Bob\n3,Cyd\n"


def test_readers_see_the_old_file_or_the_new_one_and_its_mode_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("id,name\n1,Ann\n")
    real.chmod(0o640)
    (tmp_path / "c.csv").symlink_to("real.csv")
    with real.open() as reader, contacts(tmp_path) as collection:
        (ann,) = everything(collection)
        stored(collection.update([Write(ann, {0: "Anna"})]))
        assert reader.read() == "id,name\n1,Ann\n"
    assert (tmp_path / "c.csv").is_symlink()
    assert real.read_text() == "id,name\n1,Anna\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_no_temporary_files_remain(
    contacts_file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    killed = contacts_file.parent / ".c.csv.abc.tidegate"
    younger = contacts_file.parent / ".c.csv.def.tidegate"
    for leftover in (killed, younger):
        leftover.touch()
    os.utime(killed, (0, 0))
    with contacts(contacts_file.parent) as collection:
        assert list(temporary.iterdir()) != []
        stored(collection.create([["Dee"]]))
    assert list(temporary.iterdir()) == []
    assert {path.name for path in contacts_file.parent.iterdir()} == {"c.csv", younger.name}


def test_a_missing_file_is_a_configuration_error_that_lists_existing_ones(contacts_file: Path) -> None:
    with (
        pytest.raises(
            ConfigurationError, match=r"there is no file .*/k\.csv; beside it there is c\.csv; write create: true"
        ),
        contacts(contacts_file.parent, path="k.csv"),
    ):
        pass
    contacts_file.unlink()
    with (
        pytest.raises(ConfigurationError, match=r"there is no file .*/k\.csv; beside it there is none; write create"),
        contacts(contacts_file.parent, path="k.csv"),
    ):
        pass


def test_a_file_that_disappears_fails_the_run_and_does_not_count_as_empty(contacts_file: Path) -> None:
    with contacts(contacts_file.parent) as collection:
        (ann, *_) = everything(collection)
        contacts_file.unlink()
        calls: list[Callable[[], object]] = [
            lambda: collection.scan(None, 10, None),
            lambda: collection.get(["1"]),
            lambda: collection.delete([ann]),
        ]
        for call in calls:
            with pytest.raises(SystemFailed, match=r"c\.csv has disappeared"):
                call()


def test_a_missing_file_is_created_with_the_first_record_if_the_setting_says_so(tmp_path: Path) -> None:
    with contacts(tmp_path, "name", "mail", create=True, cursor="at") as collection:
        assert everything(collection) == []
        assert not (tmp_path / "c.csv").exists()
        (created,) = stored(collection.create([["Ann", None]]))
        assert collection.get([created.key]) == {created.key: created}
    assert (tmp_path / "c.csv").read_text() == f"id,name,mail,at\n{created.key},Ann,,\n"


def test_a_file_that_another_program_creates_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with contacts(tmp_path, create=True) as collection:
        assert everything(collection) == []
        (tmp_path / "c.csv").write_text("id,name\n1,Ann\n")
        stored(collection.create([["Bob"]]))
    assert (tmp_path / "c.csv").read_text() == "id,name\n1,Ann\n2,Bob\n"


@pytest.mark.parametrize(
    ("content", "place", "expected"),
    [
        ("id,name\n7,A\n9,B\n", {}, "10"),
        ("id,name\n7,A\nx,B\n", {}, "uuid"),
        ("id,name\n7,A\nx,B\n", {"new_id": "number"}, "8"),
        ("id,name\n7,A\n", {"new_id": "uuid"}, "uuid"),
        ("id,name\n12345678901234567890,A\n", {}, "uuid"),
        ("id,name\n", {}, "uuid"),
        ("id,name\n", {"new_id": "number"}, "1"),
        ('{"id": 7, "name": "A"}\n', {"path": "c.jsonl"}, 8),
        ('{"id": "7", "name": "A"}\n', {"path": "c.jsonl"}, "8"),
        ("", {"path": "c.jsonl"}, "uuid"),
        ("", {"path": "c.jsonl", "new_id": "number"}, 1),
    ],
)
def test_a_new_record_gets_the_next_number_where_ids_are_numbers_otherwise_a_uuid(
    tmp_path: Path, content: str, place: dict[str, Any], expected: object
) -> None:
    (tmp_path / place.get("path", "c.csv")).write_text(content)
    with contacts(tmp_path, **place) as collection:
        first, second = stored(collection.create([["X"], ["Y"]]))
    if expected == "uuid":
        assert len({first.key, second.key}) == 2
        assert all(len(str(record.key)) == 36 for record in (first, second))
    else:
        assert first.key == expected
        assert int(second.key) == int(first.key) + 1


def test_records_are_found_by_their_match_fields_even_right_after_their_create(contacts_file: Path) -> None:
    with contacts(contacts_file.parent, casefold=["name"]) as collection:
        ann, bob, cyd = everything(collection)
        assert collection.find([("ANN",), ("nobody",), ("bob",)]) == [ann, bob]
        (dee,) = stored(collection.create([["Dee"]]))
        (amy,) = stored(collection.update([Write(ann, {0: "Amy"})]))
        assert collection.delete([cyd]) == [None]
        assert {record.key for record in collection.find([("dee",), ("amy",), ("Ann",), ("Cyd",)])} == {
            dee.key,
            amy.key,
        }


def test_match_fields_are_compared_separately(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,first,last\n1,a,bc\n2,ab,c\n3,,abc\n")
    with opened(
        file.TYPE, {"type": "file", "url": str(tmp_path)}, {"path": "c.csv", "id": "id"}, "first", "last", match=(0, 1)
    ) as collection:
        assert [record.key for record in collection.find([("ab", "c")])] == ["2"]
        assert [record.key for record in collection.find([(None, "abc")])] == ["3"]


def test_a_scan_continues_after_the_last_id_in_another_process_although_the_file_has_changed(
    contacts_file: Path,
) -> None:
    with contacts(contacts_file.parent) as collection:
        page = collection.scan(None, 2, None)
        assert [record.key for record in page.records] == ["1", "2"]
    contacts_file.write_text("id,name\n4,Dee\n1,Ann\n3,Cyd\n")
    with contacts(contacts_file.parent) as collection:
        assert [record.key for record in collection.scan(page.after, 10, None).records] == ["3", "4"]


def test_deleting_a_missing_record_succeeds_and_writes_nothing(contacts_file: Path) -> None:
    with contacts(contacts_file.parent) as collection:
        ann, *_ = everything(collection)
        assert collection.delete([ann]) == [None]
        before = contacts_file.stat()
        assert collection.delete([ann]) == [None]
        assert collection.update([Write(ann, {0: "Anna"})]) == [Changed()]
        assert contacts_file.stat().st_ino == before.st_ino


def test_a_path_outside_the_connectors_url_is_a_configuration_error(contacts_file: Path) -> None:
    for path in ("../c.csv", str(contacts_file)):
        with (
            pytest.raises(ConfigurationError, match="must be below the connector's url"),
            contacts(contacts_file.parent, path=path),
        ):
            pass


def test_a_directory_that_cannot_be_written_is_a_configuration_error(
    contacts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # to root nothing is forbidden

    with contacts(contacts_file.parent) as collection:
        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        with pytest.raises(ConfigurationError, match=r"connector crm: .*Permission denied"):
            collection.create([["Dee"]])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    with (tmp_path / "c.csv").open("w") as out:
        out.write("id,name\n")
        out.writelines(f"{n},{'x' * 400}\n" for n in range(20_000))
    with contacts(tmp_path) as collection:
        tracemalloc.start()
        try:
            page = collection.scan(None, 100, None)
            while page.after is not None:
                page = collection.scan(page.after, 100, None)
            stored(collection.create([["Dee"]]))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 << 20, "of 8 MiB"


# Another file system: fsspec's own in memory stands for an object store.


@pytest.fixture
def bucket() -> Iterator[Any]:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/c.csv", b"id,name\n1,Ann\n2,Bob\n")
    yield memory
    memory.rm("/bucket", recursive=True)


def test_a_file_of_any_fsspec_url_is_read_and_replaced(bucket: Any) -> None:
    with contacts("memory://bucket") as collection:
        ann, bob = everything(collection)
        assert collection.update([Write(ann, {0: "Anna"})]) == [Record("1", ("Anna",))]
        bucket.pipe_file("/bucket/c.csv", b"id,name\n1,Anna\n2,Bea\n")
        assert collection.delete([bob]) == [Changed()]
        stored(collection.create([["Cyd"]]))
    assert bucket.cat_file("/bucket/c.csv") == b"id,name\n1,Anna\n2,Bea\n3,Cyd\n"


def test_a_change_while_the_new_file_is_uploaded_is_not_overwritten(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = type(bucket).open
    uploads = 0

    def meanwhile(self: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        nonlocal uploads
        uploads += mode == "wb"
        if mode == "wb" and uploads == 1:
            self.pipe_file("/bucket/c.csv", b"id,name\n1,Amy\n2,Bob\n")
        return opening(self, path, mode, **options)

    with contacts("memory://bucket") as collection:
        ann, bob = everything(collection)
        monkeypatch.setattr(type(bucket), "open", meanwhile)
        answers = collection.update([Write(ann, {0: "Anna"}), Write(bob, {0: "Bobby"})])
    assert answers == [Changed(), Record("2", ("Bobby",))]
    assert bucket.cat_file("/bucket/c.csv") == b"id,name\n1,Amy\n2,Bobby\n"
    assert bucket.ls("/bucket", detail=False) == ["/bucket/c.csv"]


def test_a_url_that_no_file_system_serves_is_a_configuration_error() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"connector crm: url or storageOptions: .*nowhere"),
        contacts("nowhere://x"),
    ):
        pass


def test_environment_values_reach_the_file_system_and_no_message(tmp_path: Path) -> None:
    settings = {"url": {"env": "URL"}, "storageOptions": {"target_protocol": {"env": "WORD"}}}
    environ = {"URL": "dir://s3cret/x", "WORD": "s3cret"}
    with (
        pytest.raises(ConfigurationError, match="Protocol not known: …") as caught,
        contacts(tmp_path, settings=settings, environ=environ),
    ):
        pass
    assert "s3cret" not in str(caught.value)
    with (
        pytest.raises(ConfigurationError, match="the environment variable URL is not set"),
        contacts(tmp_path, settings=settings),
    ):
        pass


def test_the_format_follows_from_the_path_s_suffix_or_must_be_set() -> None:
    place = file.TYPE.object_settings
    with pytest.raises(ValueError, match="format must be csv or jsonl"):
        place.model_validate({"path": "contacts.data", "id": "id"})
    with pytest.raises(ValueError, match="JSON Lines are UTF-8"):
        place.model_validate({"path": "c.jsonl", "id": "id", "encoding": "latin-1"})
    assert isinstance(place.model_validate({"path": "contacts.data", "format": "csv", "id": "id"}), place)


def test_a_refused_value_does_not_stop_the_rest_of_a_batch(contacts_file: Path) -> None:
    with contacts(contacts_file.parent, encoding="ascii") as collection:
        ann, bob, _ = everything(collection)
        refused, written = collection.update([Write(ann, {0: "Änne"}), Write(bob, {0: "Bobby"})])
    assert refused == Rejected("ascii has no 'Ä'")
    assert written == Record("2", ("Bobby",))
