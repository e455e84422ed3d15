"""The reasons of conditions and Events that alerts and scripts may match: a renamed one breaks them."""

CANNOT_START = "PodCannotStart"
JOB_REFUSED = "JobRefused"
JOB_HELD = "JobHeld"
POD_DOES_NOT_END = "PodDoesNotEnd"
JOB_GONE = "JobGone"
CACHE_REQUIRED = "CacheRequired"
APPROVALS_UNSUPPORTED = "ApprovalsUnsupported"
