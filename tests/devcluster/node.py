"""A real node in a box: containerd, kubelet, kube-proxy, DNS and volumes."""

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster import archive, process
from devcluster.box import Box
from devcluster.control_plane import POD_RANGE, ControlPlane
from devcluster.errors import DevclusterError

NAME = "tidegate"
TOOLBOX_IMAGE = "tidegate-toolbox:dev"  # busybox: a shell for the provisioner of volumes, and for tests
_PAUSE_IMAGE = "tidegate-pause:dev"
_DNS_ADDRESS = "10.96.0.10"
_CONTAINERD_SOCKET = "/run/containerd/containerd.sock"  # in the box's own /run
_PLUGIN_DIRECTORIES = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")


@dataclass(frozen=True)
class Node:
    """The one node of a cluster."""

    directory: Path  # the cluster's
    box: Box
    binaries: Mapping[str, Path]
    control_plane: ControlPlane

    def start(self) -> None:
        """Start it and wait until pods can run on it."""
        self._start_containerd()
        self._load_own_images()
        self._start_kubelet()
        self._start_proxy()
        self._start_dns()
        self._start_volumes()
        self.kubectl("wait", "--for=create", f"node/{NAME}", "--timeout=60s")
        self.kubectl("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=60s")

    def load(self, images: Path) -> None:
        """Give the node the images of a docker-archive or OCI archive."""
        load(self.box, self.binaries["ctr"], images)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the administrator."""
        kubeconfig = self.directory / "kubeconfig"
        return self.box.run(str(self.binaries["kubectl"]), f"--kubeconfig={kubeconfig}", *arguments, text=text)

    def _start_containerd(self) -> None:
        own = self.directory / "containerd"
        networks = own / "net.d"
        networks.mkdir(parents=True)
        (networks / "10-tidegate.conflist").write_text(json.dumps(self._network()))
        plugins = next((path for path in _PLUGIN_DIRECTORIES if Path(path, "ptp").exists()), None)
        if plugins is None:
            raise DevclusterError(f"no CNI plugins in {', '.join(_PLUGIN_DIRECTORIES)}")
        config = own / "config.toml"
        config.write_text(
            f"""version = 3
root = "{own / "root"}"
state = "/run/containerd"

