"""The Kubernetes API as a user of `kubectl sync` may use it."""
