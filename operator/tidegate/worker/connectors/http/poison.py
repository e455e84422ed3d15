"""Whose fault an answer is: the request's, the record's, or the system's. Serves `records` and `resource`.

A record that the API fails on again and again is set aside with the API's words, and the others go on. The same failure
on many records at once is no record's fault.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.worker.connectors import Rejected
from tidegate.worker.errors import RunEnded

# The API refuses these values, and would again.
REFUSED = frozenset((400, 409, 413, 422))

# It refuses the record, be it for a lock, a plan or a right, or fails on it.
FAILING = frozenset((402, 403, 406, 412, 415, 423, 428, 451, 500, 501, 507, 508))

_MANY = 5


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
