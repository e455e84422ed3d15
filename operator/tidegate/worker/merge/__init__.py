"""The merge and what it needs to know of values: pure functions over records, shadows and types."""
