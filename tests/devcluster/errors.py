"""The one kind of error that the development cluster raises on purpose."""


class DevclusterError(Exception):
    """Something the user can mend; the message says how."""
