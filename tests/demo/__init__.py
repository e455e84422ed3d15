"""The demonstration: the article's toggle acted out on a real cluster with two real databases, every claim checked."""
