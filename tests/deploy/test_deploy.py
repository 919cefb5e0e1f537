"""What the parts of a deployment are told: each file as its own program reads it, and all of them agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from control.http.app import ENDPOINTS
from control.http.core import PUBLIC
from flyball.cli import main, parser
from flyball.config.load import load
from tests.conftest import load as script
from tests.conftest import require

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
COLLECTOR = yaml.safe_load((DEPLOY / "collector" / "config.yaml").read_text())
SCRAPED = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())


def manifests(name: str) -> dict[str, Any]:
    """Give what a file asks Kubernetes for, by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())}


CLUSTER = manifests("flow")
ALONE = ("control", "deliver")
"""Parts that are one pod each."""


def run(*line: str) -> str:
    """Run a program that must be content."""
    require(shutil.which(line[0]), f"no {line[0]} in PATH: install Debian's prometheus and prometheus-alertmanager")
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_flyball_takes_its_configuration() -> None:
    """`flyball check` has nothing to say, and every part listens on addresses that others reach."""
    assert main(["check", str(DEPLOY / "flyball")]) == 0
    settings = load(DEPLOY / "flyball")
    assert {settings.metrics.host, settings.deliver.metrics.host, settings.control.host} == {"0.0.0.0"}  # noqa: S104
    assert all(broker.split(":")[0] in SERVICES for broker in settings.log.brokers)


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """With the rules beside it, as compose mounts them."""
    shutil.copy(DEPLOY / "prometheus" / "prometheus.yml", tmp_path)
    shutil.copy(ROOT / "dashboards" / "prometheus" / "rules.yaml", tmp_path)
    assert "rules found" in run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))


def test_alertmanager_takes_its_configuration() -> None:
    """And nothing leaves before somebody says where to."""
    assert "SUCCESS" in run("amtool", "check-config", str(DEPLOY / "alertmanager" / "alertmanager.yml"))
    said = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    assert [list(each) for each in said["receivers"]] == [["name"]]


def test_everything_is_scraped_where_it_listens() -> None:
    """Hosts are services or their aliases, ports are those of flyball.yaml and of the Collector."""
    settings = load(DEPLOY / "flyball")
    ports = {"flow": settings.metrics.port, "deliver": settings.deliver.metrics.port, "control": settings.control.port}
    jobs: dict[str, Any] = {each["job_name"]: each for each in SCRAPED["scrape_configs"]}
    for name, port in {**ports, "collector": 8888}.items():
        if name == "flow":
            (found,) = jobs[name]["dns_sd_configs"]
            assert (found["names"], found["port"]) == (["flow-metrics"], port)
        else:
            assert jobs[name]["static_configs"] == [{"targets": [f"{name}:{port}"]}]
    aliases = {name for name, each in SERVICES.items() if "networks" in each}
    assert aliases == {"flow", "flow-0", "flow-1"}
    assert all(SERVICES[name]["networks"]["default"]["aliases"] == ["flow-metrics"] for name in aliases)


def test_the_collector_writes_what_flyball_reads() -> None:
    """All of it, to the topics of the configuration; every component of a pipeline is there, none for nothing."""
    topics = load(DEPLOY / "flyball").log.topics
    kafka = COLLECTOR["exporters"]["kafka"]
    assert (kafka["traces"]["topic"], kafka["logs"]["topic"]) == (topics.spans, topics.logs)
    assert kafka["partition_traces_by_id"] is True
    assert kafka["producer"]["required_acks"] == -1
    pipelines = COLLECTOR["service"]["pipelines"]
    assert pipelines.keys() == {"traces", "logs"}
    for part in ("receivers", "processors", "exporters"):
        used = {name for each in pipelines.values() for name in each[part]}
        assert used == COLLECTOR[part].keys()
    assert [name for name in COLLECTOR["processors"] if re.search("sampl|filter", name)] == []
    assert COLLECTOR["service"]["extensions"] == list(COLLECTOR["extensions"])


