"""Programs of Debian that the tests start as servers: installed when missing and when we may."""

import os

import pytest

from devcluster import packages
from devcluster.errors import DevclusterError
from devcluster.progress import Silent


def require(package: str) -> None:
    """Have one of `packages.SERVERS` installed, or skip the test; in CI, where it can be had, fail it."""
    try:
        packages.ensure({package: packages.SERVERS[package]}, Silent())
    except DevclusterError as error:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            raise
        pytest.skip(str(error))
