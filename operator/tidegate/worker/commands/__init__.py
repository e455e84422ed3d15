"""What `tidegate-worker` does besides a run: list conflicts, print the schema, check another worker's conformance."""
