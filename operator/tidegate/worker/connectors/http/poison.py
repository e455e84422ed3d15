"""Classifies failed writes: the request, the record or the system is at fault.

A record on which the API keeps failing is set aside with the API's error text, and the other records go on. When many
records at once meet the same failure, the system or the configuration is at fault.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.worker.connectors import Blocked, Rejected
from tidegate.worker.errors import RunEnded

# Statuses that refuse these values permanently.
_TOO_LARGE = 413
REFUSED = frozenset((400, 409, _TOO_LARGE, 422))

# Statuses that may concern one record, such as a lock, a plan limit or a missing right, or a failure on it.
FAILING = frozenset((402, 403, 406, 412, 415, 423, 428, 451, 500, 501, 507, 508))

# Error texts for a value that another record has, and for a record that another one refers to.
_OTHERS = re.compile(
    r"unique|duplicat|already|taken|exist|conflict|referenc|constraint|depend|in use|associated", re.IGNORECASE
)
_CONFLICT = 409

_MANY = 5


def refused(status: int, words: str) -> Rejected:
    """A refusal. Blocked if another record may be the cause: the write may succeed after that record is written."""
    blocked = status == _CONFLICT or (status != _TOO_LARGE and _OTHERS.search(words))
    return Blocked(words) if blocked else Rejected(words)


@dataclass(frozen=True, slots=True)
class Poison(Rejected):
    """A record on which the API fails; `complaint` is the error to raise when many records fail alike."""

    status: int
    complaint: RunEnded


class PoisonedError(Exception):
    """A record cannot be read."""

    def __init__(self, poison: Poison) -> None:
        super().__init__(poison.reason)
        self.poison = poison


class Blame:
    """Tells a failing system from a failing record."""

    def __init__(self) -> None:
        self._systems: set[int] = set()

    def judge(self, answers: Iterable[object]) -> None:
        """Raise the complaint when most records of a batch, and more than a few, have met the same failure.

        After that a few are enough, because the run retries such a batch in smaller parts.
        """
        all_answers = list(answers)
        failures = [answer for answer in all_answers if isinstance(answer, Poison)]
        for failure in failures:
            alike = sum(other.status == failure.status for other in failures)
            if 2 * alike > len(all_answers) and (alike >= _MANY or failure.status in self._systems):
                self._systems.add(failure.status)
                raise failure.complaint
