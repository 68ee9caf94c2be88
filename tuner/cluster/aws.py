"""AWS for ``ray up cluster/aws.yaml``: Ray's own provider, made safer.

Ray's provider opens SSH to the world and lets the head do all of EC2 and S3. This one makes a security
group that lets in SSH from one address alone, and roles with the rights that a search needs.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

from tuner.cluster.token import make_token, token_file

_PROPAGATION = 15.0  # seconds that IAM takes to let EC2 know of a new role
_SSM = "resolve:ssm:"


class Provider(AWSNodeProvider):
    """EC2 instances that only `my_ip` reaches, by SSH, with the rights that they need."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        # Ray calls `bootstrap_config` once for a file, and not again after the variable has changed.
        known = provider_config.get("ssh_from")
        if known and os.environ.get("TUNER_MY_IP") and network(provider_config) != known:
            security_group(cluster_name, provider_config["region"], network(provider_config))

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """The configuration with its image, security group and roles, as ``ray up`` asks for it.

        Raises:
            SystemExit: all that is wrong with it.
        """
        faults = problems(cluster_config)
        if faults:
            lines = "\n".join(f"  - {problem}" for problem in faults)
            raise SystemExit(f"error: this cluster is not brought up:\n{lines}")
        make_token(token_file())
        name, provider = cluster_config["cluster_name"], cluster_config["provider"]
        provider["ssh_from"] = network(provider)
        group = security_group(name, provider["region"], provider["ssh_from"])
        profiles = instance_profiles(name, provider["region"], bucket(provider))
        for kind, node_type in cluster_config["available_node_types"].items():
            node = node_type["node_config"]
            node["ImageId"] = image(node["ImageId"], provider["region"])
            node["SecurityGroupIds"] = [group]
            role = "head" if kind == cluster_config["head_node_type"] else "worker"
            node["IamInstanceProfile"] = {"Arn": profiles[role]}
        return AWSNodeProvider.bootstrap_config(cluster_config)


def problems(config: Mapping[str, Any]) -> list[str]:
    """Reasons why a cluster can't be brought up; each is a sentence that starts with its key."""
    provider, faults = config["provider"], []
    try:
        network(provider)
    except ValueError as error:
        faults.append(f"provider.my_ip: {error}")
    if not bucket(provider):
        faults.append(
            "provider.bucket: is missing: the S3 bucket with your videos and results (or export "
            "TUNER_BUCKET)"
        )
    for kind, node_type in config["available_node_types"].items():
        node, key = node_type["node_config"], f"available_node_types.{kind}.node_config"
        if node.get("MetadataOptions", {}).get("HttpTokens") != "required":
            faults.append(f"{key}.MetadataOptions.HttpTokens: has to be required (IMDSv2)")
        disks = [disk.get("Ebs", {}) for disk in node.get("BlockDeviceMappings", [])]
        if not disks or not all(disk.get("Encrypted") for disk in disks):
            faults.append(f"{key}.BlockDeviceMappings: every disk has to be Encrypted: true")
        if not node.get("ImageId"):
            faults.append(f"{key}.ImageId: is missing: an AMI, or resolve:ssm:PARAMETER")
    return faults


def network(provider: Mapping[str, Any]) -> str:
    """The addresses that SSH is let in from, such as ``203.0.113.7/32``.

    Raises:
        ValueError: none are given, they can't be read, or they are too many.
    """
    text = str(provider.get("my_ip") or os.environ.get("TUNER_MY_IP") or "")
    if not text:
        raise ValueError(
            "is missing: the address that you use SSH from, as https://checkip.amazonaws.com shows "
            "it (or export TUNER_MY_IP)"
        )
    try:
        addresses = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address; write it as 203.0.113.7 or 203.0.113.0/24"
        ) from None
    if addresses.prefixlen < (16 if addresses.version == 4 else 48):
        raise ValueError(f"{text} lets in {addresses.num_addresses:,} addresses; give your own")
    return str(addresses)


def bucket(provider: Mapping[str, Any]) -> str:
    return str(provider.get("bucket") or os.environ.get("TUNER_BUCKET") or "").removeprefix("s3://")


