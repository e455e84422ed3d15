"""Lists of records, page by page. Serves `resource`."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tidegate.worker.connectors import Description, Record, Token
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.documents import Documents
from tidegate.worker.connectors.http.paging import next_token, place_of
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.json_documents import Document, value_at
from tidegate.worker.errors import ConfigurationError, SystemFailed

# What an API says to a page beyond the last one, or to a token that it does not know any more.
_NO_SUCH_PAGE = (400, 404, 410, 422)
_EXPIRED = (404, 410)
_REFUSED = (400, 404, 414, 422)


class ListPage(NamedTuple):
    """Some records, the token after which the list goes on, and the answer that they came in."""

    records: list[Record]
    after: Token | None
    answer: Answer


class RefusedListError(ConfigurationError):
    """The API answers that a list cannot be asked for like this: a setting is wrong, or a value that is sought."""


class Listing:
    """The lists of one resource."""

    def __init__(self, client: Client, documents: Documents, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, ResourceSettings)  # noqa: S101
        self._client = client
        self._documents = documents
        self._title = description.title
        self._settings = settings
        # Where the lists of this process go on, by filters and token, and what was on the page before. A token of
        # another process may be too old.
        self._given: dict[tuple[str, str], int] = {}
        self._checked = False

    def check(self) -> None:
        """Raise ConfigurationError when there is no such list."""
        self.page(None, {})
        self._given.clear()

    def page(self, after: Token | None, filters: Mapping[str, str], limit: int | None = None) -> ListPage:
        """A page of what the filters let through; after a token that has expired, the first one again."""
        place = place_of(self._settings.paging, after)
        parameters = () if place.url else (*self._parameters(filters, limit), *place.parameters)
        answer = self._client.send("GET", place.url or self._settings.path, parameters)
        if answer.status in _NO_SUCH_PAGE and after is not None:
            if self._settings.paging.page is not None:
                return ListPage([], None, answer)
            if _name(filters, after) not in self._given:
                # To read records again does no harm; to miss some would look as if they were deleted.
                return self.page(None, filters, limit)
            if answer.status in _EXPIRED:
                raise SystemFailed(f"{self._title}: the list broke off: {self._client.words(answer)}")
        if not answer.is_success:
            error = self._client.complaint("GET", self._settings.path, answer, "see path, query and paging")
            raise RefusedListError(str(error)) if answer.status in _REFUSED else error
        return self._read(after, filters, answer)

    def _parameters(self, filters: Mapping[str, str], limit: int | None) -> list[tuple[str, str]]:
        parameters = {**self._settings.query, **filters}
        size = self._settings.page_size
        if size is not None:
            parameters[size.parameter] = str(min(size.records, limit or size.records))
        return list(parameters.items())

    def _read(self, after: Token | None, filters: Mapping[str, str], answer: Answer) -> ListPage:
        try:
            body = answer.document()
        except ValueError as error:
            raise SystemFailed(f"{self._title}: the answer is not JSON: {error}") from None
        documents = self._items(body)
        records = [self._documents.record(document) for document in documents]
        if not self._checked:
            self._documents.check(documents)
            self._checked = True
        self._documents.learn(records)
        keys = [record.key for record in records]
        following = next_token(self._settings.paging, after, answer, body, keys)
        mark = hash(tuple(keys))
        if (after is not None and following == after) or (keys and self._given.get(_name(filters, after)) == mark):
            raise ConfigurationError(
                f"{self._title}: paging: the API answers the page after {after!r} with the same page"
            )
        if following is not None:
            self._given[_name(filters, following)] = mark
        # A record that is there twice is there once.
        return ListPage(list({record.key: record for record in records}.values()), following, answer)

    def _items(self, body: Any) -> list[Document]:
        name = self._settings.items
        found = body if name is None else value_at(body, name) if isinstance(body, dict) else None
        if isinstance(found, list):
            return found
        has = f"it has {', '.join(map(str, body))}" if isinstance(body, dict) else "it is no JSON object"
        if name is None:
            raise ConfigurationError(f"{self._title}: items must say where the list is in an answer; {has}")
        raise ConfigurationError(f"{self._title}: items: the answer has no list {name}; {has}")

    def all(self, filters: Mapping[str, str]) -> Iterator[ListPage]:
        """All pages of what the filters let through."""
        page = self.page(None, filters)
        yield page
        while page.after is not None:
            page = self.page(page.after, filters)
            yield page


def _name(filters: Mapping[str, str], token: Token | None) -> tuple[str, str]:
    return repr(sorted(filters.items())), repr(token)
