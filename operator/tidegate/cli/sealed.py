"""Sealed: a key pair for one plan, in memory only. The worker seals records' values with it; nobody else opens them.

PyNaCl is loaded when it is needed: most commands need no key.
"""

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacl.public import PrivateKey


def _generate() -> "PrivateKey":
    from nacl.public import PrivateKey

    return PrivateKey.generate()


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new one."""

    _private: "PrivateKey" = field(default_factory=_generate, repr=False)

    @property
    def public(self) -> str:
        """What the request carries: an X25519 public key in base64."""
        return base64.b64encode(bytes(self._private.public_key)).decode()

    def open(self, box: str) -> list[str] | None:
        """The lines in a sealed box of the worker; None when it was sealed with another key."""
        from nacl.exceptions import CryptoError
        from nacl.public import SealedBox

        try:
            lines = SealedBox(self._private).decrypt(base64.b64decode(box))
        except (CryptoError, ValueError):
            return None
        return lines.decode(errors="replace").split("\n")
