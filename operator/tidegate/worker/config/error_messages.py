"""What is wrong with a configuration, in sentences for its author instead of pydantic's words."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}
_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}


def complaints(error: ValidationError, where: str, model: type[BaseModel], beside: Sequence[str] = ()) -> list[str]:
    """One sentence per problem, each with its place, such as `object contact, crm`.

    `beside` names what may be written beside the model's own, and is not its business.
    """
    return [_complaint(dict(problem), where, model, beside) for problem in error.errors(include_url=False)]


def _complaint(problem: dict[str, Any], where: str, model: type[BaseModel], beside: Sequence[str]) -> str:
    path: Sequence[str | int] = problem["loc"]
    name = "".join(f" {part + 1}" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    place = f"{where}: {name}" if where and name else where or name or "the configuration"
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind == "missing":
        return f"{place} is missing"
    if kind == "extra_forbidden":
        known = [*_names(model, path[:-1]), *(beside if len(path) == 1 else ())]
        return f"{place} is not known" + (f"; known are {', '.join(known)}" if known else "")
    if kind == "literal_error":
        return f"{place} must be {context['expected']}, not {problem['input']!r}"
    if kind == "value_error":
        return f"{place}: {context['error']}"
    if kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        return f"{place} must be {word} {context[bound]}, not {problem['input']}"
    if kind in _EXPECTED:
        return f"{place} must be {_EXPECTED[kind]}, not {_shown(problem['input'])}"
    return f"{place}: {str(problem['msg'])[:1].lower()}{str(problem['msg'])[1:]}"


def _names(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue  # an entry of the list that came before
        inner = next((f.annotation for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        if get_origin(inner) is list:
            (inner,) = get_args(inner)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)
