"""Which system an object's ids, links and hashes belong to, and whether a run has reached the same one. Pure.

Two databases of the same shape number their records alike: the same ids stand for other people, or for the same people
at another time. So the signals by which a system identifies itself are stored with the cache. A name that the
configuration gives a system (`identity`) comes from a person, and overrides these signals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class System:
    """The signals that identify a system, such as {"server": "7301", "database": "crm"}, and its configured name.

    `name` is None for a system without a name.
    """

    signals: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None

    @classmethod
    def recall(cls, remembered: Any) -> "System":
        """The system that `plain` has stored."""
        return cls(remembered["signals"], remembered["name"])

    def plain(self) -> dict[str, Any]:
        """Plain data to store."""
        return {"signals": dict(self.signals), "name": self.name}


@dataclass(frozen=True, slots=True)
class Same:
    """It is the same system; `known` is what to remember about it from now on."""

    known: System


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Its signals have changed, and no name confirms that it has moved; `changed` is a clause for messages."""

    changed: str


@dataclass(frozen=True, slots=True)
class Another:
    """The configuration names it as another system; `changed` is a clause for messages."""

    changed: str


def compare(before: System, now: System) -> Same | Unconfirmed | Another:
    """Whether the system that a run has reached is the remembered one.

    A signal that only one of them has is ignored: which signals can be read depends on the user's privileges.
    """
    changed = [name for name in before.signals if before.signals[name] != now.signals.get(name, before.signals[name])]
    if not changed:
        return Same(System({**before.signals, **now.signals}, now.name))
    if now.name is not None and now.name == before.name:
        return Same(now)
    said = ", ".join(f"its {name} was {before.signals[name]} and is {now.signals[name]}" for name in changed)
    if now.name is None:
        return Unconfirmed(said)
    if before.name is None:
        return Same(now)  # naming it after its signals have changed is how a person confirms a move
    return Another(f"its identity was {before.name!r} and is {now.name!r}, and {said}")
