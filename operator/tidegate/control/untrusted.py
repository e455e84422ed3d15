"""Untrusted: texts and numbers that other clients have written, bounded before they are stored or shown. Pure."""

# What is larger the API server does not store, and the status could not be written.
LARGEST_NUMBER = 2**53 - 1
_REASON_CHARACTERS = 512


def inert(text: str) -> str:
    """Text of an untrusted origin, bounded and without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:_REASON_CHARACTERS]).strip()


def positive_number(text: str) -> int:
    """Raises ValueError for what is no number that the operator writes."""
    number = int(text)
    if not 0 < number <= LARGEST_NUMBER:
        raise ValueError(f"{text} is not a number of ours")
    return number
