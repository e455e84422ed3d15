"""How fast the built-in worker is and how much memory it takes, beside other tools, in one run on the same machine."""
