"""The operator: cluster events in, API writes out (watch, observe, decide, render, report, act, in this order)."""
