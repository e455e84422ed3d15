"""Request templates: text in which {name} stands for a value. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

# Characters that no filter language gives a meaning to. Any other character may end a string or begin an operator in a
# filter, so that a value with it is not inserted into one.
_PLAIN = re.compile(r"[\w @.+:-]*")


def is_plain(value: str) -> bool:
    """Whether a value has no special meaning in any filter language."""
    return _PLAIN.fullmatch(value) is not None


def _texts(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for inner in template.values():
            yield from _texts(inner)
    elif isinstance(template, list):
        for inner in template:
            yield from _texts(inner)


def names_in(template: Any) -> list[str]:
    """The names that a template uses."""
    return [name for text in _texts(template) for name in _PLACEHOLDER.findall(text)]


def names_within(template: Any) -> set[str]:
    """The names that are only a part of a text: their values have to be plain."""
    return {name for text in _texts(template) for name in _PLACEHOLDER.findall(text) if text != f"{{{name}}}"}


def url_part(value: Any) -> str | None:
    """A value as one part of a URL's path; None for one that would lead to another path."""
    text = quote(str(value), safe="")
    return None if text in (".", "..") else text


def in_path(template: str, value: Any) -> str:
    """The path with its one name replaced. Raises ValueError for a value that cannot be a part of a path."""
    is_id = isinstance(value, (int, str)) and not isinstance(value, bool)
    text = url_part(value) if is_id else None
    if not text:
        raise ValueError(f"{value!r} cannot be a part of the path {template}")
    return _PLACEHOLDER.sub(text, template)  # which holds no backslash any more


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with each name replaced by its value."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)
    if isinstance(template, Mapping):
        return {name: filled(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [filled(inner, values) for inner in template]
    return template
