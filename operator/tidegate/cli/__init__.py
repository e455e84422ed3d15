"""`kubectl sync`: the toggle on the command line. A client like any other: it reads and patches the resource."""
