"""The keys of the journal's runs: each run keeps the key that it was encrypted with, so that the secret may change."""

import sqlite3

from cryptography.exceptions import InvalidTag

from tidegate.worker.errors import CacheUnusable, ConfigurationError
from tidegate.worker.journal.encryption import Cipher

SCHEMA = "CREATE TABLE key (number INTEGER PRIMARY KEY, salt BLOB NOT NULL, proof BLOB NOT NULL)"


class Keys:
    """The keys of one journal; those made from this process's secret can be used."""

    def __init__(self, db: sqlite3.Connection, secret: str | None) -> None:
        self._db = db
        self._secret = secret
        self._ciphers: dict[int, Cipher | None] = {}

    def own(self) -> int | None:
        """The number of the present secret's key; None without a secret."""
        if self._secret is None:
            return None
        for number, salt, proof in self._db.execute("SELECT number, salt, proof FROM key ORDER BY number DESC"):
            cipher = Cipher(self._secret, salt)
            if cipher.fits(proof):
                self._ciphers[number] = cipher
                return int(number)
        cipher = Cipher(self._secret)
        added = self._db.execute("INSERT INTO key (salt, proof) VALUES (?, ?)", (cipher.salt, cipher.proof))
        assert added.lastrowid is not None  # noqa: S101
        self._ciphers[added.lastrowid] = cipher
        return added.lastrowid

    def of_run(self, run: int) -> Cipher | None:
        """The cipher of a run; None for an unencrypted run. Raises ConfigurationError when the secret is another."""
        ((number,),) = self._db.execute("SELECT key FROM run WHERE run = ?", (run,))
        if number is None:
            return None
        if number not in self._ciphers:
            ((salt, proof),) = self._db.execute("SELECT salt, proof FROM key WHERE number = ?", (number,))
            cipher = None if self._secret is None else Cipher(self._secret, salt)
            self._ciphers[number] = cipher if cipher is not None and cipher.fits(proof) else None
        if (fitting := self._ciphers[number]) is None:
            given = "spec.sync.journal.key is not set" if self._secret is None else "spec.sync.journal.key is another"
            raise ConfigurationError(
                f"the journal of run {run} is encrypted, and {given}: give the key that the run was made with"
            )
        return fitting

    def opened(self, run: int, place: bytes, content: bytes) -> bytes:
        """The decrypted content of a place. Raises CacheUnusable when it was altered."""
        cipher = self.of_run(run)
        try:
            return content if cipher is None else cipher.decrypt(content, place)
        except InvalidTag:
            raise CacheUnusable(f"the journal has been altered: values of run {run} cannot be decrypted") from None

    def forget(self) -> None:
        """Forget the keys of runs that are no longer recorded."""
        self._db.execute("DELETE FROM key WHERE number NOT IN (SELECT key FROM run WHERE key IS NOT NULL)")
        self._ciphers.clear()
