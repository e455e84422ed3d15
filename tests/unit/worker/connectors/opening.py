"""Open a connector's collection as a run does: what the tests of single connectors begin with."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tidegate.worker.connectors import Collection, ConnectorType, Description, FieldUse, Record


@contextmanager
def opened(
    kind: ConnectorType,
    settings: Mapping[str, Any],
    place: Mapping[str, Any],
    *fields: str,
    match: Sequence[int] = (0,),
    casefold: Sequence[str] = (),
    written: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Collection]:
    """One object's records, as its connector's and its own settings say."""
    uses = tuple(FieldUse(name, written, ("casefold",) if name in casefold else ()) for name in fields)
    parsed = kind.object_settings.model_validate(place)
    description = Description("object contact, connector crm", parsed, uses, tuple(match), written)
    connector = kind.connect(kind.settings.model_validate(settings), environ or {}, "crm")
    try:
        yield connector.open(description)
    finally:
        connector.close()


def everything(collection: Collection, limit: int = 100) -> list[Record]:
    """All records of a whole scan."""
    records: list[Record] = []
    after = None
    while True:
        page = collection.scan(after, limit, None)
        records += page.records
        after = page.after
        if after is None:
            return records


def stored(answers: Sequence[object]) -> list[Record]:
    """Answers that must all be records."""
    found = [answer for answer in answers if isinstance(answer, Record)]
    assert len(found) == len(answers), answers
    return found
