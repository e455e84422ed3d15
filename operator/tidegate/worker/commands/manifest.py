"""A SyncIntegration as it stands in a file, for the commands that work without a cluster."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml
from pydantic import ValidationError

from tidegate.api.names import GROUP, KIND
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.worker.config.declared_form import shorter_form
from tidegate.worker.config.error_messages import complaints
from tidegate.worker.errors import ConfigurationError


def read_sync(path: Path, name: str | None = None) -> bytes:
    """`spec.sync` or `spec.config` of the file's SyncIntegration, as a run's Pod gets it; `name` chooses one.

    Raises ConfigurationError when the file has no such manifest, or its spec is not one that the API server accepts.
    """
    manifests = [each for each in _documents(path) if _is_ours(each)]
    found = {str(_of(each, "metadata").get("name")): each for each in manifests}
    if not found:
        raise ConfigurationError(f"{path} has no {KIND}: write the manifest as you would apply it")
    if name is None and len(found) > 1:
        raise ConfigurationError(f"{path} has {len(found)} of kind {KIND}: choose one with --name {' or '.join(found)}")
    if name is not None and name not in found:
        raise ConfigurationError(f"{path} has no {KIND} {name}; it has {', '.join(found)}")
    spec = _of(found[name] if name is not None else manifests[0], "spec")
    try:
        checked = SyncIntegrationSpec.model_validate(spec)
    except ValidationError as error:
        raise ConfigurationError(*complaints(error, "spec", SyncIntegrationSpec)) from None
    if unknown := sorted(set(spec) - {field.alias for field in SyncIntegrationSpec.model_fields.values()}):
        raise ConfigurationError(*(f"spec: {each} is not known, and `kubectl apply` drops it" for each in unknown))
    if checked.sync is not None and checked.config is not None:
        raise ConfigurationError(
            "spec: write sync for the built-in worker, or config for one of your own, and not both"
        )
    if checked.configuration is None:
        raise ConfigurationError("spec: sync is missing: it is the configuration of the built-in worker")
    if refused := shorter_form(checked.sync):
        raise ConfigurationError(
            *(
                f"spec.sync, {each}: `kubectl apply` takes the two connectors' settings under sides, and a field's two "
                "names under names"
                for each in refused
            )
        )
    # YAML has dates, and keys that are not texts; JSON, which the API server makes of it, has neither.
    return orjson.dumps(checked.configuration, default=str, option=orjson.OPT_NON_STR_KEYS)


def read_variables(path: Path) -> dict[str, str]:
    """The variables of a file with a NAME=VALUE on each line, as `kubectl create secret --from-env-file` reads it."""
    variables = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        name, equals, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name.strip()):
            # The line is not shown: it may be part of a secret.
            raise ConfigurationError(f"{path}, line {number}: write NAME=VALUE")
        variables[name.strip()] = value
    return variables


def _documents(path: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(_text(path)))
    except yaml.MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"{path}{place} is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


def _is_ours(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and document.get("kind") == KIND
        and str(document.get("apiVersion")).startswith(f"{GROUP}/")
    )


def _of(manifest: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    value = manifest.get(part)
    if not isinstance(value, dict):
        raise ConfigurationError(f"{part} must be a mapping" if part in manifest else f"{part} is missing")
    return value
