"""etcd, API server, controller manager and scheduler as processes: no root, no containers."""

import json
import random
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import process
from devcluster.certificates import Authority, Pair
from devcluster.errors import DevclusterError
from devcluster.process import Daemon

SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
POD_RANGE = "10.244.0.0/16"
PORT = 6443
_ETCD_PORTS = (2379, 2380)

# The service accounts whose requests are recorded, and where: an audit.k8s.io/v1 Event in each line.
AUDITED = "system:serviceaccounts:tidegate-system"
AUDIT_LOG = "audit.log"

# Turns a command into the one that runs it where the cluster lives.
Wrap = Callable[[Sequence[str]], list[str]]


def free_loopback_address() -> str:
    """A loopback address of its own for a cluster: fixed ports then cannot collide with a neighbour's."""
    for _ in range(50):
        address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311
        if all(_can_bind(address, port) for port in (PORT, *_ETCD_PORTS)):
            return address
    raise DevclusterError(f"ports {PORT} and {_ETCD_PORTS} are taken on all addresses: stop what listens there")


def _can_bind(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class ControlPlane:
    """What the parts of one control plane share."""

    directory: Path
    address: str
    binaries: Mapping[str, Path]
    authority: Authority
    wrap: Wrap
    reachable_by_pods: bool

    @property
    def server(self) -> str:
        return f"https://{self.address}:{PORT}"

    def kubeconfig(self, user: str, group: str | None = None) -> Path:
        """A kubeconfig for `user`."""
        path = self.directory / f"{user.replace(':', '-')}.kubeconfig"
        return self.authority.kubeconfig(path, self.server, self.authority.client(user, group))

    def start(self) -> Path:
        """Start everything and wait until it serves; return the administrator's kubeconfig."""
        etcd = self._start_etcd()
        admin = self.authority.client("admin", "system:masters")
        service_accounts = self.authority.key_pair("service-accounts")
        api_server = self._start_api_server(service_accounts)
        self._wait_for("/readyz", admin, [api_server, etcd])
        controller_manager = self._start_controller_manager(service_accounts)
        scheduler = self.spawn("kube-scheduler", f"--kubeconfig={self.kubeconfig('system:kube-scheduler')}", *_SINGLE)
        # Made by the controller manager, and no Pod is admitted without it.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait_for(account, admin, [controller_manager, scheduler, api_server, etcd])
        return self.authority.kubeconfig(self.directory / "kubeconfig", self.server, admin)

    def spawn(self, name: str, *arguments: str) -> Daemon:
        """Start one of the cluster's programs as a daemon."""
        return process.spawn(name, self.wrap([str(self.binaries[name]), *arguments]), self.directory)

    def _start_etcd(self) -> Daemon:
        client, peer = (f"http://{self.address}:{port}" for port in _ETCD_PORTS)
        return self.spawn(
            "etcd",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # nothing here is worth the wait for the disk
            "--log-level=warn",
        )

    def _start_api_server(self, service_accounts: Pair) -> Daemon:
        names = ["DNS:localhost", f"IP:{self.address}", f"IP:{API_SERVICE_IP}"]
        suffixes = ("", ".default", ".default.svc", ".default.svc.cluster.local")
        names += [f"DNS:kubernetes{suffix}" for suffix in suffixes]
        serving = self.authority.server("kube-apiserver", names)
        to_kubelet = self.authority.client("kube-apiserver-kubelet-client", "system:masters")
        ca = self.authority.pair.certificate
        return self.spawn(
            "kube-apiserver",
            f"--etcd-servers=http://{self.address}:{_ETCD_PORTS[0]}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            # A loopback address is no valid endpoint of a Service; without a node nobody would use it.
            f"--endpoint-reconciler-type={'lease' if self.reachable_by_pods else 'none'}",
            f"--secure-port={PORT}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={ca}",
            f"--kubelet-certificate-authority={ca}",
            f"--kubelet-client-certificate={to_kubelet.certificate}",
            f"--kubelet-client-key={to_kubelet.key}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={service_accounts.key}",
            f"--service-account-key-file={service_accounts.certificate}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--audit-policy-file={self._audit_policy()}",
            f"--audit-log-path={self.directory / AUDIT_LOG}",
        )

    def _audit_policy(self) -> Path:
        """What the installed operator asks for is recorded, so that a test can hold it against its rights."""
        operator = {"level": "Metadata", "userGroups": [AUDITED], "omitStages": ["RequestReceived"]}
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [operator, {"level": "None"}]}
        path = self.directory / "audit-policy.json"
        path.write_text(json.dumps(policy))
        return path

    def _start_controller_manager(self, service_accounts: Pair) -> Daemon:
        return self.spawn(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            f"--service-account-private-key-file={service_accounts.key}",
            f"--root-ca-file={self.authority.pair.certificate}",
            f"--cluster-signing-cert-file={self.authority.pair.certificate}",
            f"--cluster-signing-key-file={self.authority.pair.key}",
            "--use-service-account-credentials=true",
            # The default of 20 requests a second makes a test wait for Jobs that the cluster could start at once.
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
            *_SINGLE,
        )

    def _wait_for(self, path: str, admin: Pair, daemons: Sequence[Daemon]) -> None:
        tls = ssl.create_default_context(cafile=str(self.authority.pair.certificate))
        tls.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of newer Pythons, which pods may have
        tls.load_cert_chain(admin.certificate, admin.key)
        deadline = time.monotonic() + 90
        while not _answers(self.server + path, tls):
            for daemon in daemons:
                if not daemon.alive():
                    raise DevclusterError(f"{daemon.name} ended while the cluster started:\n{daemon.log_tail()}")
            if time.monotonic() > deadline:
                last = daemons[0].log_tail()
                raise DevclusterError(f"{path} does not answer after 90 s; {daemons[0].name} says:\n{last}")
            time.sleep(0.05)


# One of each, so no election; and no port, since nobody asks for their metrics.
_SINGLE = ("--leader-elect=false", "--secure-port=0")


def _answers(url: str, tls: ssl.SSLContext) -> bool:
    try:
        with urllib.request.urlopen(url, context=tls, timeout=5) as response:  # noqa: S310 (our own https URL)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
