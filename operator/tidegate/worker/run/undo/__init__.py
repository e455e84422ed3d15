"""The undo of a run: what it has replaced is written back where it still stands, and what it has created is deleted."""
