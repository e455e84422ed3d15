"""The names that Tidegate is found under in a cluster: API group, labels, annotations, and names of owned objects."""

import hashlib
from functools import lru_cache

GROUP = "tidegate.dev"
VERSION = "v1alpha1"
KIND = "SyncIntegration"
PLURAL = "syncintegrations"
SINGULAR = "syncintegration"
SHORT_NAME = "sync"
API_VERSION = f"{GROUP}/{VERSION}"

# Labels of the Jobs, Pods and PersistentVolumeClaims that the operator makes, so that a watch sees no others.
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "tidegate"
INTEGRATION_LABEL = f"{GROUP}/integration"
INTEGRATION_UID_LABEL = f"{GROUP}/integration-uid"
RUN_LABEL = f"{GROUP}/run"

# Annotations of a run's Job: what the claim said, so that a run without a claim can be adopted (design section 4).
RUN_KIND_ANNOTATION = f"{GROUP}/run-kind"
RUN_PUSH_ANNOTATION = f"{GROUP}/run-push"
RUN_CACHE_EPOCH_ANNOTATION = f"{GROUP}/run-cache-epoch"
RUN_STARTED_ANNOTATION = f"{GROUP}/run-started-at"
RUN_GENERATION_ANNOTATION = f"{GROUP}/run-generation"
RUN_UNDO_ANNOTATION = f"{GROUP}/run-undo"
RUN_CHECK_ANNOTATION = f"{GROUP}/run-check"

# Annotation of a Job that the operator has suspended: a Job that another suspended is not the operator's to resume.
SUSPENDED_ANNOTATION = f"{GROUP}/suspended-by-operator"

# Labels of the Pod template by which a queueing controller finds the Job.
QUEUE_LABEL_PREFIX = "kueue.x-k8s.io/"
QUEUE_NAME_LABEL = f"{QUEUE_LABEL_PREFIX}queue-name"

# Annotation of a run's Pod: `spec.sync` as it was when the run began, mounted as a file (design section 6.1).
SYNC_CONFIG_ANNOTATION = f"{GROUP}/sync-config"

# Annotation of a SyncIntegration: what people have decided about conflicts, as JSON (`tidegate.api.decisions`). A run's
# Pod has it too, as it was when the run began, mounted as a file; and the run's Job has its digest.
DECISIONS_ANNOTATION = f"{GROUP}/decisions"
RUN_DECISIONS_ANNOTATION = f"{GROUP}/run-decisions"

# Annotations that users set on a SyncIntegration to ask for something once (design section 3).
SYNC_REQUESTED_ANNOTATION = f"{GROUP}/sync-requested-at"
FULL_SYNC_REQUESTED_ANNOTATION = f"{GROUP}/full-sync-requested-at"
RESET_REQUESTED_ANNOTATION = f"{GROUP}/reset-requested-at"
APPROVE_ANNOTATION = f"{GROUP}/approve"
ALLOW_DELETES_ANNOTATION = f"{GROUP}/allow-deletes"  # the earlier name of the same
PLAN_REQUESTED_ANNOTATION = f"{GROUP}/plan-requested-at"
# Beside it: an X25519 public key in base64, which the plan seals records' values with.
PLAN_KEY_ANNOTATION = f"{GROUP}/plan-public-key"
# Beside it: the number of a run; what is planned is then the undo of that run.
PLAN_UNDO_ANNOTATION = f"{GROUP}/plan-undo"
# Beside it: "true"; the plan then only checks whether the configuration fits both systems.
PLAN_CHECK_ANNOTATION = f"{GROUP}/plan-check"
UNDO_REQUESTED_ANNOTATION = f"{GROUP}/undo-requested"  # the number of the run to undo

# Annotation of the Pod template: "true" says that a worker of one's own knows SYNC_PLAN (design section 7).
WORKER_PLANS_ANNOTATION = f"{GROUP}/worker-plans"
# "true": it knows SYNC_UNDO.
WORKER_UNDOES_ANNOTATION = f"{GROUP}/worker-undoes"
WORKER_APPROVALS_ANNOTATION = f"{GROUP}/worker-approvals"

# A Job's name becomes a label value of its Pods, which holds 63 characters; a hash and a run number must fit too.
_LONGEST_PREFIX = 40


def job_name(integration_name: str, integration_uid: str, run: int) -> str:
    """The name of a run's Job: the same for the same run, whoever derives it, so that it serves as a lock.

    The UID keeps a resource that was deleted and made again from meeting its predecessor's Job (design section 4).
    """
    return f"{_prefix(integration_name, integration_uid)}-{run}"


def is_job_name(name: str, integration_name: str, integration_uid: str) -> bool:
    """Whether this is the name of a run's Job of this integration, whichever the run."""
    prefix, _, run = name.rpartition("-")
    return prefix == _prefix(integration_name, integration_uid) and run.isdecimal()


def cache_name(integration_name: str, integration_uid: str) -> str:
    """The name of the PersistentVolumeClaim that holds an integration's cache."""
    return f"{_prefix(integration_name, integration_uid)}-cache"


def label_value(name: str) -> str:
    """A resource's name as a label value, which holds at most 63 characters and ends alphanumerically."""
    return name[:63].rstrip("-.")


@lru_cache(maxsize=1024)
def _prefix(integration_name: str, integration_uid: str) -> str:
    # A Job's name may not hold dots where it becomes a Pod's hostname; the hash keeps the names distinct.
    shortened = integration_name.replace(".", "-")[:_LONGEST_PREFIX].rstrip("-")
    digest = hashlib.sha256(f"{integration_name}/{integration_uid}".encode()).hexdigest()[:8]
    return f"{shortened}-{digest}"
