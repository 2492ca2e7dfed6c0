"""Templates for tests."""

from __future__ import annotations

import json
from typing import Any

ONE_BUCKET: dict[str, Any] = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}}},
    "Outputs": {"BucketName": {"Value": {"Ref": "Bucket"}}},
}
DATABASE: dict[str, Any] = {
    "Parameters": {"Engine": {"Type": "String", "Default": "postgres"}},
    "Resources": {
        "Database": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {"DBInstanceClass": "db.t3.micro", "Engine": {"Ref": "Engine"}},
        },
        "Subnets": {"Type": "AWS::RDS::DBSubnetGroup"},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "DependsOn": "Database"},
    },
    "Outputs": {"DbUrl": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}}},
}


def big_stack(resources: int = 600) -> dict[str, Any]:
    """A template with so many resources, in rows of ten that wait for each other."""
    made: dict[str, Any] = {}
    for number in range(resources):
        body: dict[str, Any] = {"Type": "AWS::SNS::Topic"}
        if number >= 10:
            body["DependsOn"] = f"Topic{number - 10:04d}"
        made[f"Topic{number:04d}"] = body
    return {"Resources": made}


def nested(url: str, logical_id: str, **parameters: str) -> dict[str, Any]:
    """A template with a nested stack `logical_id` and a queue beside it."""
    properties: dict[str, Any] = {"TemplateURL": url}
    if parameters:
        properties["Parameters"] = parameters
    return {
        "Resources": {
            logical_id: {"Type": "AWS::CloudFormation::Stack", "Properties": properties},
            "Queue": {"Type": "AWS::SQS::Queue"},
        }
    }


def text(template: dict[str, Any]) -> str:
    """As JSON."""
    return json.dumps(template)
