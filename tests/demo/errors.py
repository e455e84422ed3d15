"""The one kind of error that the demo raises on purpose."""


class DemoError(Exception):
    """The cluster or the databases are not as the story says; the message has what was expected and what is."""
