"""How Hypothesis searches: the default run, and `make test-long` with more of the same."""

import os

from hypothesis import settings

# These machines are shared: how long an example takes says nothing.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("long", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
