"""Tidegate's images, built on this machine without a registry, and only when what goes into them has changed."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import packages
from devcluster.errors import DevclusterError
from devcluster.lock import file_lock
from devcluster.paths import HERE, ROOT, cache_home
from devcluster.process import environment
from devcluster.progress import Reporter, Silent

_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_SUITE = "trixie"


@dataclass(frozen=True)
class Base:
    """A base image that holds the essential Debian and some packages."""

    packages: tuple[str, ...]
    unwanted: str  # patterns for a shell; every megabyte is copied for each cluster

    @property
    def key(self) -> str:
        return hashlib.sha256(repr((_SUITE, self)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Image:
    """An image and all that decides what is in it."""

    name: str
    context: Path
    inputs: tuple[str, ...]  # relative to the context
    base: "Base"  # where there is no registry to have one from
    target: str | None = None

    def fingerprint(self) -> str:
        """Changes when, and only when, the image would."""
        digest = hashlib.sha256(f"{self.target} {self.base.key}".encode())
        for file in _files(self.context, self.inputs):
            digest.update(f"\n{file.relative_to(self.context)}\n".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


_UNREAD = "/usr/share/man /usr/share/locale /usr/share/i18n /var/cache/*/*"
# Compiling queries needs a compiler of 200 MB, and is optional. The cluster that the package makes is not ours.
_POSTGRES_UNUSED = (
    "/usr/lib/*/libLLVM* /usr/lib/*/libz3* /usr/lib/postgresql/*/lib/llvmjit* /usr/lib/postgresql/*/lib/bitcode "
    "/var/lib/postgresql/*"
)
_PYTHON = Base(("python3", "python3-venv", "python3-pip", "ca-certificates"), _UNREAD)
_TIDEGATE = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "operator")
OPERATOR = Image("tidegate-operator:dev", ROOT, (*_TIDEGATE, "requirements/operator.txt"), _PYTHON, "operator")
WORKER = Image("tidegate-worker:dev", ROOT, (*_TIDEGATE, "requirements/worker.txt"), _PYTHON, "worker")
_POSTGRESQL = Base(("postgresql",), f"{_UNREAD} {_POSTGRES_UNUSED}")
POSTGRES = Image("tidegate-postgres:dev", HERE / "postgres", ("Dockerfile", "entrypoint.sh"), _POSTGRESQL)
ALL = (OPERATOR, WORKER, POSTGRES)


def archive(image: Image, reporter: Reporter | None = None) -> Path:
    """A docker-archive of the image, built by buildah on a base image by mmdebstrap. Needs root on Debian."""
    reporter = reporter or Silent()
    home = cache_home() / "images"
    short_name = image.name.partition(":")[0]
    path = home / f"{short_name}-{image.fingerprint()}.tar"
    if path.exists():
        return path
    packages.ensure(packages.IMAGES, reporter)
    with file_lock(cache_home() / "images.lock", reporter, "builds images"):
        if not path.exists():
            for abandoned in _made(home).glob(".new-*"):  # by a build that was killed; ours is the only one now
                shutil.rmtree(abandoned)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=home) as temporary:
                base = _base(image.base, Path(temporary), reporter)
                with reporter.step(f"Building {image.name}", "half a minute the first time"):
                    new = _build(image, base, Path(temporary))
                # The latest stays for another process that may be about to load it.
                for old in sorted(home.glob(f"{short_name}-*.tar"), key=lambda file: file.stat().st_mtime)[:-1]:
                    old.unlink()
                new.rename(path)
    return path


def build_with_docker(image: Image, reporter: Reporter) -> None:
    """Have the image in the Docker daemon, which finds out by itself what has changed."""
    with reporter.step(f"Building {image.name} with Docker", "minutes the first time"):
        target = ["--target", image.target] if image.target else []
        _run(["docker", "build", "--quiet", *target, "--tag", image.name, str(image.context)])


def _base(base: Base, temporary: Path, reporter: Reporter) -> str:
    """The name of the base image in buildah's store, made if need be."""
    name = f"tidegate-base:{base.key}"
    if subprocess.run(_buildah("inspect", "--type=image", name), capture_output=True).returncode == 0:
        return name
    title = f"Making a base image of Debian {_SUITE} with {base.packages[0]}"
    with reporter.step(title, "half a minute and 200 MB, once"):
        root = temporary / "base.tar"
        remove = " ".join(f'"$1"{pattern}' for pattern in base.unwanted.split())
        _run(
            [
                *("mmdebstrap", "--variant=essential", f"--include={','.join(base.packages)}"),
                *(f"--customize-hook=rm -rf {remove}", _SUITE, str(root), _debian_mirror()),
            ]
        )
        (temporary / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        _run(_buildah("bud", f"--tag={name}", str(temporary)))
    return name


def _build(image: Image, base: str, temporary: Path) -> Path:
    options = [f"--tag={image.name}", f"--build-arg=BASE_IMAGE=localhost/{base}", "--isolation=chroot", "--layers"]
    if image.target:
        options.append(f"--target={image.target}")
    # Where the machine trusts an authority of its own, so does the build; nothing of it stays in the image.
    if _CA_BUNDLE.exists():
        options.append(f"--volume={_CA_BUNDLE}:{_CA_BUNDLE}:ro")
    _run(_buildah("bud", *options, str(image.context)))
    path = temporary / "image.tar"
    _run(_buildah("push", "--quiet", f"localhost/{image.name}", f"docker-archive:{path}:{image.name}"))
    return path


def _buildah(*arguments: str) -> list[str]:
    # A store of our own: not one layer in that of the machine.
    store = _made(cache_home() / "buildah")
    return ["buildah", f"--root={store / 'root'}", f"--runroot={store / 'run'}", *arguments]


def _debian_mirror() -> str:
    """Where this machine has its own Debian packages from."""
    sources = Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.*"))
    for source in sources:
        if source.suffix not in (".list", ".sources") or not source.exists():
            continue
        found = re.search(
            r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(https?://\S+/debian/?)(?=\s|$)", source.read_text(), re.M
        )
        if found:
            return found.group(1)
    return "http://deb.debian.org/debian"


def _files(context: Path, inputs: Iterable[str]) -> Iterator[Path]:
    for name in inputs:
        path = context / name
        candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in candidates:
            generated = file.suffix == ".pyc" or any(part.endswith(".egg-info") for part in file.parts)
            if file.is_file() and not generated:
                yield file


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, capture_output=True, env=environment())
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise DevclusterError(f"`{' '.join(command)}` failed:\n{tail}")
