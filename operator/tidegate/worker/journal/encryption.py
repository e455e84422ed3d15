"""Encryption of the journal's values with a key that is made of a secret in the environment."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32
_PROOF = b"tidegate journal"


class Cipher:
    """Encrypts what one secret protects; `salt` and `proof` are kept, so that the secret is known again."""

    def __init__(self, secret: str, salt: bytes | None = None) -> None:
        self.salt = salt or os.urandom(_SALT_BYTES)
        # The secret may be a password: to try one takes 50 ms and 16 MiB.
        key = Scrypt(salt=self.salt, length=_KEY_BYTES, n=1 << 14, r=8, p=1).derive(secret.encode())
        self._cipher = ChaCha20Poly1305(key)

    @property
    def proof(self) -> bytes:
        """What only this cipher can decrypt."""
        return self.encrypt(_PROOF, b"")

    def fits(self, proof: bytes) -> bool:
        """Whether the proof is this cipher's."""
        try:
            return self.decrypt(proof, b"") == _PROOF
        except InvalidTag:
            return False

    def encrypt(self, data: bytes, place: bytes) -> bytes:
        """Data that can be decrypted for the same place only."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, place)

    def decrypt(self, data: bytes, place: bytes) -> bytes:
        """What was encrypted. Raises InvalidTag for anything else."""
        return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place)
