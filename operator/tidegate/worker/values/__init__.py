"""The value space in which two systems are compared: kinds, conversions, normal forms and their hashes."""
