"""Which system an object's ids, links and hashes are of, and whether a run has reached the same one. Pure.

Two databases of the same shape number their records alike: under the same ids they hold other people, or the same
people at another time. What a system tells about itself is therefore remembered with the cache. The name that the
configuration gives a system (`identity`) is a person's word, and counts for more than what the system tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class System:
    """What tells a system from others, such as {"server": "7301", "database": "crm"}, and the name that it was given.

    `name` is None for a system without a name.
    """

    signals: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None

    @classmethod
    def recall(cls, remembered: Any) -> "System":
        """The system as `plain` wrote it."""
        return cls(remembered["signals"], remembered["name"])

    def plain(self) -> dict[str, Any]:
        """Plain data, to be remembered."""
        return {"signals": dict(self.signals), "name": self.name}


@dataclass(frozen=True, slots=True)
class Same:
    """It is the same system; `known` is what is to be remembered of it from now on."""

    known: System


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Its signals have changed, and no name says that it has moved; `changed` is a clause for messages."""

    changed: str


@dataclass(frozen=True, slots=True)
class Another:
    """The configuration names it as another system; `changed` is a clause for messages."""

    changed: str


def compare(before: System, now: System) -> Same | Unconfirmed | Another:
    """Whether the system that a run has reached is the one that is remembered.

    Signals that only one of them has say nothing: what may be read depends on the user's rights.
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
        return Same(now)  # to name it after the signals have changed is how a person says that it has moved
    return Another(f"its identity was {before.name!r} and is {now.name!r}, and {said}")
