"""How requests are authenticated: the headers, query parameters and tokens that each request carries."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.worker.connectors.http.known_secrets import KnownSecrets
from tidegate.worker.connectors.http.oauth2 import OAuth2Client
from tidegate.worker.connectors.http.settings import Settings
from tidegate.worker.connectors.http.turns import Turns
from tidegate.worker.connectors.settings import FromEnvironment, text_of
from tidegate.worker.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What each request carries: headers, query parameters, and the bearer token of an authorization server."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    oauth2: OAuth2Client | None = None


def credentials(
    settings: Settings, environ: Mapping[str, str], name: str, known: KnownSecrets, turns: Turns
) -> Credentials:
    """The credentials that `auth` describes. Raises ConfigurationError; sends no request."""
    auth = settings.auth

    def secret(setting: FromEnvironment) -> str:
        text = known.add(text_of(setting, environ, name))
        refuse_control_characters(name, f"the environment variable {setting.env}", text)
        return text

    if auth is None:
        return Credentials()
    if auth.bearer is not None:
        return Credentials(headers={"authorization": f"Bearer {secret(auth.bearer)}"})
    if auth.header is not None:
        return Credentials(headers={auth.header.name: secret(auth.header.value)})
    if auth.query is not None:
        return Credentials(query={auth.query.name: secret(auth.query.value)})
    if auth.oauth2 is not None:
        return Credentials(oauth2=OAuth2Client(name, auth.oauth2, environ, known, turns, settings.timeout_seconds))
    assert auth.basic is not None  # noqa: S101 - it is one of these
    pair = f"{text_of(auth.basic.username, environ, name)}:{secret(auth.basic.password)}"
    return Credentials(headers={"authorization": f"Basic {known.add(base64.b64encode(pair.encode()).decode())}"})


def refuse_control_characters(name: str, where: str, value: str) -> None:
    """Raise ConfigurationError for a value that no HTTP header can contain. It may be a secret, so it is not shown."""
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ConfigurationError(
            f"connector {name}: {where} has a line break or another control character inside, such as from "
            "base64 that was wrapped; it is not shown here"
        )
