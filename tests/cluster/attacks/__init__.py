"""What somebody with rights in a namespace may try against the syncs in it, or in another one."""
