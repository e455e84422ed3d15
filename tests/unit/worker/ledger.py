"""Who has entered what, and whether it was lost: the model that every write of the worker is held against.

An entry is a value that no user has entered before. It must not disappear from where it was entered before it has
reached the other side, unless the sync reports a conflict or sets it aside for a human. And no record may be made that
is there already, unless a user made it after the sync had looked.
"""

from collections.abc import Callable, Mapping
from typing import Any

Contacts = Mapping[int, tuple[Any, ...]]


def plain(value: object) -> str:
    """A value as a system that normalises might store it: the same for all its forms."""
    return "" if value is None else str(value).lower()


class Ledger:
    """A Witness."""

    def __init__(self, contacts: Callable[[int], Contacts], synced: Callable[[int], Contacts] | None = None) -> None:
        """`synced` are those of the contacts that a filter does not leave out."""
        self._contacts = contacts
        self._synced = synced or contacts
        self._entries = 0
        self._unseen: dict[str, int] = {}  # entries that have not reached the other side, with where they were made
        self._made_by_users: tuple[set[str], set[str]] = (set(), set())  # since the sync has last looked there
        self._before: Contacts = {}
        self.pushes = True
        self.lost = 0
        self.writes: set[tuple[int, str]] = set()  # what was done to which side
        self.calls = 0  # that write
        self.deleted: tuple[list[str], list[str]] = ([], [])  # by this run: the e-mail addresses, by side

    def entry(self, side: int, name: str) -> str:
        self._entries += 1
        self._unseen[f"{name}{self._entries}"] = side
        return f"{name}{self._entries}"

    def made(self, side: int, email: str) -> None:
        """A user has made a record, or given it another e-mail address."""
        self._made_by_users[side].add(plain(email))

    def accept(self) -> None:
        """Both sides are accepted as they are."""
        self._unseen.clear()

    def set_aside(self, values: set[str]) -> None:
        """These values wait for a human, who has been told."""
        for value in values:
            self._unseen.pop(value, None)

    def unseen(self) -> set[str]:
        """Entries that are still where they were made, and nowhere else."""
        there = [{plain(value) for contact in self._synced(side).values() for value in contact} for side in (0, 1)]
        return {value for value, side in self._unseen.items() if value in there[side]}

    def before(self, side: int, verb: str, items: Any) -> None:
        assert self.pushes, "a read-only run writes"
        self.writes.add((side, verb))
        self.calls += 1
        self._before = self._contacts(side)
        if verb == "create":
            there = {plain(contact[0]) for contact in self._before.values()}
            made = [plain(values[0]) for values in items]
            twice = {email for email in made if email in there or made.count(email) > 1}
            assert twice <= self._made_by_users[side], "a record is made a second time"

    def after(self, side: int, verb: str, items: Any) -> None:
        if verb in ("get", "find"):
            self._made_by_users[side].clear()
        if verb not in ("create", "update", "delete"):
            return
        now = self._contacts(side)
        if verb == "delete":
            self.deleted[side].extend(plain(self._before[rid][0]) for rid in self._before.keys() - now.keys())
        for rid, contact in self._before.items():
            for value in set(map(plain, contact)) - set(map(plain, now.get(rid, ()))):
                if self._unseen.pop(value, None) is not None:
                    self.lost += 1
        for value in {plain(value) for contact in now.values() for value in contact}:
            if self._unseen.get(value, side) != side:
                del self._unseen[value]
