"""``cluster/aws.yaml``: what it asks of AWS, by the calls that an EC2 and IAM endpoint here took."""

from __future__ import annotations

import copy
import json
import stat
from pathlib import Path

import boto3
import pytest
import yaml

from tuner.cluster import aws
from tuner.cluster.token import make_token, token_file

FILE = Path(__file__).parents[2] / "cluster" / "aws.yaml"
AMI = "ami-12c6146b"  # one that the endpoint knows


@pytest.fixture
def config(s3, monkeypatch, tmp_path) -> dict:
    """The file, filled in and checked as ``ray up`` does it, for a home folder of the test's own."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TUNER_MY_IP", raising=False)
    monkeypatch.setattr(aws, "_PROPAGATION", 0.0)
    tree = yaml.safe_load(FILE.read_text())
    tree["provider"] |= {
        "region": "us-east-1",
        "availability_zone": "us-east-1a",
        "my_ip": "203.0.113.7",
        "bucket": "lab",
    }
    for node_type in tree["available_node_types"].values():
        node_type["node_config"]["ImageId"] = AMI
    make_token(token_file())
    tree = prepare_config(tree)
    validate_config(tree)
    return tree


def rules(group: str) -> list[dict]:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    (described,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return described["IpPermissions"]


def let_in(group: str) -> list[str]:
    """The addresses that it lets in, other than its own members."""
    return [source["CidrIp"] for rule in rules(group) for source in rule["IpRanges"]]


def statements(name: str) -> list[dict]:
    iam = boto3.client("iam")
    assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    policy = iam.get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
    return (json.loads(policy) if isinstance(policy, str) else policy)["Statement"]


def test_nobody_gets_in_but_by_ssh_from_one_address(config):
    done = aws.Provider.bootstrap_config(copy.deepcopy(config))
    groups = {
        group
        for node_type in done["available_node_types"].values()
        for group in node_type["node_config"]["SecurityGroupIds"]
    }
    (group,) = groups
    among, ssh = sorted(rules(group), key=lambda rule: rule["IpProtocol"])
    assert among["IpProtocol"] == "-1" and not among["IpRanges"] and not among["Ipv6Ranges"]
    assert [pair["GroupId"] for pair in among["UserIdGroupPairs"]] == [group]
    assert (ssh["FromPort"], ssh["ToPort"], ssh["UserIdGroupPairs"]) == (22, 22, [])
    assert [source["CidrIp"] for source in ssh["IpRanges"]] == ["203.0.113.7/32"]

    config["provider"]["my_ip"] = "198.51.100.9"
    again = aws.Provider.bootstrap_config(config)
    head = again["available_node_types"]["head"]["node_config"]
    assert head["SecurityGroupIds"] == [group]
    assert let_in(group) == ["198.51.100.9/32"]


def test_another_address_is_let_in_by_the_next_command(config, monkeypatch):
    monkeypatch.setenv("TUNER_MY_IP", "203.0.113.7")
    config["provider"]["my_ip"] = None
    done = aws.Provider.bootstrap_config(config)  # as Ray keeps it
    (group,) = done["available_node_types"]["head"]["node_config"]["SecurityGroupIds"]
    monkeypatch.setenv("TUNER_MY_IP", "198.51.100.9")
    aws.Provider(done["provider"], done["cluster_name"])
    assert let_in(group) == ["198.51.100.9/32"]
    monkeypatch.delenv("TUNER_MY_IP")  # as on the head
    aws.Provider(done["provider"], done["cluster_name"])
    assert let_in(group) == ["198.51.100.9/32"]


def test_roles_have_the_rights_that_a_search_needs_and_no_others(config):
    done = aws.Provider.bootstrap_config(config)
    profiles = {
        kind: node_type["node_config"]["IamInstanceProfile"]["Arn"].split("/")[-1]
        for kind, node_type in done["available_node_types"].items()
    }
    assert profiles.pop("head") == "tuner-tuner-head"
    assert set(profiles.values()) == {"tuner-tuner-worker"}
    worker, head = statements("tuner-tuner-worker"), statements("tuner-tuner-head")
    assert {action.split(":")[0] for rule in worker for action in rule["Action"]} == {"s3"}
    assert {rule["Resource"] for rule in worker} == {"arn:aws:s3:::lab", "arn:aws:s3:::lab/*"}
    for rule in head:
        actions = [rule["Action"]] if isinstance(rule["Action"], str) else rule["Action"]
        assert "*" not in "".join(actions)
        if rule["Resource"] == "*":
            assert all(action.startswith("ec2:Describe") for action in actions)
        if "ec2:TerminateInstances" in actions:
            assert "tuner" in json.dumps(rule["Condition"])
    (passing,) = [rule for rule in head if rule["Action"] == "iam:PassRole"]
    assert passing["Resource"].endswith("role/tuner-tuner-worker")


def test_machines_come_with_encrypted_disks_and_imdsv2(config):
    done = aws.Provider.bootstrap_config(config)
    provider = aws.Provider(done["provider"], done["cluster_name"])
    for kind, node_type in done["available_node_types"].items():
        tags = {"ray-node-name": f"ray-tuner-{kind}", "ray-user-node-type": kind}
        made = provider.create_node(node_type["node_config"], tags, 1)
        (number,) = made
        ec2 = boto3.client("ec2", region_name="us-east-1")
        (reservation,) = ec2.describe_instances(InstanceIds=[number])["Reservations"]
        (instance,) = reservation["Instances"]
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        disks = [disk["Ebs"]["VolumeId"] for disk in instance["BlockDeviceMappings"]]
        assert all(disk["Encrypted"] for disk in ec2.describe_volumes(VolumeIds=disks)["Volumes"])
        assert (instance.get("InstanceLifecycle") == "spot") == (kind != "head")
        provider.terminate_node(number)


def test_the_token_is_made_once_and_for_its_owner(config):
    path = token_file()
    token = path.read_text()
    assert len(token) == 64 and stat.S_IMODE(path.stat().st_mode) == 0o600
    make_token(path)
    assert path.read_text() == token
    mounts = config["file_mounts"]
    assert Path(mounts["~/.ray/auth_token"]).expanduser() == path
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in line for line in starts if "ray start" in line)
    assert "--dashboard-host=127.0.0.1" in " ".join(starts)


def test_all_that_is_missing_is_said_at_once(config):
    config["provider"] |= {"my_ip": None, "bucket": None}
    node = config["available_node_types"]["head"]["node_config"]
    node["MetadataOptions"] = {}
    node["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] = False
    with pytest.raises(SystemExit) as ended:
        aws.Provider.bootstrap_config(config)
    text = str(ended.value)
    for words in ("my_ip: is missing", "bucket: is missing", "HttpTokens", "Encrypted: true"):
        assert words in text


@pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "somewhere", "3.0.0.0/8"])
def test_ssh_is_not_opened_to_the_world(address):
    with pytest.raises(ValueError, match=r"addresses|is not an address"):
        aws.network({"my_ip": address})
