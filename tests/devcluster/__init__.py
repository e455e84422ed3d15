"""The development cluster of Tidegate: a real Kubernetes on any machine, for `make demo` and for the tests."""