def image(wanted: str, region: str) -> str:
    """The AMI that `wanted` names now: all nodes get it, for as long as the cluster lives."""
    if not wanted.startswith(_SSM):
        return wanted
    client = boto3.client("ssm", region_name=region)
    return client.get_parameter(Name=wanted.removeprefix(_SSM))["Parameter"]["Value"]


def security_group(name: str, region: str, ssh_from: str) -> str:
    """The cluster's group. It lets in the cluster's nodes, SSH from `ssh_from`, and nothing else."""
    ec2 = boto3.client("ec2", region_name=region)
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    full = f"tuner-{name}"
    filters = [
        {"Name": "group-name", "Values": [full]},
        {"Name": "vpc-id", "Values": [vpc["VpcId"]]},
    ]
    groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    if groups:
        number, rules = groups[0]["GroupId"], groups[0]["IpPermissions"]
    else:
        rules = []
        number = ec2.create_security_group(
            GroupName=full,
            Description="SSH from one address, and its own nodes",
            VpcId=vpc["VpcId"],
        )["GroupId"]
    version = ipaddress.ip_network(ssh_from).version
    source = (
        {"IpRanges": [{"CidrIp": ssh_from}]}
        if version == 4
        else {"Ipv6Ranges": [{"CidrIpv6": ssh_from}]}
    )
    if rules:  # the address may have changed, and any other rule has to go
        ec2.revoke_security_group_ingress(GroupId=number, IpPermissions=rules)
    ec2.authorize_security_group_ingress(
        GroupId=number,
        IpPermissions=[
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": number}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **source},
        ],
    )
    return str(number)


def instance_profiles(name: str, region: str, bucket: str) -> dict[str, str]:
    """ARNs of the profiles of head and workers, whose roles are brought up to date."""
    iam = boto3.client("iam", region_name=region)
    worker, made_worker = _role(iam, f"tuner-{name}-worker", storage_rights(bucket))
    rights = storage_rights(bucket) + fleet_rights(name, region, worker["role"])
    head, made_head = _role(iam, f"tuner-{name}-head", rights)
    if made_worker or made_head:
        time.sleep(_PROPAGATION)
    return {"head": head["profile"], "worker": worker["profile"]}


def storage_rights(bucket: str) -> list[dict[str, Any]]:
    """Rights to read and write one bucket."""
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": f"arn:aws:s3:::{bucket}",
        },
        {
            "Effect": "Allow",
            "Action": [
                *("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
                "s3:AbortMultipartUpload",
            ],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        },
    ]


def fleet_rights(name: str, region: str, worker_role: str) -> list[dict[str, Any]]:
    """Rights to start and end instances of one cluster, with the workers' role and no other."""
    of_cluster = {"StringEquals": {"aws:ResourceTag/ray-cluster-name": name}}
    asked = {"StringEquals": {"aws:RequestTag/ray-cluster-name": name}}
    instances = f"arn:aws:ec2:{region}:*:instance/*"
    parts = ("subnet", "network-interface", "volume", "key-pair", "security-group")
    return [
        {
            "Effect": "Allow",
            "Action": [
                *("ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeImages"),
                *("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeKeyPairs"),
            ],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": "ec2:RunInstances",
            "Resource": instances,
            "Condition": asked,
        },
        {
            "Effect": "Allow",
            "Action": "ec2:RunInstances",
            "Resource": [
                *(f"arn:aws:ec2:{region}:*:{part}/*" for part in parts),
                f"arn:aws:ec2:{region}::image/*",
            ],
        },
        {
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": instances,
            "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
        },
        {
            "Effect": "Allow",
            "Action": [
                *("ec2:TerminateInstances", "ec2:StopInstances", "ec2:StartInstances"),
                "ec2:CreateTags",
            ],
            "Resource": instances,
            "Condition": of_cluster,
        },
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": worker_role,
            "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        },
    ]


def _role(iam: Any, name: str, rights: list[dict[str, Any]]) -> tuple[dict[str, str], bool]:
    """ARNs of a role with these rights alone and of its instance profile; whether it is new."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    made = False
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        made = True
    policy = {"Version": "2012-10-17", "Statement": rights}
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    try:
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        profile = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        made = True
    if not profile["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        made = True
    return {"role": role["Arn"], "profile": profile["Arn"]}, made