[grpc]
address = "{_CONTAINERD_SOCKET}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "docker.io/library/{_PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
# Without CAP_SYS_RESOURCE, as in many virtual machines and containers, a lower score cannot be set and no pod starts.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plugins}"]
conf_dir = "{networks}"
"""
        )
        # The shim is looked up on the PATH.
        variables = process.environment(self.binaries["containerd-shim-runc-v2"].parent)
        daemon = self._spawn("containerd", f"--config={config}", variables=variables)
        deadline = time.monotonic() + 30
        ctr = self.box.wrap([str(self.binaries["ctr"]), f"--address={_CONTAINERD_SOCKET}", "version"])
        while subprocess.run(ctr, capture_output=True).returncode != 0:
            if not daemon.alive() or time.monotonic() > deadline:
                raise DevclusterError(f"containerd does not come up:\n{daemon.log_tail()}")
            time.sleep(0.1)

    def _network(self) -> dict[str, Any]:
        # Point to point, as kind has it: all traffic passes the node, so Services need no bridge netfilter.
        ranges = [[{"subnet": POD_RANGE}]]
        ipam = {"type": "host-local", "dataDir": "/run/cni", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
        return {"cniVersion": "1.0.0", "name": "tidegate", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}]}

    def _load_own_images(self) -> None:
        pause = {"pause": self.binaries["pause"]}
        self.load(archive.write_image(self.directory / "pause.tar", _PAUSE_IMAGE, pause, {}, ["/pause"]))
        applets = self.box.run("/bin/busybox", "--list").split()
        links = {f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"}
        busybox = {"bin/busybox": Path("/bin/busybox")}
        self.load(archive.write_image(self.directory / "toolbox.tar", TOOLBOX_IMAGE, busybox, links, ["/bin/sh"]))

    def _start_kubelet(self) -> None:
        own = self.directory / "kubelet"
        own.mkdir()
        resolver = own / "resolv.conf"
        resolver.write_text(f"nameserver {_DNS_ADDRESS}\n")
        authority = self.control_plane.authority
        serving = authority.server("kubelet", [f"DNS:{NAME}", f"IP:{self.box.address}"])
        config = own / "config.json"
        config.write_text(
            json.dumps(
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1",
                    "kind": "KubeletConfiguration",
                    "containerRuntimeEndpoint": f"unix://{_CONTAINERD_SOCKET}",
                    # Whatever this machine has is good enough.
                    "failCgroupV1": False,
                    "failSwapOn": False,
                    "cgroupDriver": "cgroupfs",
                    "cgroupRoot": self.box.cgroup,
                    "enforceNodeAllocatable": [],
                    # A full disk is the user's affair, and no reason to evict their demo.
                    "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%", "memory.available": "0%"},
                    "imageGCHighThresholdPercent": 100,
                    "authentication": {
                        "anonymous": {"enabled": False},
                        "webhook": {"enabled": True},
                        "x509": {"clientCAFile": str(authority.pair.certificate)},
                    },
                    "authorization": {"mode": "Webhook"},
                    "tlsCertFile": str(serving.certificate),
                    "tlsPrivateKeyFile": str(serving.key),
                    "clusterDNS": [_DNS_ADDRESS],
                    "clusterDomain": "cluster.local",
                    "resolvConf": str(resolver),
                    "podLogsDir": "/var/log/pods",  # the box's own
                    "volumePluginDir": str(own / "volume-plugins"),
                    "makeIPTablesUtilChains": False,
                }
            )
        )
        self._spawn(
            "kubelet",
            f"--config={config}",
            f"--kubeconfig={self.control_plane.kubeconfig(f'system:node:{NAME}', 'system:nodes')}",
            f"--root-dir={own / 'root'}",
            f"--hostname-override={NAME}",
            f"--node-ip={self.box.address}",
        )

    def _start_proxy(self) -> None:
        config = self.directory / "kube-proxy.json"
        config.write_text(
            json.dumps(
                {
                    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                    "kind": "KubeProxyConfiguration",
                    "clientConnection": {"kubeconfig": str(self.control_plane.kubeconfig("system:kube-proxy"))},
                    "mode": "nftables",
                    "clusterCIDR": POD_RANGE,
                    "hostnameOverride": NAME,
                    # Kernel settings of the host, which are not ours to change.
                    "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
                }
            )
        )
        self._spawn("kube-proxy", f"--config={config}")

    def _start_dns(self) -> None:
        own = self.directory / "dns"
        own.mkdir()
        kubeconfig = self.control_plane.kubeconfig("dns", "system:masters")
        (own / "Corefile").write_text(
            f""".:53 {{
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
    }}
}}
"""
        )
        self._spawn("coredns", "-conf", str(own / "Corefile"))
        ports = [{"name": name, "port": 53, "protocol": protocol} for name, protocol in _DNS_PORTS]
        name = {"name": "kube-dns", "namespace": "kube-system"}
        self._apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": name,
                "spec": {"clusterIP": _DNS_ADDRESS, "ports": ports},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**name, "labels": {"kubernetes.io/service-name": "kube-dns"}},
                "addressType": "IPv4",
                "ports": ports,
                "endpoints": [{"addresses": [self.box.address], "conditions": {"ready": True}}],
            },
        )

    def _start_volumes(self) -> None:
        namespace = "local-path-storage"
        volumes = self.directory / "volumes"
        volumes.mkdir()
        paths = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(volumes)]}]
        config = self.directory / "volumes.json"
        config.write_text(json.dumps({"nodePathMap": paths}))
        helper = {"name": "helper-pod", "image": TOOLBOX_IMAGE, "imagePullPolicy": "Never"}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "helper-pod"},
            "spec": {"containers": [helper]},
        }
        data = {
            "config.json": config.read_text(),
            "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
            "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
            "helperPod.yaml": json.dumps(pod),
        }
        self._apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "local-path-config", "namespace": namespace},
                "data": data,
            },
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": "standard",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
                "provisioner": "rancher.io/local-path",
                "volumeBindingMode": "WaitForFirstConsumer",
                "reclaimPolicy": "Delete",
            },
        )
        self._spawn(
            "local-path-provisioner",
            "start",
            f"--kubeconfig={self.control_plane.kubeconfig('local-path-provisioner', 'system:masters')}",
            f"--config={config}",
            "--provisioner-name=rancher.io/local-path",
            f"--namespace={namespace}",
            f"--helper-image={TOOLBOX_IMAGE}",
            "--service-account-name=default",
        )

    def _apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("create", "--filename=-", text="\n---\n".join(json.dumps(item) for item in objects))

    def _spawn(self, name: str, *arguments: str, variables: Mapping[str, str] | None = None) -> process.Daemon:
        command = self.box.wrap([str(self.binaries[name]), *arguments])
        return process.spawn(name, command, self.directory, variables)


_DNS_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))


def load(box: Box, ctr: Path, images: Path) -> None:
    """Give a box's containerd the images of an archive."""
    # kubelet's images are those of the namespace k8s.io.
    box.run(str(ctr), f"--address={_CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", "import", str(images))
