"""A refresh token that outlives a run: encrypted with the client secret, in the directory for connectors' credentials.

An authorization server may replace a refresh token whenever it is used. The new token is kept with a hash of the token
in the environment that it descends from. When the token in the environment changes, it takes precedence.
"""

import base64
import json
import os
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_SALT_BYTES = 16
# The space to reserve before a request, for any token in its answer: a full volume must show up before a token is used
# up.
_ROOM_BYTES = 16_384


class ForeignKeyError(Exception):
    """The kept token was encrypted with another client secret."""


class KeptToken:
    """The refresh token of one connector."""

    def __init__(self, path: Path, given: str, client_secret: str) -> None:
        """`given` is the token in the environment."""
        self._path = path
        self._draft = path.with_name(f"{path.name}.new")
        self._given = given
        self._secret = client_secret

    def read(self) -> str:
        """The token to use next. Raises ForeignKeyError."""
        try:
            kept = json.loads(self._path.read_text())
            salt, given, encrypted = bytes.fromhex(kept["salt"]), kept["given"], kept["token"]
        except (OSError, ValueError, KeyError, TypeError):
            return self._given
        if given != self._descent(salt):
            return self._given
        try:
            return self._cipher(salt).decrypt(encrypted).decode()
        except InvalidToken:
            raise ForeignKeyError from None

    def reserve(self) -> None:
        """Reserve the space for a token. Raises OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(b" " * _ROOM_BYTES)

    def keep(self, token: str) -> None:
        """Store a token durably. Raises OSError."""
        salt = os.urandom(_SALT_BYTES)
        encrypted = self._cipher(salt).encrypt(token.encode()).decode()
        self._write(json.dumps({"salt": salt.hex(), "given": self._descent(salt), "token": encrypted}).encode())
        self._draft.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _write(self, content: bytes) -> None:
        # Written in place, so that the reserved space stays allocated.
        descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def _descent(self, salt: bytes) -> str:
        return sha256(salt + self._given.encode()).hexdigest()

    def _cipher(self, salt: bytes) -> Fernet:
        key = Scrypt(salt=salt, length=32, n=1 << 14, r=8, p=1).derive(self._secret.encode())
        return Fernet(base64.urlsafe_b64encode(key))
