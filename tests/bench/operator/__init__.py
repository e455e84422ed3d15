"""How fast the operator is, beside Kubernetes' own CronJob controller on the same control plane.

Everything runs on this machine, so only figures of one run can be compared. Pods are played: they end as soon as they
are made.
"""
