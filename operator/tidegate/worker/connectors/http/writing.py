"""Creates, updates and deletes records of one resource.

Compare-and-set: with ETags the API compares. Without them the record is read right before it is written, and an edit
between the two is overwritten. An unanswered request is not repeated blindly: the record is read to find out whether it
was carried out. An unanswered create has no id to read by, so it ends the run; the next run looks the record up first.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from tidegate.worker.connectors import (
    Changed,
    Description,
    Key,
    Postponed,
    Record,
    Rejected,
    Write,
    is_as_expected,
)
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.bodies import Bodies
from tidegate.worker.connectors.http.client import Client, Unanswered
from tidegate.worker.connectors.http.documents import BadItemError, Documents
from tidegate.worker.connectors.http.oauth2 import NoTokenError
from tidegate.worker.connectors.http.poison import FAILING, REFUSED, Blame, Poison, PoisonedError, refused
from tidegate.worker.connectors.http.pool import Pool
from tidegate.worker.connectors.http.records import GONE, Records, Seen
from tidegate.worker.connectors.http.search import Finder
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.http.templates import in_path
from tidegate.worker.connectors.http.turns import ClosedError
from tidegate.worker.connectors.json_documents import Document, key_of
from tidegate.worker.errors import ConfigurationError, Paused, SystemFailed
from tidegate.worker.values.normal_form import MISSING, Value, normal

_NOT_ALLOWED = 405
_OUTDATED = 412

# How often an unanswered write is computed and sent again.
_ATTEMPTS = 4

# Why no further request is sent.
_ENDS = (Paused, ClosedError, NoTokenError)

# How often to check that a deleted record is gone: some APIs delete with a delay.
_LOOKS = 3


class Writer:
    """The writes of one resource; Collection documents the results."""

    def __init__(
        self,
        client: Client,
        pool: Pool,
        records: Records,
        documents: Documents,
        finder: Finder | None,
        description: Description,
    ) -> None:
        settings = description.settings
        assert isinstance(settings, ResourceSettings)  # noqa: S101
        self._client = client
        self._pool = pool
        self._records = records
        self._documents = documents
        self._finder = finder
        self._settings = settings
        self._title = description.title
        self._match = description.match
        names = [field.name for field in description.fields]
        parent = settings.parent_field
        self._parent = names.index(parent) if parent in names else None  # the field that names a record's parent
        self._bodies = Bodies(settings)
        self._blame = Blame()
        # The records that were read last, with ETags: they need not be read again before a write.
        self._seen: dict[Key, Seen] = {}
        # An API may send weak ETags and compare strongly: with those it accepts no write.
        self._etags_serve = True

    def has_read(self, seen: Mapping[Key, Seen]) -> None:
        """Note records that were read in order to be written."""
        self._seen = {key: found for key, found in seen.items() if found.etag}

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record | Rejected | Postponed]:
        try:
            answers = self._made_all_the_same(records, self._pool.each(self._create, records))
            self._blame.judge(answers)
        except Exception:
            if self._finder is not None:
                self._finder.doubt([self._match_values(values) for values in records])  # some may have been created
            raise
        self._note(answers)
        return answers

    def _create(self, values: Sequence[Value]) -> Record | Rejected | Postponed:
        try:
            content, headers = self._bodies.new(self._documents.new(values))
            path = self._path_of_new(values)
        except ValueError as error:
            return Rejected(str(error))
        try:
            answer = self._client.send("POST", path, content=content, headers=headers, of_record=True)
        except Unanswered as error:
            return self._poison(error)
        except _ENDS as end:
            return Postponed(end)
        if self._parent is not None and answer.status in GONE:
            return Rejected(
                f"{path} is not there, which {self._settings.parent_field} names: {self._client.words(answer)}"
            )
        if answer.status in REFUSED:
            return refused(answer.status, self._client.words(answer))
        if not answer.is_success:
            complaint = self._client.complaint("POST", path, answer, "records cannot be created")
            if answer.status not in FAILING:
                raise complaint
            return Poison(self._client.words(answer), answer.status, complaint)
        try:
            return self._created(answer, values)
        except _ENDS as end:
            return Postponed(end, in_doubt=True)
        except (PoisonedError, BadItemError) as error:
            raise SystemFailed(f"{self._title}: a new record cannot be read: {error}") from None

    def _path_of_new(self, values: Sequence[Value]) -> str:
        """Where a record is created. Raises ValueError when it does not say below which parent."""
        if self._parent is None:
            return self._settings.path
        parent = values[self._parent]
        if parent is None or parent is MISSING:
            raise ValueError(f"{self._settings.parent_field} is empty, which says below which record it is created")
        return in_path(self._settings.path, parent)

    def _match_values(self, values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(values[i] for i in self._match)

    def _made_all_the_same(
        self, records: Sequence[Sequence[Value]], answers: Sequence[Record | Rejected | Postponed]
    ) -> list[Record | Rejected | Postponed]:
        """Replace failures with records where the API created them although it reported a failure."""
        unsure = [n for n, it in enumerate(answers) if isinstance(it, Poison) and isinstance(it.complaint, Unanswered)]
        if not unsure or self._finder is None:
            return list(answers)
        sought = {n: self._match_values(records[n]) for n in unsure}
        self._finder.doubt(list(sought.values()))
        by_match: dict[tuple[str | None, ...], list[Record]] = defaultdict(list)
        try:
            found_now = self._finder.find(list(sought.values()))
        except _ENDS as end:
            return [Postponed(end, in_doubt=True) if n in sought else answer for n, answer in enumerate(answers)]
        for record in found_now:
            by_match[tuple(normal(record.values[i]) for i in self._match)].append(record)
        known = list(answers)
        for n, wanted in sought.items():
            found = by_match[tuple(map(normal, wanted))]
            known[n] = found[0] if len(found) == 1 else answers[n]
        return known

    def _created(self, answer: Answer, sent: Sequence[Value]) -> Record:
        document = self._records.document(answer)
        if self._documents.says_all(document):
            return self._documents.record(document)
        key = key_of(document, self._settings.id) if isinstance(document, dict) else None
        if key is None:  # the answer may only have its location
            location = answer.headers.get("location")
            if location is None:
                raise ConfigurationError(
                    f"{self._title}: the answer to a new record has neither its {self._settings.id} nor a Location"
                )
            found = self._client.send("GET", self._client.beside(answer, location), finishing=True)
            if not found.is_success:
                raise self._client.complaint("GET", location, found)
            return self._documents.record(self._records.document(found))
        # Some APIs answer a create with the id as a text, and use a number everywhere else.
        seen = self._records.read(key, of_any_kind=True, finishing=True)
        if seen is not None:
            return seen.record
        # Reads may lag behind writes. The record was created; where the answer omits a field, it holds what was sent.
        answered = self._documents.record(document)
        held = (mine if shown is MISSING else shown for shown, mine in zip(answered.values, sent, strict=True))
        return answered._replace(values=tuple(held))

    def update(self, writes: Sequence[Write]) -> Sequence[Record | Changed | Rejected]:
        answers = self._pool.each(self._update, writes)
        self._blame.judge(answers)
        self._note(answers)
        return answers

    def _update(self, write: Write) -> Record | Changed | Rejected:
        expected, values = write
        method = self._settings.update

        def content(document: Document) -> tuple[bytes, dict[str, str]]:
            return self._bodies.edited(
                expected.key, self._documents.edited(document, values, whole=self._settings.updates_all)
            )

        def send(seen: Seen, headers: Mapping[str, str]) -> Answer:
            body, media_type = content(seen.document)
            return self._client.send(
                method, self._records.path(expected.key), (), body, {**headers, **media_type}, of_record=True
            )

        def is_done(seen: Seen | None) -> bool:
            return seen is not None and all(normal(seen.record.values[i]) == normal(v) for i, v in values.items())

        try:
            content({})
        except ValueError as error:
            return Rejected(str(error))
        try:
            done = self._write(method, expected, send, is_done)
            if isinstance(done, (Changed, Rejected)):
                return done
            if done is not None and done.content and self._documents.says_all(document := self._records.document(done)):
                return self._documents.record(document)
            seen = self._records.read(expected.key, finishing=True)
        except _ENDS as end:
            return Postponed(end, in_doubt=True)
        except BadItemError as error:
            return Rejected(f"it was written, and cannot be read: {error}")
        except ValueError as error:  # a concurrent edit left no place for the value
            return Rejected(str(error))
        except PoisonedError as error:
            return error.poison
        return Changed() if seen is None else seen.record

    def delete(self, expected: Sequence[Record]) -> Sequence[Changed | Rejected | None]:
        answers = self._pool.each(self._delete, expected)
        self._blame.judge(answers)
        gone = [record.key for record, answer in zip(expected, answers, strict=True) if answer is None]
        if self._finder is not None:
            self._finder.note([], gone)
        return answers

    def _delete(self, expected: Record) -> Changed | Rejected | None:
        def send(_: Seen, headers: Mapping[str, str]) -> Answer:
            return self._client.send("DELETE", self._records.path(expected.key), headers=headers, of_record=True)

        try:
            done = self._write("DELETE", expected, send, lambda seen: seen is None)
            if isinstance(done, (Changed, Rejected)):
                return done
            for attempt in range(_LOOKS if done is not None else 0):
                if self._records.read(expected.key, finishing=True) is None:
                    return None
                if self._client.turns.is_stopping:
                    return Postponed(Paused("paused by SIGTERM while a delete was carried out"))
                self._client.pause(attempt)
        except _ENDS as end:
            return Postponed(end, in_doubt=True)
        except PoisonedError as error:
            return error.poison
        if done is None:
            return None
        return Rejected(
            f"{done.status} is answered to its delete, and it is still there; if one of its fields marks it deleted, "
            "name that field in the setting deleted"
        )

    def _write(
        self,
        method: str,
        expected: Record,
        send: Callable[[Seen, Mapping[str, str]], Answer],
        is_done: Callable[[Seen | None], bool],
    ) -> Answer | Changed | Rejected | None:
        """Write what is still as expected; None when there is nothing left to do."""
        seen = self._seen.pop(expected.key, None) if self._etags_serve else None
        try:
            if seen is None or not is_as_expected(seen.record, expected):
                seen = self._records.read(expected.key)
        except _ENDS as end:
            return Postponed(end)
        for attempt in range(_ATTEMPTS):
            has_left = seen is not None and not attempt and self._documents.is_outside(seen.document)
            if seen is None or has_left or not is_as_expected(seen.record, expected):
                return None if is_done(seen) and (attempt or seen is None) else Changed()
            headers = {"if-match": seen.etag} if seen.etag and self._etags_serve else {}
            try:
                answer = send(seen, headers)
            except Unanswered as error:
                if attempt == _ATTEMPTS - 1:
                    return self._poison(error)
                self._client.pause(attempt)
                seen = self._records.read(expected.key, finishing=True)
                continue
            except _ENDS as end:
                return Postponed(end)  # and an earlier request was not carried out
            if answer.status == _OUTDATED and headers:
                etag, seen = seen.etag, self._records.read(expected.key, finishing=True)
                # Weak ETags that the API compares strongly, or that differ each time, never match.
                if seen is not None and (seen.etag == etag or (attempt and is_as_expected(seen.record, expected))):
                    self._etags_serve = False
                continue
            return self._judged(method, expected.key, answer)
        return Changed()

    def _poison(self, error: Unanswered) -> Poison:
        """The failure as one of this record. Raises the error where the API does not report such a failure."""
        if error.answer is None or error.answer.status not in FAILING:
            raise error
        return Poison(self._client.words(error.answer), error.answer.status, error)

    def _judged(self, method: str, key: Key, answer: Answer) -> Answer | Changed | Rejected | None:
        if answer.is_success:
            return answer
        if answer.status in GONE:
            return None if method == "DELETE" else Changed()
        if answer.status in REFUSED:
            return refused(answer.status, self._client.words(answer))
        if answer.status in FAILING:
            complaint = self._client.complaint(method, self._records.path(key), answer)
            return Poison(self._client.words(answer), answer.status, complaint)
        advice = "see update" if answer.status == _NOT_ALLOWED and method != "DELETE" else ""
        raise self._client.complaint(method, self._records.path(key), answer, advice)

    def _note(self, answers: Sequence[Record | Changed | Rejected]) -> None:
        if self._finder is not None:
            self._finder.note([answer for answer in answers if isinstance(answer, Record)])
