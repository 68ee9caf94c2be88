"""``cluster/kubernetes.yaml`` is one that KubeRay and Kubernetes take, and asks for what it should."""

from __future__ import annotations

import copy
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="Kubernetes' own schemas are not installed (pip install '.[dev]')"
)
import jsonschema  # noqa: E402  comes with it

CLUSTER = Path(__file__).parents[2] / "cluster"
SCHEMA = yaml.safe_load((Path(__file__).parent / "rayjob.yaml").read_text())
VERSION = "1.34"  # of Kubernetes


@pytest.fixture
def documents() -> dict[str, dict[str, Any]]:
    manifests = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in manifests}


@pytest.fixture
def job(documents) -> dict[str, Any]:
    return documents["RayJob"]


def templates(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The head's pods, the submitter's, and those of the workers."""
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"] for group in groups] + [job["spec"]["submitterPodTemplate"]]


def check(job: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(job)
    for template in templates(job):
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        kubernetes_validate.validate(pod, VERSION, strict=True)


def test_kuberay_and_kubernetes_know_all_that_it_says(documents):
    check(documents.pop("RayJob"))
    assert set(documents) == {
        "ServiceAccount",
        "NetworkPolicy",
    }  # no Service, no Ingress, no Secret
    for document in documents.values():
        kubernetes_validate.validate(document, VERSION, strict=True)


@pytest.mark.parametrize("wrong", ["field", "pod", "value"])
def test_what_they_don_t_know_is_found(job, wrong):
    job = copy.deepcopy(job)
    cluster = job["spec"]["rayClusterSpec"]
    if wrong == "field":
        cluster["enableAutoscaling"] = True
    elif wrong == "value":
        cluster["autoscalerOptions"]["version"] = 2
    else:
        (container,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
        container["volumeMounts"][0]["readonly"] = True
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(job)


def test_its_search_is_one_that_starts(job):
    from tuner.config.load import load
    from tuner.search import arguments

    python, module, name, *words = shlex.split(job["spec"]["entrypoint"])
    assert (python, module, name) == ("python", "-m", "tuner.search")
    args = arguments().parse_args(words)
    assert args.resume  # a second cluster goes on
    config = load(CLUSTER.parent / "configs" / "seals.yaml", args.overrides)
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert workers["minReplicas"] == 0
    room = {"CPU": 1000, "GPU": workers["maxReplicas"] * gpus}
    network = config.resources.gpus_of(head=False, cluster=room)
    assert config.resources.workers(room, network) == workers["maxReplicas"]


def test_ray_is_of_one_version(job):
    (pin,) = [
        line.partition("==")[2]
        for line in (CLUSTER / "constraints.txt").read_text().splitlines()
        if line.startswith("ray==")
    ]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pin
    assert f"FROM rayproject/ray:{pin}-py3" in (CLUSTER / "Dockerfile").read_text()
    images = {c["image"] for t in templates(job) for c in t["spec"]["containers"]}
    assert len(images) == 1


def test_nothing_is_open_and_no_password_is_in_it(documents, job):
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"
    labels = documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    head, *others = templates(job)
    for template in (head, *others):
        assert template["metadata"]["labels"] == labels
        assert template["spec"]["securityContext"]["runAsNonRoot"]
        for container in template["spec"]["containers"]:
            assert "ports" not in container
            assert all(each["name"] == "TUNER_CACHE" for each in container.get("env", []))
    (container,) = head["spec"]["containers"]
    assert "tuner-results" in str(container) and "tuner-results" not in str(others)
