"""Encryption of the journal's values with a key derived from a secret in the environment."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32
_PROOF = b"tidegate journal"


class Cipher:
    """Encrypts with one secret; `salt` and `proof` are stored, to recognize the secret later."""

    def __init__(self, secret: str, salt: bytes | None = None) -> None:
        self.salt = salt or os.urandom(_SALT_BYTES)
        # The secret may be a password: each guess costs 50 ms and 16 MiB.
        key = Scrypt(salt=self.salt, length=_KEY_BYTES, n=1 << 14, r=8, p=1).derive(secret.encode())
        self._cipher = ChaCha20Poly1305(key)

    @property
    def proof(self) -> bytes:
        """Data that only this cipher can decrypt."""
        return self.encrypt(_PROOF, b"")

    def fits(self, proof: bytes) -> bool:
        """Whether the proof was made by this cipher."""
        try:
            return self.decrypt(proof, b"") == _PROOF
        except InvalidTag:
            return False

    def encrypt(self, data: bytes, place: bytes) -> bytes:
        """Data that can be decrypted for the same place only."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, place)

    def decrypt(self, data: bytes, place: bytes) -> bytes:
        """The decrypted data. Raises InvalidTag when it was encrypted for another place or with another key."""
        return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place)
