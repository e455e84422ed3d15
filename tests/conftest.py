"""How Hypothesis searches: anew in each run, the same way each time on CI, and more of it in `make test-long`."""

import os

from hypothesis import settings

# These machines are shared: how long an example takes says nothing.
ON_CI = os.environ.get("CI") == "true"
# A merge must not fail on what has been there before it.
settings.register_profile("default", deadline=None, print_blob=True, derandomize=ON_CI)
settings.register_profile("long", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
