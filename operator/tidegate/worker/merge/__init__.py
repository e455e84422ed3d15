"""The merge and the rules about values that it needs: pure functions over records, shadows and types."""
