"""Tidegate: a Kubernetes operator that is the ON/OFF toggle of a data sync."""
