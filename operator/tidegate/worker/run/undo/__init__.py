"""The undo of a run: restores what the run replaced, where it is unchanged since, and deletes what the run created."""
