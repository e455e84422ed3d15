"""The documentation: read and followed by tests, and the part of it that is generated."""
