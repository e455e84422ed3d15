"""The connectors that are built in, by the `type` that users write."""

from collections.abc import Mapping
from types import MappingProxyType

from tidegate.worker.connectors import ConnectorType, sql

CONNECTORS: Mapping[str, ConnectorType] = MappingProxyType({"sql": sql.TYPE})
