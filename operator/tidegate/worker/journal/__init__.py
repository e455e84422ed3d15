"""The journal: what runs have written, with the values before and after, so that a run can be undone."""
