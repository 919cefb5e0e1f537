"""The compose stack and the image, read as Docker reads them: nothing here needs an engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from flyball.cli import parser
from tests.test_repository import packages

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
KEYS = {
    *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "networks", "ports"),
    *(
        "mem_limit",
        "profiles",
        "read_only",
        "restart",
        "security_opt",
        "stop_grace_period",
        "tmpfs",
        "ulimits",
        "volumes",
    ),
}
"""What a service may say here; a misspelt key would be ignored or refused only where there is Docker."""
NOT_ASKED = {
    "collector": "its image has neither shell nor client; Prometheus asks it",
    "agents": "simulated agents have no server to ask",
}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY")
CLIENT = shutil.which("docker")


@cache
def composes() -> bool:
    """Tell whether there is a client that knows `docker compose`."""
    if CLIENT is None:
        return False
    return subprocess.run([CLIENT, "compose", "version"], capture_output=True, check=False, timeout=30).returncode == 0


def ours() -> dict[str, list[str]]:
    """Give the command lines of services that run Flyball's image."""
    return {name: each["command"] for name, each in SERVICES.items() if each["image"].startswith("flyball:")}


def test_all_parts_are_there() -> None:
    """Those that carry data, those that decide, those that show; each in the profiles that need it."""
    always = {"kafka", "collector", "control", "deliver", "prometheus", "alertmanager", "grafana"}
    assert {name for name, each in SERVICES.items() if "profiles" not in each} == always
    assert {name for name, each in SERVICES.items() if "demo" in each.get("profiles", ())} == {"flow", "agents"}
    assert {name for name, each in SERVICES.items() if "production" in each.get("profiles", ())} == {"flow-0", "flow-1"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_watched_and_harmless(name: str) -> None:
    """Image of one version without a registry's name, a health check, a restart, no capabilities, no new privileges."""
    service = SERVICES[name]
    assert service.keys() <= KEYS
    image, _, tag = service["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)
    assert "." not in image.split("/")[0]
    check = service.get("healthcheck", {})
    assert bool(check) != (name in NOT_ASKED)
    assert not check or {"test", "interval", "timeout", "retries", "start_period"} == check.keys()
    assert not check or check["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"(\$\{FLOW_MEMORY:-)?\d+[mg]\}?", service["mem_limit"])


def test_what_writes_to_its_volumes_alone_can_write_nowhere_else() -> None:
    """Kernels are cached beside the code, so what may compile one is not among them; Kafka and Grafana write more."""
    assert {name for name, each in SERVICES.items() if each.get("read_only")} == {
        *("alertmanager", "collector", "deliver", "prometheus")
    }
    assert SERVICES["deliver"]["tmpfs"] == ["/tmp"]  # noqa: S108 -- a folder of the container


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_finds_what_it_needs(name: str) -> None:
    """Mounted files are there and read-only, volumes are declared, what it waits for can be waited for."""
    service = SERVICES[name]
    for mount in service.get("volumes", ()):
        source, _, rest = mount.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]
    for needed, how in service.get("depends_on", {}).items():
        assert how["condition"] == ("service_started" if needed in NOT_ASKED else "service_healthy")
        assert set(SERVICES[needed].get("profiles", service.get("profiles", ()))) >= set(service.get("profiles", ()))
    for port in service.get("ports", ()):
        assert re.match(r"\$\{(OTLP|WEB)_ADDRESS:-127\.0\.0\.1\}:", port), f"{port} is open to everybody"


def test_every_volume_is_used() -> None:
    """And each is of one part, but for the flow's, which its processes share."""
    named = [(m.split(":")[0], n) for n, s in SERVICES.items() for m in s.get("volumes", ()) if m[0] not in "./"]
    assert {volume for volume, _ in named} == set(COMPOSE["volumes"])
    shared = {volume for volume, _ in named if len({name for other, name in named if other == volume}) > 1}
    assert shared == {"flow"}


def test_there_is_no_default_password() -> None:
    """What is secret comes from .env, which must say it; the example leaves it empty, and names all variables."""
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not SECRET.search(name) or re.fullmatch(r"\$\{\w+:\?.+\}", value), name
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text)) | {"COMPOSE_PROFILES"}
    said = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert said.keys() == used
    assert [name for name, value in said.items() if SECRET.search(name) and value] == []
    assert said["COMPOSE_PROFILES"] == "demo"


@pytest.mark.parametrize("name", ours())
def test_command_lines_are_understood(name: str) -> None:
    """By the real command line; what keeps state keeps it in a volume, what reads a configuration has one."""
    words = ours()[name]
    args = parser().parse_args(words)
    mounts = dict(mount.split(":")[:2][::-1] for mount in SERVICES[name].get("volumes", ()))
    if words[0] != "simulate":
        assert str(args.data) in mounts
        assert mounts[str(args.config)] == "./deploy/flyball"


def test_a_page_leads_to_the_console() -> None:
    """At the port that compose publishes on this machine."""
    routes = yaml.safe_load((ROOT / "deploy" / "flyball" / "routes.yaml").read_text())
    assert routes["console"] == "http://localhost:8088/console/"
    assert any(port.endswith(":8088:8088") for port in SERVICES["control"]["ports"])


def test_the_cluster_is_whole() -> None:
    """As many processes as addresses, each with its own number, the same addresses for all."""
    cluster = {name: parser().parse_args(words) for name, words in ours().items() if name.startswith("flow-")}
    (addresses,) = {args.addresses for args in cluster.values()}
    names = [each.split(":")[0] for each in (addresses.split(";") if isinstance(addresses, str) else addresses)]
    assert names == list(cluster)
    assert [args.process for args in cluster.values()] == list(range(len(cluster)))


def test_the_image_is_small_locked_and_not_roots() -> None:
    """Two stages of one pinned base, all packages of the wheel, uv as in CI, without what developers need."""
    (base,) = re.findall(r"^ARG PYTHON=(.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.1[12]\.\d+-slim-\w+", base)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]
    copied = re.findall(r"^COPY (\w+) (\w+)$", DOCKERFILE, re.MULTILINE)
    assert {source for source, _ in copied} == {*packages(), "sdk", "slos"}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == {*packages(), "sdk", "slos", "pyproject.toml", "README.md", "LICENSE"}
    (version,) = re.findall(r"^UV_VERSION=(.*)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert f"uv=={version}" in DOCKERFILE
    syncs = re.findall(r"uv sync.*", DOCKERFILE)
    assert len(syncs) == 2
    assert all("--no-default-groups" in line for line in syncs)
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    words = re.findall(r"^(?:ENTRYPOINT|CMD) \[(.*)\]$", last, re.MULTILINE)
    parser().parse_args([word.strip('" ') for word in words[1].split(",")])
    assert words[0] == '"flyball"'


@pytest.mark.skipif(not composes(), reason="no client that knows `docker compose`")
@pytest.mark.parametrize("profile", ["demo", "production"])
def test_docker_compose_takes_it(profile: str, tmp_path: Path) -> None:
    """`docker compose config` is content once the password is said, and not before."""
    environment = tmp_path / ".env"
    line = ["docker", "compose", "--env-file", environment, "--profile", profile, "config", "--quiet"]
    for text, code in ((EXAMPLE, 1), (EXAMPLE.replace("PASSWORD=", "PASSWORD=x"), 0)):
        environment.write_text(text)
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert min(done.returncode, 1) == code, done.stderr
