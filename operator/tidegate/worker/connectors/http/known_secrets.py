"""The secrets that a connector knows, so that none of them is shown or kept."""

from urllib.parse import quote, unquote_plus

from tidegate.worker.connectors.settings import hidden


class KnownSecrets:
    """Secrets in the order in which they became known."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> str:
        """Know one more; it is returned."""
        if text and text not in self._texts:
            self._texts.append(text)
        return text

    def hidden(self, said: str) -> str:
        """What a system says, without secrets, and no longer than a sentence."""
        return hidden(said, self._texts)

    def sealed(self, url: str) -> str:
        """A URL without secrets, to be kept; `unsealed` gives it back."""
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
