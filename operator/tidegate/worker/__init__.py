"""The built-in sync worker: one run of a two-way record sync between two connectors (design section 6)."""
