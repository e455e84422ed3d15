"""The contract between the operator and any worker image: environment, mounts and exit codes (design section 6.1).

Both sides import it: the operator renders Jobs by it, the built-in worker obeys it. It imports nothing.
"""

from enum import IntEnum

PROTOCOL = "1"

CACHE_DIR = "/sync/cache"
CONFIG_DIR = "/sync/config"
CONFIG_FILE = "sync.json"
DECISIONS_FILE = "decisions.json"  # beside it

WORKER_CONTAINER = "sync"
CACHE_CONTAINER = "prepare-cache"


class Environment:
    """Names of the environment variables that the operator sets for a worker."""

    PROTOCOL = "SYNC_PROTOCOL"
    NAME = "SYNC_NAME"
    NAMESPACE = "SYNC_NAMESPACE"
    UID = "SYNC_UID"
    RUN = "SYNC_RUN"
    SCOPE = "SYNC_SCOPE"  # full | changes
    PUSH = "SYNC_PUSH"  # true | false
    PLAN = "SYNC_PLAN"  # true: say what a full sync that pushes would do, and write nothing; otherwise not set
    CHECK = "SYNC_CHECK"  # true, with SYNC_PLAN: only say whether the configuration fits; otherwise not set
    UNDO = "SYNC_UNDO"  # the number of a run to undo; with SYNC_PLAN: say what the undo would do
    CACHE_DIR = "SYNC_CACHE_DIR"
    CACHE_EPOCH = "SYNC_CACHE_EPOCH"
    # When that epoch began: its number comes again when etcd is restored from a backup; not set: not known.
    CACHE_EPOCH_BEGAN = "SYNC_CACHE_EPOCH_BEGAN"
    CACHE_OLDEST_EPOCH = (
        "SYNC_CACHE_OLDEST_EPOCH"  # a cache of this epoch or a later one is kept; not set: only SYNC_CACHE_EPOCH
    )
    CACHE_RUN = "SYNC_CACHE_RUN"  # the newest run that is known to have used the cache; not set: it may be empty
    CONFIG = "SYNC_CONFIG"
    APPROVAL = "SYNC_APPROVAL"  # always: halt before the first write, unless SYNC_APPROVED allows it
    APPROVED = "SYNC_APPROVED"  # set to the halted run's number, only when a person approved it
    ALLOW_DELETES = "SYNC_ALLOW_DELETES"  # the same, by its earlier name
    CONFIRMED = "SYNC_CONFIRMED"  # with it: what that run had reported as `found`, a list of JSON objects
    DECISIONS = "SYNC_DECISIONS"  # a file with what people have decided about conflicts; not set: nothing
    RESET_OBJECTS = "SYNC_RESET_OBJECTS"  # objects that the worker forgets first, a list of JSON objects; not set: none
    PLAN_KEY = "SYNC_PLAN_KEY"  # an X25519 public key in base64: the plan seals the details for its owner
    TERMINATION_LOG = "SYNC_TERMINATION_LOG"


class ExitCode(IntEnum):
    """What a worker says about its run by exiting. Any other code is a failure worth a retry."""

    COMPLETE = 0
    CONFIGURATION_ERROR = 2
    HALTED = 3
    CACHE_UNUSABLE = 4
    PAUSED = 75
    CACHE_LOST = 79


TERMINATION_MESSAGE_BYTES = 4096
