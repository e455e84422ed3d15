"""Whose fault an answer is: the request's, the record's, or the system's.

A record that the API fails on again and again is set aside with the API's words, and the others go on. The same failure
on many records at once is no record's fault.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.worker.connectors import Blocked, Rejected
from tidegate.worker.errors import RunEnded

# The API refuses these values, and would again.
_TOO_LARGE = 413
REFUSED = frozenset((400, 409, _TOO_LARGE, 422))

# It refuses the record, be it for a lock, a plan or a right, or fails on it.
FAILING = frozenset((402, 403, 406, 412, 415, 423, 428, 451, 500, 501, 507, 508))

# What APIs say of a value that another record has, and of a record that another one refers to.
_OTHERS = re.compile(
    r"unique|duplicat|already|taken|exist|conflict|referenc|constraint|depend|in use|associated", re.IGNORECASE
)
_CONFLICT = 409

_MANY = 5


def refused(status: int, words: str) -> Rejected:
    """A refusal, which may be another record's fault: then the same write may succeed after that one is written."""
    blocked = status == _CONFLICT or (status != _TOO_LARGE and _OTHERS.search(words))
    return Blocked(words) if blocked else Rejected(words)


@dataclass(frozen=True, slots=True)
class Poison(Rejected):
    """A record that the API fails on; `complaint` is what is raised where it does so on many of them."""

    status: int
    complaint: RunEnded


class PoisonedError(Exception):
    """A record cannot be read."""

    def __init__(self, poison: Poison) -> None:
        super().__init__(poison.reason)
        self.poison = poison


class Blame:
    """Tells a system that fails from a record that it fails on."""

    def __init__(self) -> None:
        self._systems: set[int] = set()

    def judge(self, answers: Iterable[object]) -> None:
        """Raise the complaint when most records of a batch, and not only a few, have met the same failure.

        From then on a few are enough: the engine tries such a batch again in smaller parts.
        """
        all_answers = list(answers)
        failures = [answer for answer in all_answers if isinstance(answer, Poison)]
        for failure in failures:
            alike = sum(other.status == failure.status for other in failures)
            if 2 * alike > len(all_answers) and (alike >= _MANY or failure.status in self._systems):
                self._systems.add(failure.status)
                raise failure.complaint
