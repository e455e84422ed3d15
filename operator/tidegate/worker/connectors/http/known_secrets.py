"""The secrets of a connector, so that none of them is shown or stored."""

from urllib.parse import quote, unquote_plus

from tidegate.worker.connectors.settings import hidden


class KnownSecrets:
    """Secrets, in the order in which they were added."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> str:
        """Add a secret, and return it."""
        if text and text not in self._texts:
            self._texts.append(text)
        return text

    def hidden(self, said: str) -> str:
        """Text from a system on one short line, with secrets removed."""
        return hidden(said, self._texts)

    def sealed(self, url: str) -> str:
        """A URL with placeholders for secrets, safe to store; `unsealed` reverses it."""
        place, mark, query = url.partition("?")
        parts = []
        for part in query.split("&"):
            name, equals, value = part.partition("=")
            plain = unquote_plus(value)
            number = self._texts.index(plain) if plain in self._texts else None
            parts.append(part if number is None else f"{name}{equals}{{secret {number}}}")
        return f"{place}{mark}{'&'.join(parts)}"

    def unsealed(self, url: str) -> str:
        """The URL that was sealed."""
        for number, secret in enumerate(self._texts):
            url = url.replace(f"{{secret {number}}}", quote(secret, safe=""))
        return url
