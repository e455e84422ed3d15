"""Access tokens from an authorization server (RFC 6749): by client credentials, or by a refresh token that may rotate.

A token is renewed before it expires, measured by the monotonic clock and the server's `expires_in`, so that no wall
clock needs to be right; it is also renewed once when the API rejects it. A new refresh token is stored before its
access token is used. One case cannot be recovered: when the server has replaced a refresh token and the process dies
before the answer arrives, the new token is lost. The server alone decides whether the old one still works.
"""

import base64
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx

from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.authentication_settings import OAuth2
from tidegate.worker.connectors.http.exchange import Connections
from tidegate.worker.connectors.http.kept_token import ForeignKeyError, KeptToken
from tidegate.worker.connectors.http.known_secrets import KnownSecrets
from tidegate.worker.connectors.http.turns import Turns
from tidegate.worker.connectors.settings import CREDENTIALS_DIRECTORY, text_of
from tidegate.worker.errors import ConfigurationError, Paused, RunEnded, SystemFailed

_ATTEMPTS = 5
_MOST_BYTES = 1_000_000

# A token is renewed this many seconds before it expires, or at a tenth of its lifetime if that is shorter.
_EARLY_SECONDS = 60.0

# Transient error codes: RFC 6749 (4.1.2.1), RFC 8628.
_PASSING = ("server_error", "temporarily_unavailable", "slow_down")
_ADVICE = {
    "invalid_client": "see clientId, clientSecret and clientAuthentication",
    "unauthorized_client": "this client may not use this grant: see its registration",
    "unsupported_grant_type": "the server does not offer this grant; see tokenUrl and refreshToken",
    "invalid_scope": "see scopes",
}


class NoTokenError(RunEnded):
    """There is no access token, so no request was sent to the API."""


class RefusedError(NoTokenError, ConfigurationError):
    """The authorization server rejects the request permanently."""


class UnavailableError(NoTokenError, SystemFailed):
    """The authorization server does not answer, or answers without a token."""


