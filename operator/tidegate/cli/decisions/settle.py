"""Settle: what waits for a decision, and what a person decides → the decisions to be carried out, or a refusal. Pure.

A decision is about what the logs name as waiting. Where they do not name all that waits, it is also taken about what
they do not name, and the run that carries it out says what it found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tidegate.api import names
from tidegate.api.decisions import ALL, NEWEST, Decision, RecordId, digest_of, format_decisions, parse
from tidegate.cli.decisions.change import Change
from tidegate.cli.decisions.goal import Goal, RunEnded
from tidegate.cli.decisions.integration import Integration
from tidegate.cli.errors import RefusedError

# What fits beside everything else that stands in the annotations of a run's Pod.
_LARGEST = 200 * 1024  # bytes
_LONGEST_NUMBER = 18  # digits


class Waiting(NamedTuple):
    """A record, or one field of it, that waits; without a field it waits whole."""

    object: str
    connector: str
    id: str
    field: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; None and (): it does not say."""

    take: str
    ids: Sequence[str] = ()  # none: all records
    object: str | None = None
    connector: str | None = None
    field: str | None = None

    def covers(self, waiting: Waiting) -> bool:
        """Whether this is about it."""
        return (
            self.object in (None, waiting.object)
            and self.connector in (None, waiting.connector)
            and (not self.ids or waiting.id in self.ids)
            and (self.field is None or self.field in (waiting.field, *waiting.field.split("/")))
        )


def decisions_about(asked: Asked, named: Iterable[Waiting], at: str, *, whole: bool) -> tuple[Decision, ...]:
    """The decisions; `whole`: the logs name all that waits. Raises RefusedError where nothing would be settled."""
    covered = [waiting for waiting in named if asked.covers(waiting)]
    settled = [waiting for waiting in covered if waiting.field]
    if not settled and covered:
        raise RefusedError(f"{_title(covered[0])} waits as a whole record, which only an edit of it settles")
    if not asked.ids:
        return tuple(_decision(asked, each, None, ALL, at) for each in _objects(asked, settled, whole=whole))
    return tuple(
        _decision(asked, object_, connector, tuple(map(_id, ids)), at)
        for (object_, connector), ids in _by_side(asked, settled, whole=whole).items()
    )


def _objects(asked: Asked, settled: Sequence[Waiting], *, whole: bool) -> list[str]:
    if asked.object is not None and not whole:
        return [asked.object]
    if not whole:
        raise RefusedError("the logs do not name all that waits: say which object with --object")
    if not settled:
        raise RefusedError("nothing that these options select waits for a decision")
    return list(dict.fromkeys(waiting.object for waiting in settled))


def _by_side(asked: Asked, settled: Sequence[Waiting], *, whole: bool) -> dict[tuple[str, str], list[str]]:
    sides: dict[tuple[str, str], list[str]] = {}
    for id_ in dict.fromkeys(asked.ids):
        found = list(dict.fromkeys((each.object, each.connector) for each in settled if each.id == id_))
        if not found and asked.object and asked.connector and not whole:
            found = [(asked.object, asked.connector)]
        if not found:
            unsure = "; the logs do not name all that waits: to decide it anyway, give --object and --connector"
            raise RefusedError(
                f"no field of record {id_} that these options select waits for a decision{'' if whole else unsure}"
            )
        if len(found) > 1:
            several = ", ".join(f"{object_} of {connector}" for object_, connector in found)
            raise RefusedError(f"several records {id_} wait, {several}: say which with --object and --connector")
        sides.setdefault(found[0], []).append(id_)
    return sides


def _decision(
    asked: Asked, object_: str, connector: str | None, ids: RecordId | tuple[RecordId, ...], at: str
) -> Decision:
    return Decision(object=object_, id=ids, connector=connector, field=asked.field or ALL, take=asked.take, at=at)


def _id(text: str) -> RecordId:
    """A number where it can be one, which is shorter; the worker takes one for the other."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and str(int(text)) == text
    return int(text) if is_number else text


def _title(waiting: Waiting) -> str:
    return f"{waiting.object} {waiting.id} of {waiting.connector}"


def refuse_unknown_side(seen: Integration, take: str) -> None:
    """Raises RefusedError for what cannot be taken, as far as the spec says which connectors there are."""
    connectors = (seen.spec.configuration or {}).get("connectors")
    known = [*connectors, NEWEST] if isinstance(connectors, dict) else []
    if known and take not in known:
        raise RefusedError(f"{take} cannot be taken, only {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Decide:
    """`decide`."""

    at: str  # names the request
    decisions: tuple[Decision, ...]

    def change(self, seen: Integration) -> Change:
        """Add these to those that no run has carried out. Raises RefusedError when no run would carry them out."""
        if seen.spec.has_own_worker:
            raise RefusedError("only the built-in worker carries out decisions, and spec.template names another image")
        pending, note = _pending(seen)
        text = format_decisions((*pending, *self.decisions))
        size = len(text.encode())
        if size > _LARGEST:
            raise RefusedError(
                f"with those that wait to be carried out, the decisions take {size:,} bytes, and a run can be given "
                f"{_LARGEST:,}: decide in several steps, each after the run before has ended"
            )
        annotations: dict[str, str | None] = {names.DECISIONS_ANNOTATION: text}
        when = "the first run that pushes after the next ON"
        if seen.on:
            annotations[names.SYNC_REQUESTED_ANNOTATION] = self.at
            when = "the next run that pushes"
        return Change(f"decided: {when} carries it out{note}", {}, annotations)

    def goal(self, patched: Integration) -> Goal:
        """What `--wait` waits for."""
        return RunEnded(patched.status.runs)


def _pending(seen: Integration) -> tuple[tuple[Decision, ...], str]:
    """The decisions that no run has carried out, and what is to be said of them."""
    text = seen.annotations.get(names.DECISIONS_ANNOTATION)
    if text is None or digest_of(text) == seen.status.handled.decisions:
        return (), ""
    try:
        pending = parse(text)
    except ValueError as error:
        return (), f"; replaced the decisions that stood in the annotation and were refused: {error}"
    return pending, "; earlier decisions that no run has carried out stay" if pending else ""
