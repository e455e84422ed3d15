"""`spec.sync`: what users may write, and the checked rules that the steps of a run work by."""
