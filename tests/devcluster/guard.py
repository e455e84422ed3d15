"""Removes a cluster when the process that started it has ended, be it by SIGKILL."""

import sys
from pathlib import Path

from devcluster.cluster import remove


def main() -> None:
    sys.stdin.buffer.read()  # returns when the other end is closed
    remove(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