def test_the_collector_drops_nothing_that_it_took() -> None:
    """A full queue is told to the sender, Kafka is waited for, and whatever is taken fits into a message.

    The exporter's batches count items where their own `sizer` is not said; `batch` answers before the queue has it.
    """
    assert [name for name in COLLECTOR["processors"] if name.split("/")[0] == "batch"] == []
    kafka = COLLECTOR["exporters"]["kafka"]
    assert kafka["retry_on_failure"] == {"enabled": True, "max_elapsed_time": "0s"}
    queue, protocols = kafka["sending_queue"], COLLECTOR["receivers"]["otlp"]["protocols"]
    assert queue["sizer"] == queue["batch"]["sizer"] == "bytes"
    sizes = [
        max(protocols["grpc"]["max_recv_msg_size_mib"] << 20, protocols["http"]["max_request_body_size"]),
        queue["batch"]["max_size"],
        kafka["producer"]["max_message_bytes"],
        int(SERVICES["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]),
    ]
    assert sizes == sorted(sizes)
    assert queue["queue_size"] > 10 * queue["batch"]["max_size"]


def test_the_collector_refuses_before_it_is_killed() -> None:
    """Both queues, of which each byte takes up to two and a half in memory, fit below where senders are refused."""
    limit_mib = int(SERVICES["collector"]["mem_limit"].removesuffix("g")) << 10
    limiter = COLLECTOR["processors"]["memory_limiter"]
    soft = (limiter["limit_percentage"] - limiter["spike_limit_percentage"]) / 100
    queued = 2 * COLLECTOR["exporters"]["kafka"]["sending_queue"]["queue_size"]
    assert 2.5 * queued <= soft * (limit_mib << 20)
    collected = int(SERVICES["collector"]["environment"]["GOMEMLIMIT"].removesuffix("MiB"))
    assert limiter["limit_percentage"] / 100 * limit_mib < collected + 64 <= 0.85 * limit_mib


def test_the_cluster_on_kubernetes_starts_and_ends_as_one() -> None:
    """All pods at once; as many addresses as pods; one folder; its command line is understood."""
    spec = CLUSTER["StatefulSet"]["spec"]
    assert (spec["podManagementPolicy"], spec["updateStrategy"]) == ("Parallel", {"type": "OnDelete"})
    (container,) = spec["template"]["spec"]["containers"]
    args = parser().parse_args([word.replace("$(POD_INDEX)", "2") for word in container["args"]])
    addresses = args.addresses.split(";") if isinstance(args.addresses, str) else args.addresses
    name, service = CLUSTER["StatefulSet"]["metadata"]["name"], spec["serviceName"]
    assert list(addresses) == [f"{name}-{index}.{service}:2101" for index in range(spec["replicas"])]
    assert args.process == 2
    assert "livenessProbe" not in container
    assert CLUSTER["Service"]["spec"]["clusterIP"] == "None"
    assert CLUSTER["Service"]["spec"]["publishNotReadyAddresses"] is True
    assert CLUSTER["Service"]["metadata"]["name"] == service
    assert CLUSTER["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert mounts == {str(args.config), str(args.data)}
    labels = spec["template"]["metadata"]["labels"]
    assert labels == spec["selector"]["matchLabels"] == CLUSTER["Service"]["spec"]["selector"]


def test_pods_are_harmless_and_run_the_image() -> None:
    """Not root, no privileges, no capabilities, the image of compose, bounded memory."""
    harmless(CLUSTER["StatefulSet"]["spec"]["template"]["spec"])


def harmless(pod: dict[str, Any], **more: object) -> None:
    """Expect that of a pod; its container may forbid itself more."""
    (container,) = pod["containers"]
    assert container["image"] == SERVICES["control"]["image"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod['securityContext']['runAsUser']}\n" in (ROOT / "Dockerfile").read_text()
    held = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["securityContext"] == held | more
    assert container["resources"]["limits"]["memory"]
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", ALONE)
def test_what_keeps_sqlite_is_one_pod(name: str) -> None:
    """Never two, also while it is replaced; its volume is its own, its port the one of the configuration."""
    found = manifests(name)
    spec = found["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    harmless(pod, **({"readOnlyRootFilesystem": True} if SERVICES[name].get("read_only") else {}))
    (container,) = pod["containers"]
    args = parser().parse_args(container["args"])
    assert container["args"][0] == name
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["mountPath"]: volumes.pop(each["name"]) for each in container["volumeMounts"]}
    assert volumes == {}
    assert {str(args.config), str(args.data)} <= mounts.keys()
    claim = found["PersistentVolumeClaim"]
    assert mounts[str(args.data)]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    labels = spec["template"]["metadata"]["labels"]
    assert (
        labels == spec["selector"]["matchLabels"] == found["Service"]["spec"]["selector"] == {"app": f"flyball-{name}"}
    )


@pytest.mark.parametrize("name", ALONE)
def test_pods_listen_and_are_asked_where_they_answer(name: str, tmp_path: Path) -> None:
    """On all addresses, at the port of the Service; no probe restarts what only waits for Kafka."""
    for file, text in configuration(name).items():
        (tmp_path / file).write_text(text)
    assert main(["check", str(tmp_path)]) == 0
    settings = load(tmp_path)
    host, port = {
        "control": (settings.control.host, settings.control.port),
        "deliver": (settings.deliver.metrics.host, settings.deliver.metrics.port),
    }[name]
    found = manifests(name)
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    (opened,), (served,) = container["ports"], found["Service"]["spec"]["ports"]
    assert (host, port, port) == ("0.0.0.0", opened["containerPort"], served["port"])  # noqa: S104
    probes = {each: said for each, said in container.items() if each.endswith("Probe")}
    assert {"startupProbe", "readinessProbe"} <= probes.keys()
    asked = {said["httpGet"]["path"] for said in probes.values() if "httpGet" in said}
    if name == "control":
        public = {each.path for each in ENDPOINTS if each.needs == PUBLIC and each.method == "GET"}
        assert asked == {"/v1/keys/signing"} <= public
    else:
        assert "livenessProbe" not in probes


def configuration(name: str) -> dict[str, str]:
    """Give the files that a pod finds in its configuration folder."""
    maps = {
        each["metadata"]["name"]: each["data"]
        for each in (CLUSTER["ConfigMap"], manifests(name).get("ConfigMap"))
        if each
    }
    volumes = manifests(name)["Deployment"]["spec"]["template"]["spec"]["volumes"]
    (volume,) = [each for each in volumes if each["name"] == "config"]
    sources = volume["projected"]["sources"] if "projected" in volume else [volume]
    return {file: text for each in sources for file, text in maps[each["configMap"]["name"]].items()}


def test_the_stack_without_docker_starts_again_what_ends(tmp_path: Path) -> None:
    """As compose does: one may stop Kafka, or kill a part, to see what comes of it, and the rest goes on."""
    stack = script("stack", "../scripts/stack.py").Stack(tmp_path)
    stack._start("agents", [sys.executable, "-c", "print('one more')"])
    stack.running["agents"].wait(30)
    assert stack.revive() == ["agents ended with 0, and is started again; agents.log says why"]
    stack.running["agents"].wait(30)
    assert (tmp_path / "agents.log").read_text().split("\n")[:2] == ["one more", "one more"]


def test_commands_of_the_page_are_understood() -> None:
    """Those that run in a service of compose, by the real command line; addresses are those that compose opens."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    commands = re.findall(r"docker compose exec (\w+) flyball (.*?)(?: +#.*)?$", page, re.MULTILINE)
    assert commands
    for service, words in commands:
        assert service in SERVICES
        parser().parse_args(words.split())
    opened = {port.rpartition(":")[2] for each in SERVICES.values() for port in each.get("ports", ())}
    assert set(re.findall(r"^\| `[^`]*:(\d+)`", page, re.MULTILINE)) <= opened
    assert {port for port in opened if f":{port}`" in page} == opened


def test_the_configuration_on_kubernetes_is_valid(tmp_path: Path) -> None:
    """With at least as many partitions as processes."""
    for name, text in CLUSTER["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)
    assert load(tmp_path).log.partitions >= CLUSTER["StatefulSet"]["spec"]["replicas"]
