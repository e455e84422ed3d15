"""A certificate authority for one cluster, and kubeconfig files from its client certificates."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """The cluster's CA; everything it signs lies beside it."""

    directory: Path

    @property
    def pair(self) -> Pair:
        return self._pair("ca")

    @classmethod
    def create(cls, directory: Path) -> "Authority":
        """A new authority in `directory`."""
        if shutil.which("openssl") is None:
            raise DevclusterError("openssl is needed for the cluster's certificates: install the package `openssl`")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = cls(directory)
        _openssl(
            *("req", "-x509", "-new", "-sha256", "-days", "3650", "-nodes", "-subj", "/CN=tidegate-devcluster"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *(*_NEW_KEY, "-keyout", str(authority.pair.key), "-out", str(authority.pair.certificate)),
        )
        return authority

    def server(self, name: str, alternative_names: Sequence[str]) -> Pair:
        """A serving certificate; names are like `DNS:localhost` and `IP:127.0.0.1`."""
        return self._sign(name, f"/CN={name}", "serverAuth", alternative_names)

    def client(self, user: str, group: str | None = None) -> Pair:
        """A certificate by which the API server knows `user`, a member of `group`."""
        organization = f"/O={group}" if group else ""
        return self._sign(user.replace(":", "-"), f"{organization}/CN={user}", "clientAuth", [])

    def key_pair(self, name: str) -> Pair:
        """A bare key pair (`certificate` is its public key), as service account tokens are signed with."""
        pair = self._pair(name)
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(pair.key))
        _openssl("ec", "-in", str(pair.key), "-pubout", "-out", str(pair.certificate))
        return pair

    def kubeconfig(self, path: Path, server: str, client: Pair) -> Path:
        """Write a kubeconfig that needs no other file, readable by its owner only."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tidegate",
            "contexts": [{"name": "tidegate", "context": {"cluster": "tidegate", "user": "tidegate"}}],
            "clusters": [
                {
                    "name": "tidegate",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _encoded(self.pair.certificate),
                    },
                }
            ],
            "users": [
                {
                    "name": "tidegate",
                    "user": {
                        "client-certificate-data": _encoded(client.certificate),
                        "client-key-data": _encoded(client.key),
                    },
                }
            ],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2))  # JSON is YAML
        return path

    def _pair(self, name: str) -> Pair:
        return Pair(self.directory / f"{name}.crt", self.directory / f"{name}.key")

    def _sign(self, name: str, subject: str, usage: str, alternative_names: Sequence[str]) -> Pair:
        pair = self._pair(name)
        extensions = self.directory / f"{name}.ext"
        # Complete by RFC 5280, which Python 3.13 in the pods insists on.
        lines = ["basicConstraints=CA:FALSE", "keyUsage=critical,digitalSignature", f"extendedKeyUsage={usage}"]
        lines += ["subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"]
        if alternative_names:
            lines.append(f"subjectAltName={','.join(alternative_names)}")
        extensions.write_text("\n".join(lines) + "\n")
        request = self.directory / f"{name}.csr"
        _openssl("req", "-new", "-nodes", "-subj", subject, *_NEW_KEY, "-keyout", str(pair.key), "-out", str(request))
        _openssl(
            *("x509", "-req", "-sha256", "-days", "3650", "-in", str(request), "-extfile", str(extensions)),
            *("-CA", str(self.pair.certificate), "-CAkey", str(self.pair.key), "-out", str(pair.certificate)),
            *("-CAserial", str(self.directory / "ca.srl"), "-CAcreateserial"),
        )
        return pair


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise DevclusterError(f"openssl {arguments[0]} failed:\n{done.stderr}")


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
