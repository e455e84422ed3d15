"""Values put into requests where a person has written {name}. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

# Values of which no filter language means anything by itself. Any other may end a text in such a language or begin an
# operator, so that it is not pasted into one.
_PLAIN = re.compile(r"[\w @.+:-]*")


def is_plain(value: str) -> bool:
    """Whether a value means nothing but itself in any filter language."""
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
    """The names that a text, or the texts in an object, ask for."""
    return [name for text in _texts(template) for name in _PLACEHOLDER.findall(text)]


def names_within(template: Any) -> set[str]:
    """Those that are only a part of a text: their values have to be plain."""
    return {name for text in _texts(template) for name in _PLACEHOLDER.findall(text) if text != f"{{{name}}}"}


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with these values in the place of their names."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)
    if isinstance(template, Mapping):
        return {name: filled(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [filled(inner, values) for inner in template]
    return template
