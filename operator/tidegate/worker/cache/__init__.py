"""What the worker remembers between runs, in SQLite on the cache volume (design section 6.2)."""
