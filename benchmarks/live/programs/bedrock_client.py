"""Bedrock's Converse by boto3; argument 2 names the instrumentation."""

import importlib
import sys

import world

provider = world.provider()
logs = world.log_provider()
module, name = {
    "openinference": ("openinference.instrumentation.bedrock", "BedrockInstrumentor"),
    "openllmetry": ("opentelemetry.instrumentation.bedrock", "BedrockInstrumentor"),
    "otel": ("opentelemetry.instrumentation.botocore", "BotocoreInstrumentor"),
}[sys.argv[2]]
getattr(importlib.import_module(module), name)().instrument(tracer_provider=provider)

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402

client = boto3.client(
    "bedrock-runtime",
    region_name="us-east-1",
    endpoint_url=world.MODEL_URL,
    aws_access_key_id="local",
    aws_secret_access_key="local",
    config=Config(retries={"max_attempts": 1}),
)
MODEL = "anthropic.claude-3-5-sonnet-20240620-v1:0"
SPEC = {"name": "get_weather", "description": "The weather in a city.", "inputSchema": {"json": world.TOOL["function"]["parameters"]}}
SHARED = {
    "modelId": MODEL,
    "system": [{"text": "Be brief."}],
    "toolConfig": {"tools": [{"toolSpec": SPEC}]},
    "inferenceConfig": {"temperature": 0.2},
}


def tools():
    messages = [{"role": "user", "content": [{"text": "What is the weather in Paris?"}]}]
    said = client.converse(messages=messages, **SHARED)["output"]["message"]
    results = [
        {"toolResult": {"toolUseId": p["toolUse"]["toolUseId"], "content": [{"text": world.WEATHER["Paris"]}]}} for p in said["content"]
    ]
    client.converse(messages=[*messages, said, {"role": "user", "content": results}], **SHARED)


def error():
    world.fails(client.converse, modelId=world.BROKEN, messages=[{"role": "user", "content": [{"text": world.QUESTION}]}])


{"tools": tools, "error": error}[sys.argv[1]]()
provider.shutdown()
logs.shutdown()
