"""`tidegate-worker conformance`: does a worker, of whatever make, keep the contract of design section 6.1?

`subject` starts it as the operator would, `checks` says what must be true of it, `command` tells what was found.
"""
