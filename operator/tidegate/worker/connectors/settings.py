"""Setting types that connectors share: values from environment variables, secrets, durations and time zones."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote, quote_plus
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from tidegate.api.base import DURATION_PATTERN, parse_duration
from tidegate.worker.connectors import Part
from tidegate.worker.errors import ConfigurationError

# A longer message is truncated: it may be a whole page of HTML.
_SAID = 300

# The environment variable with the directory in which connectors may store credentials between runs. It is unset where
# the cache is not kept.
CREDENTIALS_DIRECTORY = "TIDEGATE_CREDENTIALS_DIRECTORY"

# The length of a fragment of a secret that is worth hiding.
_PART = 8


class FromEnvironment(Part):
    """A setting whose value is in an environment variable, so that a Secret's content is not in the resource."""

    env: Annotated[str, Field(min_length=1)]
    """The variable's name; `spec.template` fills it from a Secret."""


def _text_or_env(raw: object) -> object:
    if isinstance(raw, (str, FromEnvironment)):
        return raw
    if isinstance(raw, dict) and list(raw) == ["env"] and isinstance(raw["env"], str) and raw["env"]:
        return FromEnvironment(env=raw["env"])
    raise ValueError("write a text, or {env: NAME} for one that is in an environment variable")


# A text, given directly or from the environment.
Text = Annotated[str | FromEnvironment, BeforeValidator(_text_or_env)]


def _only_env(raw: object) -> object:
    if isinstance(raw, FromEnvironment) or (isinstance(raw, dict) and isinstance(raw.get("env"), str) and raw["env"]):
        return raw
    # The input is not repeated: it may be the secret.
    raise ValueError("write {env: NAME}: a secret comes from an environment variable")


# A text that must not be in the resource.
Secret = Annotated[FromEnvironment, BeforeValidator(_only_env)]


def _duration(raw: object) -> object:
    return parse_duration(str(raw))  # a number has no unit


Duration = Annotated[
    timedelta, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write an IANA name such as Europe/Berlin, or UTC") from None
    return name


# The name of a time zone.
TimeZone = Annotated[str, AfterValidator(_known_zone)]


# The schema of a part that takes exactly one of its settings.
ONE = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})


def one_of(part: Part) -> None:
    """Raise ValueError unless exactly one of a part's settings is given."""
    fields = type(part).model_fields
    if sum(getattr(part, name) is not None for name in fields) != 1:
        raise ValueError(f"write one of {', '.join(field.alias or name for name, field in fields.items())}")


def text_of(setting: str | FromEnvironment, environ: Mapping[str, str], connector: str) -> str:
    """The text that a setting stands for. Raises ConfigurationError when the variable is not set."""
    if isinstance(setting, str):
        return setting
    if not environ.get(setting.env):
        raise ConfigurationError(f"connector {connector}: the environment variable {setting.env} is not set")
    return environ[setting.env].strip()


def fingerprint(secret: str) -> str:
    """A text that identifies a secret without revealing it: equal for equal secrets."""
    return f"sha256:{sha256(secret.encode()).hexdigest()[:12]}"


def hidden(said: str, secrets: Iterable[str]) -> str:
    """Text from a system on one line of limited length, with secrets removed."""
    for secret in secrets:
        for spelling in _spellings(secret):
            said = _without(said, spelling)
    line = " ".join(said.split())
    return line if len(line) <= _SAID else line[: _SAID - 1] + "…"


def _spellings(secret: str) -> list[str]:
    """The forms in which a system may repeat a secret: unchanged, escaped, URL-encoded, in base64; longest first."""
    encoded = secret.encode("utf-8", "surrogatepass")
    spellings = {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        quote(encoded),
        quote(encoded, safe=""),
        quote_plus(encoded),
        base64.b64encode(encoded).decode().rstrip("="),
        base64.urlsafe_b64encode(encoded).decode().rstrip("="),
    }
    return sorted(filter(None, spellings), key=len, reverse=True)


def _without(said: str, secret: str) -> str:
    """A text without a secret, and without fragments of it that are long enough to help an attacker.

    A short secret is hidden only where it is a whole word: inside a longer word it is a coincidence, and hiding it
    there would only garble the message.
    """
    if len(secret) < _PART:
        return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", said)
    parts = {secret[start : start + _PART] for start in range(len(secret) - _PART + 1)}
    kept, at = [], 0
    while at < len(said):
        end = at
        while said[end : end + _PART] in parts:
            end += 1
        if end == at:
            kept.append(said[at])
            at += 1
        else:
            kept.append("…")
            at = end + _PART - 1
    return "".join(kept)
