"""Reads single records by id.

A list may show fewer fields of a record than the answer by id, or more. Fields that only one of them has would appear
and disappear from run to run. So a summary is completed by id, and a field that only the list has is a configuration
error.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.client import Client, Failing
from tidegate.worker.connectors.http.documents import BadItemError, Documents
from tidegate.worker.connectors.http.exchange import TooLargeError
from tidegate.worker.connectors.http.listing import Listing
from tidegate.worker.connectors.http.poison import FAILING, REFUSED, Blame, Poison, PoisonedError
from tidegate.worker.connectors.http.pool import Pool
from tidegate.worker.connectors.http.reader import pages
from tidegate.worker.connectors.http.settings import Batch, ResourceSettings
from tidegate.worker.connectors.http.templates import url_part
from tidegate.worker.connectors.json_documents import Document, value_at
from tidegate.worker.errors import ConfigurationError, SystemFailed

GONE = (404, 410)

# This many records that the list does not show completely are compared with the answers by id.
_SAMPLES = 3


class Seen(NamedTuple):
    """A record as read by its id."""

    record: Record
    document: Document
    etag: str | None


class Records:
    """The records of one resource, by id."""

    def __init__(
        self, client: Client, pool: Pool, listing: Listing, documents: Documents, description: Description
    ) -> None:
        settings = description.settings
        assert isinstance(settings, ResourceSettings)  # noqa: S101
        self._client = client
        self._pool = pool
        self._listing = listing
        self._documents = documents
        self._settings = settings
        self._title = description.title
        self._samples = _SAMPLES
        self._compared = False
        self._is_summary = False
        self._blame = Blame()
        # What the last `read_all` could not read, and why.
        self.unread: dict[Key, str] = {}

    def read(self, key: Key, *, of_any_kind: bool = False, finishing: bool = False) -> Seen | None:
        """One record; None when it is gone, marked as deleted, or only a stub.

        With `of_any_kind` the record's id may be a number where `key` is its text. Raises PoisonedError. See
        Client.send for `finishing`.
        """
        path = self.path(key)
        try:
            answer = self._client.send("GET", path, of_record=True, finishing=finishing)
        except TooLargeError as error:
            raise PoisonedError(Poison(str(error), 0, error)) from None
        except Failing as error:
            if error.answer is None or error.answer.status not in FAILING:
                raise
            raise PoisonedError(Poison(str(error), error.answer.status, error)) from None
        if answer.status in GONE:
            return None
        if not answer.is_success:
            complaint = self._client.complaint("GET", path, answer)
            if answer.status in FAILING | REFUSED:
                raise PoisonedError(Poison(str(complaint), answer.status, complaint))
            raise complaint
        try:
            document = self.document(answer)
            record = self._documents.record(document)
        except (SystemFailed, BadItemError) as error:
            raise PoisonedError(Poison(str(error), 0, error)) from None
        if record.key != key and not (of_any_kind and str(record.key) == str(key)):
            raise ConfigurationError(f"{self._title}: the record at {path} has the {self._settings.id} {record.key!r}")
        if self._documents.is_deleted(document) or self._documents.is_stub(document):
            return None
        return Seen(record, document, answer.etag)

    def read_all(self, keys: Sequence[Key]) -> dict[Key, Seen]:
        """The records that exist; `unread` then has those that cannot be read."""

        def read(key: Key) -> Seen | Poison | None:
            try:
                return self.read(key)
            except PoisonedError as error:
                return error.poison

        answers = self._pool.each(read, keys)
        self._blame.judge(answers)
        found = list(zip(keys, answers, strict=True))
        self.unread = {key: answer.reason for key, answer in found if isinstance(answer, Poison)}
        return {key: answer for key, answer in found if isinstance(answer, Seen)}

    def read_together(self, keys: Sequence[Key], batch: Batch) -> dict[Key, Record]:
        """The records that the API answers, read in batches.

        An API may answer fewer records than requested: that a record is missing is certain only from its own answer.
        """

        def ask(some: Sequence[Key]) -> dict[Key, Record]:
            found: dict[Key, Record] = {}
            for page in pages(self._listing, {batch.parameter: ",".join(map(str, some))}):
                found |= {record.key: record for record in page.records}
                if not found.keys() <= set(some):
                    raise ConfigurationError(f"{self._title}: batch: the API answers {batch.parameter} with others too")
            return found

        parts = [keys[start : start + batch.size] for start in range(0, len(keys), batch.size)]
        return {key: record for found in self._pool.each(ask, parts) for key, record in found.items()}

    def path(self, key: Key) -> str:
        """The path of a record."""
        text = url_part(key)
        if text is None:
            complaint = ConfigurationError(f"{self._title}: the id {key!r} cannot be a part of a URL")
            raise PoisonedError(Poison(str(complaint), 0, complaint))
        return self._settings.record_template.replace("{id}", text)

    def document(self, answer: Answer) -> Any:
        """The record in an answer for a single record."""
        try:
            body = answer.document()
        except ValueError as error:
            raise SystemFailed(f"{self._title}: {self._client.not_json(answer, error)}") from None
        name = self._settings.item
        return value_at(body, name) if name is not None and isinstance(body, dict) else body

    def completed(self, listed: Sequence[Record]) -> list[Record]:
        """Complete the records of a list with the fields that only the answers by id show.

        Raises ConfigurationError where the answers by id show less than the list.
        """
        wanting = [record for record in listed if self._documents.is_wanting(record)]
        if not self._compared:
            self._compare(listed)
        for record in wanting[: self._samples]:
            if self._is_summary:
                break
            self._samples -= 1
            seen = self.read_all([record.key]).get(record.key)
            self._is_summary = seen is not None and self._documents.shows_more(seen.document, record)
        if not self._is_summary:
            return list(listed)
        whole = self.read_all([record.key for record in wanting])
        return [whole[record.key].record if record.key in whole else record for record in listed]

    def _compare(self, listed: Sequence[Record]) -> None:
        """Compares two records, because one may be edited between the two answers about it."""
        left_out: list[set[str]] = []
        for record in listed[:2]:
            if (seen := self.read_all([record.key]).get(record.key)) is not None:
                self._compared = True
                left_out.append(self._documents.left_out(seen.document, record))
                if not left_out[-1]:
                    return
        if left_out and (names := set.intersection(*left_out)):
            raise ConfigurationError(
                f"{self._title}: the answer at {self.path(listed[0].key)} leaves out {', '.join(sorted(names))}, which "
                "the list has; see item and recordPath, or take the field out"
            )
        if not self._compared:
            self._check_record_path(listed)

    def _check_record_path(self, listed: Sequence[Record]) -> None:
        """Raise ConfigurationError where the API has none of several listed records by its id, and still lists one.

        Without this nothing would be synced, and nothing said: a record that is gone by its id counts as deleted since.
        """
        keys = [record.key for record in listed[:: max(1, len(listed) // _SAMPLES)]][:_SAMPLES]
        if self.read_all(keys) or self.unread or not keys:
            return
        still = next((key for key in self._listing.fetch(None, {}).keys if key in keys), None)
        if still is not None:
            raise ConfigurationError(
                f"{self._title}: recordPath: the list has the record {still}, and the API has none at "
                f"{self.path(still)}; see recordPath, item and id"
            )