class OAuth2Client:
    """Supplies the current access token to each request; thread-safe."""

    def __init__(
        self,
        name: str,
        settings: OAuth2,
        environ: Mapping[str, str],
        known: KnownSecrets,
        turns: Turns,
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigurationError; sends no request."""
        self._name = name
        self._settings = settings
        self._known = known
        self._turns = turns
        self._clock = clock
        self._seconds = timeout_seconds
        self._client_id = text_of(settings.client_id, environ, name)
        self._client_secret = known.add(text_of(settings.client_secret, environ, name))
        self._url = self._token_url(text_of(settings.token_url, environ, name))
        self._kept = self._kept_token(environ)
        self._lock = threading.Lock()
        self._access: str | None = None
        self._until: float | None = None
        self._connections = Connections({"accept": "application/json", "user-agent": "tidegate"}, timeout_seconds, 1)

    def _token_url(self, text: str) -> httpx.URL:
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.fragment:
            raise ConfigurationError(
                f"connector {self._name}: auth.oauth2.tokenUrl must be a URL such as https://login.example/oauth2/token"
            )
        return url

    def _kept_token(self, environ: Mapping[str, str]) -> KeptToken | None:
        if self._settings.refresh_token is None:
            return None
        given = self._known.add(text_of(self._settings.refresh_token, environ, self._name))
        directory = environ.get(CREDENTIALS_DIRECTORY)
        if not directory:
            raise ConfigurationError(
                f"connector {self._name}: auth.oauth2: the server may replace the refresh token when it is used, and "
                "there is no place to keep the new one: write --cache DIR for tidegate-worker run, or set "
                f"{CREDENTIALS_DIRECTORY} to a directory that you keep, with a refresh token of its own"
            )
        return KeptToken(Path(directory) / f"{self._name}.json", given, self._client_secret)

    def close(self) -> None:
        """Close the connection."""
        self._connections.close()

    def token(self, refused: str | None = None, *, finishing: bool) -> str:
        """An access token other than `refused` that is not about to expire; see Client.send for `finishing`.

        Raises NoTokenError, Paused and ClosedError.
        """
        with self._lock:
            expired = self._until is not None and self._clock() >= self._until
            if self._access is None or expired or self._access == refused:
                self._access = None
                self._renew(finishing=finishing)
            assert self._access is not None  # noqa: S101 - it was renewed
            return self._access

    def _renew(self, *, finishing: bool) -> None:
        refresh = self._refresh_token()
        asked_at = self._clock()
        body = self._asked(refresh, finishing=finishing)
        access = body.get("access_token")
        kind = body.get("token_type", "Bearer")
        if not isinstance(access, str) or not access:
            raise UnavailableError(self._about("the answer has no access_token; see tokenUrl"))
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise RefusedError(self._about(f"the token is of type {kind}, and only bearer tokens can be sent"))
        if any(not 32 < ord(character) < 127 for character in access):
            raise RefusedError(self._about("the access token has a character that no header can have"))
        self._known.add(access)
        replaced = body.get("refresh_token")
        if refresh is not None and isinstance(replaced, str) and replaced not in ("", refresh):
            self._keep(self._known.add(replaced))
        self._access = access
        self._until = _until(asked_at, body.get("expires_in"))

    def _refresh_token(self) -> str | None:
        if self._kept is None:
            return None
        try:
            token = self._known.add(self._kept.read())
            self._kept.reserve()
        except ForeignKeyError:
            assert self._settings.refresh_token is not None  # noqa: S101
            raise RefusedError(
                f"connector {self._name}: auth.oauth2: the refresh token that the server has issued last is kept "
                "encrypted with another client secret: put the former one back, or authorize once more and put the new "
                f"refresh token into the environment variable {self._settings.refresh_token.env}"
            ) from None
        except OSError as error:
            raise UnavailableError(
                f"connector {self._name}: auth.oauth2: a new refresh token could not be kept, so that none was asked "
                f"for: {error}"
            ) from None
        return token

    def _keep(self, token: str) -> None:
        assert self._kept is not None  # noqa: S101
        try:
            self._kept.keep(token)
        except OSError as error:
            raise UnavailableError(
                self._about(
                    f"the server has replaced the refresh token, and the new one cannot be kept: {error}; if the next "
                    "attempt is refused, authorize once more"
                )
            ) from None

    def _asked(self, refresh: str | None, *, finishing: bool) -> Mapping[str, Any]:
        """Request a token, and retry while the failure may be transient."""
        content, headers = self._request(refresh)
        waited = 0.0
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1 or (finishing and self._turns.is_stopping)
            if not finishing and self._turns.is_stopping:
                raise Paused("paused by SIGTERM before an access token was asked for")
            try:
                answer, _ = self._connections.exchange(
                    "POST", self._url, content, headers, seconds=self._seconds, most=_MOST_BYTES
                )
            except httpx.HTTPError as error:
                if last:
                    raise UnavailableError(self._about(str(error) or type(error).__name__)) from None
                self._turns.back_off(attempt)
                continue
            body = self._judged(answer, last=last)
            if body is not None:
                return body
            seconds = answer.retry_after(datetime.now(UTC))
            if seconds > 0:
                waited += seconds
                self._turns.close(seconds, self._about(answer.words()), in_all=waited)
                self._turns.wait(finishing=finishing)
            else:
                self._turns.back_off(attempt)
        raise AssertionError("the last attempt answers or raises")

    def _judged(self, answer: Answer, *, last: bool) -> Mapping[str, Any] | None:
        """The body of an answer with a token; None where the request may be retried."""
        try:
            body = answer.document()
        except ValueError as error:
            body = None
            if answer.is_success:
                raise UnavailableError(self._about(f"{answer.not_json(error)}; see tokenUrl")) from None
        error_code = body.get("error") if isinstance(body, dict) else None
        if answer.is_success and isinstance(body, dict) and not error_code:
            return body
        if answer.is_too_soon or answer.status >= 500 or error_code in _PASSING:
            if last:
                raise UnavailableError(self._about(answer.words()))
            return None
        raise RefusedError(
            self._about("; ".join(filter(None, (self._words(answer, error_code), self._advice(error_code)))))
        )

    @staticmethod
    def _words(answer: Answer, error_code: object) -> str:
        words = answer.words()
        return f"{words} ({error_code})" if isinstance(error_code, str) and error_code not in words else words

    def _advice(self, error_code: object) -> str:
        if error_code == "invalid_grant" and self._settings.refresh_token is not None:
            return (
                "the refresh token was revoked, has expired, or was used by another: authorize once more, and put the "
                f"new refresh token into the environment variable {self._settings.refresh_token.env}"
            )
        return _ADVICE.get(str(error_code), "see auth.oauth2")

    def _request(self, refresh: str | None) -> tuple[bytes, dict[str, str]]:
        form = dict(self._settings.parameters)
        if refresh is None:
            form["grant_type"] = "client_credentials"
        else:
            form |= {"grant_type": "refresh_token", "refresh_token": refresh}
        if self._settings.scopes:
            form["scope"] = " ".join(self._settings.scopes)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self._settings.client_authentication == "basic":
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._client_secret)}"
            headers["authorization"] = f"Basic {self._known.add(base64.b64encode(pair.encode()).decode())}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        return urlencode(form).encode(), headers

    def _about(self, problem: str) -> str:
        place = self._url.copy_with(query=None)
        return self._known.hidden(f"connector {self._name}: auth.oauth2: POST {place}: {problem}")


def _until(asked_at: float, expires_in: object) -> float | None:
    """When to renew a token; None where its lifetime is unknown."""
    try:
        life = float(str(expires_in))
    except ValueError:
        return None
    return asked_at + life - min(_EARLY_SECONDS, life / 10) if life > 0 else None
