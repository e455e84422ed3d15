"""Benchmarks: programs, not tests. Each is a package with a command line, such as `python -m bench.worker`."""
