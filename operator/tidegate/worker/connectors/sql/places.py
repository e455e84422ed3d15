"""Splits the setting `table` into a schema and a table name."""

from sqlalchemy import Engine, inspect

from tidegate.worker.errors import ConfigurationError


def place_of(engine: Engine, written: str) -> tuple[str | None, str]:
    """The schema and the name of a table: a dot separates them, or belongs to one of them.

    For a table that does not exist, this is how the name would be read. Raises ConfigurationError where it is
    ambiguous.
    """
    if "." not in written:
        return None, written
    inspector = inspect(engine)
    parts = written.split(".")
    qualified = [(".".join(parts[:n]), ".".join(parts[n:])) for n in range(len(parts) - 1, 0, -1)]
    readings: list[tuple[str | None, str]] = [*qualified, (None, written)]
    found = [(schema, name) for schema, name in readings if inspector.has_table(name, schema)]
    if len(found) > 1:
        tables = " and ".join(f"table {name}" + (f" of schema {schema}" if schema else "") for schema, name in found)
        raise ConfigurationError(f"table {written} may be {tables}: make a view of another name, and write that")
    schemas = {*inspector.get_schema_names()}
    return next((each for each in (*found, *qualified) if each in found or each[0] in schemas), (None, written))
