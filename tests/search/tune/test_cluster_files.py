"""The ready cluster files: read as Ray's launcher, Ray's KubeRay autoscaler and Kubernetes do."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr,
)
from ray.autoscaler._private.util import prepare_config, validate_config

from search.tune.worker_imports import PACKAGES

ROOT = Path(__file__).parents[3]
LAUNCHER_FILES = ["cluster.yaml", "clusters/aws.yaml"]

#: fields of KubeRay's RayCluster (ray.io/v1, KubeRay 1.6): name -> whether it must be there
CLUSTER_FIELDS = {
    "headGroupSpec": True,
    "workerGroupSpecs": False,
    "rayVersion": False,
    "authOptions": False,
    "enableInTreeAutoscaling": False,
    "autoscalerOptions": False,
}
HEAD_FIELDS = {"template": True, "rayStartParams": False, "serviceType": False}
WORKER_FIELDS = {
    "template": True,
    "groupName": True,
    "minReplicas": True,
    "maxReplicas": True,
    "replicas": False,
    "rayStartParams": False,
}


def _load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_launcher_files_satisfy_rays_schema(name: str) -> None:
    config = prepare_config(_load(name))
    validate_config(config)
    assert config["max_workers"] >= 1


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_the_schema_would_find_a_mistake(name: str) -> None:
    config = prepare_config(_load(name) | {"head_start_commands": []})
    with pytest.raises(Exception, match="head_start_commands"):
        validate_config(config)


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_all_that_is_needed_travels_to_the_machines(name: str) -> None:
    sources = {str(source) for source in _load(name)["file_mounts"].values()}
    needed = {*PACKAGES, "pyproject.toml", "README.md", "constraints.txt"}
    assert sources == needed | {"~/.ray/auth_token"}
    for source in needed:
        assert (ROOT / source).exists()


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_nothing_of_ray_listens_without_a_token_or_beyond_the_machines(name: str) -> None:
    config = _load(name)
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        (start,) = (command for command in config[key] if "ray start" in command)
        assert "RAY_AUTH_MODE=token" in start
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]
    assert "0.0.0.0" not in (ROOT / name).read_text(encoding="utf-8")


def test_aws_takes_spot_machines_for_trials_alone() -> None:
    types = _load("clusters/aws.yaml")["available_node_types"]
    assert set(types) == {"head", "worker"}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    assert types["worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert types["head"]["resources"]["CPU"] == 0
    # A search plans with the machines that are there.
    assert types["worker"]["min_workers"] >= 1


def test_ray_reads_the_raycluster() -> None:
    config = _derive_autoscaling_config_from_ray_cr(_load("clusters/kuberay.yaml"))
    types = config["available_node_types"]
    assert types["headgroup"]["resources"]["CPU"] == 0
    assert types["gpu"]["resources"] == {"CPU": 4, "GPU": 1, "memory": 16 * 1024**3}
    assert (types["gpu"]["min_workers"], types["gpu"]["max_workers"]) == (2, 2)


def _check_fields(found: dict[str, Any], fields: dict[str, bool]) -> None:
    assert set(found) <= set(fields)
    assert {name for name, needed in fields.items() if needed} <= set(found)


def test_the_raycluster_has_the_fields_of_its_kind() -> None:
    content = _load("clusters/kuberay.yaml")
    assert (content["apiVersion"], content["kind"]) == ("ray.io/v1", "RayCluster")
    assert set(content) == {"apiVersion", "kind", "metadata", "spec"}
    spec = content["spec"]
    _check_fields(spec, CLUSTER_FIELDS)
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    _check_fields(spec["headGroupSpec"], HEAD_FIELDS)
    for group in spec["workerGroupSpecs"]:
        _check_fields(group, WORKER_FIELDS)
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        # Kubernetes takes strings only.
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


@pytest.mark.skipif(not importlib.util.find_spec("kubernetes"), reason="needs kubernetes")
def test_kubernetes_reads_the_pod_templates() -> None:
    from kubernetes.client import ApiClient

    spec = _load("clusters/kuberay.yaml")["spec"]
    client = ApiClient()
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        template = group["template"]
        # The API's own model refuses what lacks a needed field and drops what it does not know.
        model = client._ApiClient__deserialize(template, "V1PodTemplateSpec")
        assert client.sanitize_for_serialization(model) == template
        template["spec"]["containers"][0]["imagePullPolcy"] = "Always"
        model = client._ApiClient__deserialize(template, "V1PodTemplateSpec")
        assert client.sanitize_for_serialization(model) != template


def test_all_files_name_the_tested_ray() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^ray==(.+)$", constraints, re.MULTILINE)
    assert _load("clusters/kuberay.yaml")["spec"]["rayVersion"] == version
    image = f"rayproject/ray:{version}-py311-gpu"
    assert _load("clusters/aws.yaml")["docker"]["image"] == image
    assert f"FROM {image}\n" in (ROOT / "clusters/Dockerfile").read_text(encoding="utf-8")
