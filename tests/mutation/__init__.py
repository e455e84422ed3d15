"""Bugs that are put into the code on purpose, to see that the tests catch them: `python -m mutation worker`."""
