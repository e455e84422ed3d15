"""Extracts the error text of an API's answer as one line. Pure.

The shapes are those of RFC 9457 (problem+json, with `errors` or `invalid-params`), JSON:API, Django REST framework,
FastAPI, ASP.NET, Laravel, GitHub, PocketBase, Google and OData: a sentence for the whole request, often with one per
field.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

# Names of members that hold the error text, the most specific first.
_SENTENCE = ("detail", "message", "msg", "error_description", "error", "title", "reason", "description", "value")
# Names of members that hold errors per field: a list of them, or an object by field name.
_FIELDS = ("errors", "data", "invalid-params", "invalid_params", "violations", "details", "fields")
# Names of members that name the field. `name` counts only beside a `reason`, as in RFC 9457's example.
_FIELD_NAMES = ("field", "param", "parameter", "property", "propertyPath", "attribute", "name")

_SEVERAL = 3
_DEEPEST = 6
_LONGEST = 2000

_LOGIN_TITLE = re.compile(r"log ?-?in|sign ?-?in|sign ?-?on|\bsso\b|authenticat|anmeld", re.IGNORECASE)
_LOGIN_FORM = re.compile(r"<input[^>]+type\s*=\s*[\"']?password", re.IGNORECASE)
_LOGIN_PLACE = re.compile(r"log-?in|sign-?in|\bsso\b|oauth|/auth", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def said(body: Any) -> str:
    """The error text in a JSON body; "" where there is none."""
    text = _said(body, 0)[:_LONGEST]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _said(body: Any, depth: int) -> str:
    if depth > _DEEPEST:
        return ""
    if isinstance(body, str):
        return body.strip()
    if isinstance(body, list):
        return _joined(_said(each, depth + 1) for each in body)
    if not isinstance(body, dict):
        return ""
    sentence = next(filter(None, (_said(body.get(name), depth + 1) for name in _SENTENCE)), "")
    fields = _joined(words for words in _of_fields(body, depth) if words not in sentence)
    if not sentence and not fields:
        code = body.get("code")
        sentence = code if isinstance(code, str) else _by_field(_lists(body), depth)
    field = _field(body)
    sentence = f"{field}: {sentence}" if field and sentence and field not in sentence else sentence
    return ": ".join(filter(None, (sentence.rstrip(".:") if fields else sentence, fields)))


def _of_fields(body: dict[str, Any], depth: int) -> Iterator[str]:
    for name in _FIELDS:
        inner = body.get(name)
        if name == "data" and isinstance(inner, dict):  # it may also be a record
            inner = {field: each for field, each in inner.items() if isinstance(each, dict) and "message" in each}
        elif name == "data":
            continue
        if isinstance(inner, dict):
            yield _by_field(inner, depth)
        elif isinstance(inner, list):
            yield _said(inner, depth + 1)


def _by_field(errors: dict[str, Any], depth: int) -> str:
    said_of = ((name, _said(each, depth + 1)) for name, each in errors.items())
    return _joined(f"{name}: {words}" for name, words in said_of if words)


def _lists(body: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in body.items() if isinstance(each, list)}


def _field(error: dict[str, Any]) -> str:
    source, place = error.get("source"), error.get("loc")
    if isinstance(source, dict):
        pointer = source.get("pointer") or source.get("parameter")
        return pointer.rpartition("/")[2] if isinstance(pointer, str) else ""
    if isinstance(place, list) and place:
        return str(place[-1])
    names = _FIELD_NAMES if "reason" in error else _FIELD_NAMES[:-1]
    return next((name for each in names if isinstance(name := error.get(each), str)), "")


def _joined(words: Iterable[str]) -> str:
    kept: list[str] = []
    for each in filter(None, words):
        kept.append(each)
        if len(kept) == _SEVERAL:
            break
    return "; ".join(kept)


def page_of_html(text: str) -> str:
    """What a page of HTML is, where JSON was expected: "a login page titled 'Sign in'"; "" for any other text."""
    if not text.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html", "<head", "<!--", "<body")):
        return ""
    found = _TITLE.search(text)
    title = said(found.group(1))[:100] if found else ""
    is_login = bool(_LOGIN_TITLE.search(title) or _LOGIN_FORM.search(text))
    return f"a {'login page' if is_login else 'page of HTML'}{f' titled {title!r}' if title else ''}"


def is_login_place(location: str) -> bool:
    """Whether a redirect leads to a login page."""
    return bool(_LOGIN_PLACE.search(location))
