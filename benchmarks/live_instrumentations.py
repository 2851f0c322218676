"""Real instrumentation packages, live: does the collector show what each of them sends?

Every SDK gets an environment of its own (built from the package registry, kept in --venvs), runs small programs (RAG, agent, tool, stream,
error, embeddings: `benchmarks/live/programs`) against a model server on loopback whose every answer is known, and sends its spans to a
collector started for the run. Then each fact of the model server's and the programs' own logs is looked for in the JSON API.

    python -m benchmarks.live_instrumentations --venvs DIR [--only GLOB] [--record DIR]

--record keeps requests and expectations, from which cases in tests/cases/otlp_live are chosen; --check CASES only checks recordings.
Needs the package registries (PyPI, npm) while environments are built; nothing else leaves the machine: every SDK's own reporting is off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.live.facts import case_facts, spans_of, with_logs
from benchmarks.live.model_server import running_model_server
from benchmarks.live.tee import Recorded, Tee, running_tee

SOAK = True
PROGRAMS = Path(__file__).parent / "live" / "programs"
TIMEOUT_S = 180
PATIENCE_S = 10

OTLP = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc")
LANGCHAIN = ("langchain", "langchain-openai", "langgraph", "openai")
NODE_OTLP = (
    "@opentelemetry/api",
    "@opentelemetry/sdk-trace-node@2",
    "@opentelemetry/exporter-trace-otlp-proto",
    "@opentelemetry/exporter-trace-otlp-http",
    "@opentelemetry/resources",
)

ENVIRONMENTS: dict[str, tuple[str, ...]] = {  # name → packages; a name with "npm" is a Node project
    "oi": (
        "openinference-instrumentation-openai",
        "openinference-instrumentation-langchain",
        "openinference-instrumentation-llama-index",
        "llama-index-core",
        "llama-index-llms-openai",
        "llama-index-embeddings-openai",
        *LANGCHAIN,
    ),
    "haystack": ("haystack-ai==2.31.0", "openinference-instrumentation-haystack", "opentelemetry-instrumentation-haystack"),
    "logfire3": ("logfire==3.25.0", "openai"),
    "logfire": ("logfire", "pydantic-ai-slim[openai]", "openai"),
    "logfire_more": ("logfire", "openai", "anthropic", "litellm", "openinference-instrumentation-litellm"),
    "pyai1": ("pydantic-ai-slim[openai]==1.4.0", "opentelemetry-api==1.37.0"),
    "ollm_old": ("opentelemetry-instrumentation-openai==0.40.14", "openai==1.109.1", "setuptools"),
    "weave": ("weave", "openai"),
    "traceloop": ("traceloop-sdk", "chromadb", "qdrant-client", "llama-index-llms-openai", "llama-index-embeddings-openai", *LANGCHAIN),
    "langfuse": ("langfuse", *LANGCHAIN),
    "langsmith": ("langsmith[otel]", *LANGCHAIN),
    "mlflow": ("mlflow", "anthropic", "google-genai", *LANGCHAIN),
    "dspy": ("dspy", "openinference-instrumentation-dspy", "openinference-instrumentation-litellm"),
    "smolagents": ("smolagents[openai]", "openinference-instrumentation-smolagents"),
    "autogen": ("autogen-agentchat", "autogen-ext[openai]"),
    "sk": ("semantic-kernel",),
    "genai": (
        "openai",
        "opentelemetry-instrumentation-genai-openai",
        "anthropic",
        "opentelemetry-instrumentation-genai-anthropic",
        "google-genai<3",
        "opentelemetry-instrumentation-google-genai",
    ),
    "oaiv2": ("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai<1", "openai", "httpx"),
    "crewai": (
        "crewai",
        "openinference-instrumentation-crewai",
        "openinference-instrumentation-openai",
        "opentelemetry-instrumentation-crewai",
    ),
    "agents": ("openai-agents", "openinference-instrumentation-openai-agents", "opentelemetry-instrumentation-openai-agents"),
    "agno": ("agno", "openai", "openinference-instrumentation-agno"),
    "litellm": ("litellm",),
    "oigen": ("anthropic", "google-genai", "openinference-instrumentation-anthropic", "openinference-instrumentation-google-genai"),
    "tlgen": ("anthropic", "google-genai", "opentelemetry-instrumentation-anthropic", "opentelemetry-instrumentation-google-generativeai"),
    "ag2": ("ag2[openai]<1", "openinference-instrumentation-ag2"),
    "strands": ("strands-agents[openai]>=1",),
    "adk": ("google-adk>=2", "litellm"),
    "strands0": ("strands-agents[openai]==0.2.1",),
    "adk1": ("google-adk==1.14.1", "litellm"),
    "glc": ("opentelemetry-instrumentation-genai-langchain", *LANGCHAIN),
    "gli": (
        "opentelemetry-instrumentation-genai-llama-index",
        "llama-index-core",
        "llama-index-llms-openai",
        "llama-index-embeddings-openai",
    ),
    "gag": ("opentelemetry-instrumentation-genai-openai-agents", "openai-agents"),
    "gds": ("opentelemetry-instrumentation-genai-dspy", "dspy"),
    "gno": ("opentelemetry-instrumentation-genai-agno", "agno", "openai"),
    "openlit": ("openlit>=1.40", "openai"),
    "tl40": ("traceloop-sdk==0.40.14", "openai==1.109.1", "setuptools"),
    "lf3": ("langfuse>=3,<4", *LANGCHAIN),
    "lf4": ("langfuse>=4,<5", *LANGCHAIN),
    "hosts": (
        "groq",
        "mistralai",
        "ollama",
        "openinference-instrumentation-groq",
        "openinference-instrumentation-mistralai",
        "opentelemetry-instrumentation-groq",
        "opentelemetry-instrumentation-ollama",
    ),
    "hosts1": (
        "cohere<6",
        "mistralai<2",
        "opentelemetry-instrumentation-cohere",
        "opentelemetry-instrumentation-mistralai",
    ),
    "bedrock": (
        "boto3",
        "openinference-instrumentation-bedrock",
        "opentelemetry-instrumentation-bedrock",
        "opentelemetry-instrumentation-botocore",
    ),
    "instructor": ("instructor", "openai", "openinference-instrumentation-instructor", "openinference-instrumentation-openai"),
    "oipyai": ("pydantic-ai-slim[openai]", "openinference-instrumentation-pydantic-ai"),
    "oiautogen": ("autogen-agentchat", "autogen-ext[openai]", "openinference-instrumentation-autogen-agentchat"),
    "lance": (
        "lancedb",
        "pandas",
        "pymilvus",
        "milvus-lite",
        "opentelemetry-instrumentation-lancedb",
        "opentelemetry-instrumentation-milvus",
    ),
    "haystack3": (
        "haystack-ai>=3",
        "openinference-instrumentation-haystack",
        "opentelemetry-haystack",
    ),
    "npmjs": (
        "openai@5",
        "@arizeai/openinference-instrumentation-openai",
        "@traceloop/instrumentation-openai",
        "@langfuse/otel",
        "@langfuse/openai",
        "@langfuse/tracing",
        *NODE_OTLP,
    ),
    "npm4": ("ai@4", "@ai-sdk/openai@1", "zod@3", *NODE_OTLP),
    "npm5": ("ai@5.0", "@ai-sdk/openai@2", "zod@3", *NODE_OTLP),
    "npm6": ("ai@6", "@ai-sdk/openai@3", "zod", *NODE_OTLP),
    "npm7": ("ai@7", "@ai-sdk/openai@4", "@ai-sdk/otel", "zod", *NODE_OTLP),
}


@dataclass(frozen=True, slots=True, eq=False)
class Sdk:
    """One instrumented application: where it runs, its program, the scenarios (arguments), its switches."""

    name: str
    environment: str
    program: str
    scenarios: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)
    packages: Sequence[str] = ()  # whose versions belong into the report
    skip: Sequence[str] = ()  # names of spans that no call is about
    calls: str = ""  # names of the spans of model calls where they end before the call does: the last one begun is meant


CONTENT = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
}
OPENAI_V2 = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
LANGFUSE = {
    "LANGFUSE_PUBLIC_KEY": "pk-lf-local",
    "LANGFUSE_SECRET_KEY": "sk-lf-local",
    "LANGFUSE_BASE_URL": "{http}",
    "LANGFUSE_HOST": "{http}",
}
LANGSMITH = {"LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true", "LANGSMITH_API_KEY": "local"}
LANGSMITH |= {"LANGSMITH_ENDPOINT": "{http}", "OTEL_EXPORTER_OTLP_ENDPOINT": "{http}"}
MLFLOW = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{http}/v1/traces", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}
MLFLOW |= {"MLFLOW_TRACKING_URI": "{folder}/mlruns", "MLFLOW_ENABLE_OTLP_EXPORTER": "true", "MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT": "false"}
TRACELOOP = {"TRACELOOP_BASE_URL": "{http}", "TRACELOOP_TELEMETRY": "false", "TRACELOOP_METRICS_ENABLED": "false"}
MLFLOW_GRPC = MLFLOW | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://{grpc}", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
TRACELOOP_GRPC = TRACELOOP | {"TRACELOOP_BASE_URL": "{grpc}"}
SK = {"SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS": "true"}
SK |= {"SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE": "true"}
OPENAI_CALLS = ("rag", "tools", "plain", "responses", "image")
LANGCHAIN_CALLS = ("rag", "agent", "stream", "error")

SDKS = (
    Sdk("openinference_openai", "oi", "openinference_openai.py", OPENAI_CALLS, packages=("openinference-instrumentation-openai", "openai")),
    Sdk(
        "openinference_langchain",
        "oi",
        "openinference_langchain.py",
        LANGCHAIN_CALLS,
        packages=("openinference-instrumentation-langchain", "langchain"),
    ),
    Sdk(
        "openinference_llamaindex",
        "oi",
        "llamaindex_app.py",
        ("rag openinference", "stream openinference", "agent openinference", "error openinference"),
        packages=("openinference-instrumentation-llama-index", "llama-index-core"),
        calls="OpenAI.*chat",
    ),
    Sdk(
        "openinference_haystack",
        "haystack",
        "haystack_pipeline.py",
        ("rag openinference", "agent openinference", "error openinference"),
        packages=("openinference-instrumentation-haystack", "haystack-ai"),
    ),
    Sdk(
        "haystack",
        "haystack",
        "haystack_pipeline.py",
        ("rag native", "agent native", "error native"),
        {"HAYSTACK_CONTENT_TRACING_ENABLED": "true"},
        packages=("haystack-ai",),
    ),
    Sdk(
        "openinference_dspy",
        "dspy",
        "dspy_program.py",
        ("rag", "error", "rag litellm"),
        packages=("openinference-instrumentation-dspy", "dspy"),
    ),
    Sdk(
        "openinference_smolagents",
        "smolagents",
        "smolagents_agent.py",
        ("agent", "error"),
        packages=("openinference-instrumentation-smolagents", "smolagents"),
    ),
    Sdk(
        "openinference_crewai", "crewai", "crewai_crew.py", ("agent", "error"), packages=("openinference-instrumentation-crewai", "crewai")
    ),
    Sdk(
        "openinference_agents",
        "agents",
        "openai_agents_app.py",
        ("agent openinference", "responses openinference", "error openinference"),
        packages=("openinference-instrumentation-openai-agents", "openai-agents"),
    ),
    Sdk("openinference_agno", "agno", "agno_agent.py", ("agent", "error"), packages=("openinference-instrumentation-agno", "agno")),
    Sdk(
        "openinference_anthropic",
        "oigen",
        "anthropic_client.py",
        ("tools openinference", "stream openinference", "error openinference"),
        packages=("openinference-instrumentation-anthropic", "anthropic"),
        skip=("anthropic.messages.create",),
    ),
    Sdk(
        "openinference_gemini",
        "oigen",
        "gemini_client.py",
        ("tools openinference", "stream openinference", "error openinference"),
        packages=("openinference-instrumentation-google-genai", "google-genai"),
    ),
    Sdk("openinference_ag2", "ag2", "ag2_agent.py", ("chat",), packages=("openinference-instrumentation-ag2", "ag2")),
    Sdk(
        "otel_openai_v2",
        "oaiv2",
        "otel_openai_v2.py",
        OPENAI_CALLS,
        OPENAI_V2,
        packages=("opentelemetry-instrumentation-openai-v2", "openai"),
    ),
    Sdk(
        "otel_genai_openai",
        "genai",
        "otel_genai_openai.py",
        OPENAI_CALLS,
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-openai", "openai"),
    ),
    Sdk(
        "otel_genai_anthropic",
        "genai",
        "anthropic_client.py",
        ("tools genai", "stream genai", "error genai"),
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-anthropic", "anthropic"),
        skip=("anthropic.messages.create",),
    ),
    Sdk(
        "otel_gemini",
        "genai",
        "gemini_client.py",
        ("tools genai", "stream genai", "error genai"),
        CONTENT,
        packages=("opentelemetry-instrumentation-google-genai", "google-genai"),
    ),
    Sdk(
        "openllmetry_openai_old",
        "ollm_old",
        "openllmetry_openai.py",
        ("rag", "tools", "plain", "image"),
        packages=("opentelemetry-instrumentation-openai", "openai"),
    ),
    Sdk(
        "openllmetry_openai",
        "traceloop",
        "openllmetry_openai.py",
        OPENAI_CALLS,
        packages=("opentelemetry-instrumentation-openai", "openai"),
    ),
    Sdk(
        "traceloop_openai",
        "traceloop",
        "traceloop_openai.py",
        ("rag", "agent", "plain", "image"),
        TRACELOOP,
        packages=("traceloop-sdk", "openai"),
    ),
    Sdk("traceloop_langchain", "traceloop", "traceloop_langchain.py", LANGCHAIN_CALLS, TRACELOOP, packages=("traceloop-sdk", "langchain")),
    Sdk(
        "openllmetry_agents",
        "agents",
        "openai_agents_app.py",
        ("agent openllmetry", "error openllmetry"),
        packages=("opentelemetry-instrumentation-openai-agents", "openai-agents"),
    ),
    Sdk(
        "openllmetry_anthropic",
        "tlgen",
        "anthropic_client.py",
        ("tools openllmetry", "stream openllmetry", "error openllmetry"),
        packages=("opentelemetry-instrumentation-anthropic", "anthropic"),
        skip=("anthropic.messages.create",),
    ),
    Sdk(
        "openllmetry_gemini",
        "tlgen",
        "gemini_client.py",
        ("tools openllmetry", "stream openllmetry", "error openllmetry"),
        packages=("opentelemetry-instrumentation-google-generativeai", "google-genai"),
    ),
    Sdk(
        "openllmetry_vectordb", "traceloop", "vector_dbs.py", ("chroma", "qdrant"), packages=("traceloop-sdk", "chromadb", "qdrant-client")
    ),
    Sdk(
        "langfuse_openai",
        "langfuse",
        "langfuse_openai.py",
        ("rag", "agent", "plain", "responses", "image"),
        LANGFUSE,
        packages=("langfuse", "openai"),
    ),
    Sdk("langfuse_langchain", "langfuse", "langfuse_langchain.py", LANGCHAIN_CALLS, LANGFUSE, packages=("langfuse", "langchain")),
    Sdk(
        "langsmith_openai",
        "langsmith",
        "langsmith_openai.py",
        ("rag", "agent", "plain", "responses"),
        LANGSMITH,
        packages=("langsmith", "openai"),
    ),
    Sdk("langsmith_langchain", "langsmith", "langsmith_langchain.py", LANGCHAIN_CALLS, LANGSMITH, packages=("langsmith", "langchain")),
    Sdk(
        "mlflow_openai",
        "mlflow",
        "mlflow_openai.py",
        ("rag", "agent", "plain", "responses", "image"),
        MLFLOW,
        packages=("mlflow", "openai"),
    ),
    Sdk("mlflow_langchain", "mlflow", "mlflow_langchain.py", LANGCHAIN_CALLS, MLFLOW, packages=("mlflow", "langchain")),
    Sdk("logfire3_openai", "logfire3", "logfire_openai.py", OPENAI_CALLS, packages=("logfire", "openai")),
    Sdk("logfire_openai", "logfire", "logfire_openai.py", OPENAI_CALLS, packages=("logfire", "openai")),
    Sdk(
        "pydantic_ai1",
        "pyai1",
        "pydantic_ai_agent.py",
        ("tools 1", "tools 2", "typed 2", "stream 1", "error 1", "error 2"),
        packages=("pydantic-ai-slim",),
    ),
    Sdk("pydantic_ai", "logfire", "pydantic_ai_agent.py", ("tools", "typed", "stream", "error"), packages=("pydantic-ai-slim",)),
    Sdk(
        "litellm",
        "litellm",
        "litellm_calls.py",
        ("plain", "tools", "anthropic", "error"),
        {"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": "{http}/v1/traces"},
        packages=("litellm",),
        skip=("raw_gen_ai_request",),
    ),
    Sdk("autogen", "autogen", "autogen_agent.py", ("agent", "team"), packages=("autogen-agentchat",)),
    Sdk("semantic_kernel", "sk", "semantic_kernel_app.py", ("plain", "agent", "error"), SK, packages=("semantic-kernel",)),
    Sdk(
        "openinference_groq",
        "hosts",
        "hosts_client.py",
        ("groq openinference",),
        packages=("openinference-instrumentation-groq", "groq"),
    ),
    Sdk(
        "openinference_mistral",
        "hosts",
        "hosts_client.py",
        ("mistral openinference",),
        packages=("openinference-instrumentation-mistralai", "mistralai"),
    ),
    Sdk("openllmetry_groq", "hosts", "hosts_client.py", ("groq openllmetry",), packages=("opentelemetry-instrumentation-groq", "groq")),
    Sdk(
        "openllmetry_ollama",
        "hosts",
        "hosts_client.py",
        ("ollama openllmetry",),
        packages=("opentelemetry-instrumentation-ollama", "ollama"),
    ),
    Sdk(
        "openllmetry_cohere",
        "hosts1",
        "hosts_client.py",
        ("cohere openllmetry",),
        packages=("opentelemetry-instrumentation-cohere", "cohere"),
    ),
    Sdk(
        "openllmetry_mistral",
        "hosts1",
        "hosts_client.py",
        ("mistral openllmetry",),
        packages=("opentelemetry-instrumentation-mistralai", "mistralai"),
        skip=("chat_completion_v1*", "embeddings_v1*", "stream_chat"),  # the client's own, without content
    ),
    Sdk(
        "openinference_bedrock",
        "bedrock",
        "bedrock_client.py",
        ("tools openinference", "error openinference"),
        packages=("openinference-instrumentation-bedrock", "boto3"),
    ),
    Sdk(
        "openllmetry_bedrock",
        "bedrock",
        "bedrock_client.py",
        ("tools openllmetry", "error openllmetry"),
        packages=("opentelemetry-instrumentation-bedrock", "boto3"),
    ),
    Sdk(
        "otel_bedrock",
        "bedrock",
        "bedrock_client.py",
        ("tools otel", "error otel"),
        OPENAI_V2,
        packages=("opentelemetry-instrumentation-botocore", "boto3"),
    ),
    Sdk(
        "openinference_instructor",
        "instructor",
        "instructor_client.py",
        ("typed", "error"),
        packages=("openinference-instrumentation-instructor", "instructor"),
    ),
    Sdk(
        "openinference_pydantic_ai",
        "oipyai",
        "pydantic_ai_agent.py",
        ("tools openinference", "stream openinference", "error openinference"),
        packages=("openinference-instrumentation-pydantic-ai", "pydantic-ai-slim"),
    ),
    Sdk(
        "openinference_autogen",
        "oiautogen",
        "autogen_agent.py",
        ("agent openinference",),
        packages=("openinference-instrumentation-autogen-agentchat", "autogen-agentchat"),
    ),
    Sdk(
        "openinference_haystack3",
        "haystack3",
        "haystack_pipeline.py",
        ("rag openinference", "agent openinference"),
        packages=("openinference-instrumentation-haystack", "haystack-ai"),
    ),
    Sdk(
        "haystack3",
        "haystack3",
        "haystack_pipeline.py",
        ("rag native", "agent native", "error native"),
        {"HAYSTACK_CONTENT_TRACING_ENABLED": "true"},
        packages=("opentelemetry-haystack", "haystack-ai"),
    ),
    Sdk(
        "openllmetry_haystack",
        "haystack",
        "haystack_pipeline.py",
        ("rag openllmetry", "agent openllmetry"),
        packages=("opentelemetry-instrumentation-haystack", "haystack-ai"),
    ),
    Sdk(
        "openllmetry_crewai",
        "crewai",
        "crewai_crew.py",
        ("agent openllmetry", "error openllmetry"),
        packages=("opentelemetry-instrumentation-crewai", "crewai"),
    ),
    Sdk(
        "openllmetry_milvus", "lance", "vector_dbs.py", ("milvus", "lancedb"), packages=("opentelemetry-instrumentation-milvus", "pymilvus")
    ),
    Sdk("mlflow_clients", "mlflow", "mlflow_clients.py", ("anthropic", "gemini"), MLFLOW, packages=("mlflow", "anthropic")),
    Sdk("logfire_clients", "logfire_more", "logfire_clients.py", ("anthropic", "litellm", "pending"), packages=("logfire", "openai")),
    Sdk("langfuse4_openai", "lf4", "langfuse_openai.py", ("rag", "agent", "plain", "responses"), LANGFUSE, packages=("langfuse", "openai")),
    Sdk("langfuse4_langchain", "lf4", "langfuse_langchain.py", LANGCHAIN_CALLS, LANGFUSE, packages=("langfuse", "langchain")),
    Sdk("weave", "weave", "weave_conversation.py", ("agent",), packages=("weave", "openai")),
    Sdk("strands", "strands", "strands_agent.py", ("agent",), CONTENT, packages=("strands-agents",)),
    Sdk("adk", "adk", "adk_agent.py", ("agent",), CONTENT | {"ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS": "true"}, packages=("google-adk",)),
    Sdk(
        "otel_genai_langchain",
        "glc",
        "otel_genai_langchain.py",
        LANGCHAIN_CALLS,
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-langchain", "langchain"),
    ),
    Sdk(
        "otel_genai_llamaindex",
        "gli",
        "llamaindex_app.py",
        ("rag genai", "stream genai", "agent genai", "error genai"),
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-llama-index", "llama-index-core"),
    ),
    Sdk(
        "otel_genai_agents",
        "gag",
        "openai_agents_app.py",
        ("agent genai", "responses genai", "error genai"),
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-openai-agents", "openai-agents"),
    ),
    Sdk(
        "otel_genai_dspy",
        "gds",
        "dspy_program.py",
        ("rag genai", "error genai"),
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-dspy", "dspy"),
    ),
    Sdk(
        "otel_genai_agno",
        "gno",
        "agno_agent.py",
        ("agent genai", "error genai"),
        CONTENT,
        packages=("opentelemetry-instrumentation-genai-agno", "agno"),
    ),
    Sdk(
        "openlit_openai", "openlit", "openlit_openai.py", ("rag", "tools", "plain", "image"), skip=("POST",), packages=("openlit", "openai")
    ),
    Sdk("traceloop_openai_old", "tl40", "traceloop_openai.py", ("rag", "agent", "plain"), TRACELOOP, packages=("traceloop-sdk", "openai")),
    Sdk("langfuse3_openai", "lf3", "langfuse_openai.py", ("rag", "agent", "plain", "responses"), LANGFUSE, packages=("langfuse", "openai")),
    Sdk("strands0", "strands0", "strands_agent.py", ("agent",), packages=("strands-agents",)),
    Sdk("adk1", "adk1", "adk_agent.py", ("agent",), packages=("google-adk",)),
    Sdk(
        "openinference_js",
        "npmjs",
        "openai_node.mjs",
        ("rag openinference", "tools openinference", "stream openinference"),
        packages=("@arizeai/openinference-instrumentation-openai", "openai"),
    ),
    Sdk(
        "openllmetry_js",
        "npmjs",
        "openai_node.mjs",
        ("rag openllmetry", "tools openllmetry", "stream openllmetry"),
        packages=("@traceloop/instrumentation-openai", "openai"),
    ),
    Sdk(
        "langfuse_js",
        "npmjs",
        "openai_node.mjs",
        ("rag langfuse", "tools langfuse", "stream langfuse"),
        packages=("@langfuse/otel", "openai"),
    ),
    Sdk(
        "openllmetry_llamaindex",
        "traceloop",
        "llamaindex_app.py",
        ("rag openllmetry", "agent openllmetry"),
        packages=("traceloop-sdk", "llama-index-core"),
    ),
    Sdk("mlflow_grpc", "mlflow", "mlflow_openai.py", ("rag",), MLFLOW_GRPC, packages=("mlflow", "openai")),
    Sdk("traceloop_grpc", "traceloop", "traceloop_openai.py", ("rag",), TRACELOOP_GRPC, packages=("traceloop-sdk", "openai")),
    Sdk("vercel_ai4", "npm4", "vercel_ai.mjs", ("rag 4", "tools 4", "stream 4", "object 4", "error 4"), packages=("ai",)),
    Sdk("vercel_ai5", "npm5", "vercel_ai.mjs", ("rag 5", "tools 5", "stream 5", "object 5", "error 5"), packages=("ai",)),
    Sdk("vercel_ai6", "npm6", "vercel_ai.mjs", ("rag 6", "tools 6", "stream 6", "object 6", "error 6"), packages=("ai",)),
    Sdk("vercel_ai7", "npm7", "vercel_ai.mjs", ("rag 7", "tools 7", "stream 7", "error 7"), packages=("ai", "@ai-sdk/otel")),
)

QUIET = {  # no SDK reports home, none waits for a service that is not there
    "ANONYMIZED_TELEMETRY": "False",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "AGNO_TELEMETRY": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "false",
    "OPENAI_API_KEY": "sk-local",
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "NO_COLOR": "1",
}


# ---- Environments ----


def build(name: str, venvs: Path) -> Path:
    """The environment of that name, made if it is not there: a venv or a Node project."""
    home = venvs / name
    if (home / ".ok").exists():
        return home
    print(f"building {name} …", flush=True)
    if name.startswith("npm"):
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"name": "live", "private": true}', encoding="utf-8")
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *ENVIRONMENTS[name]], cwd=home, check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *OTLP, *ENVIRONMENTS[name]], check=True)
    (home / ".ok").touch()
    return home


def versions(home: Path, packages: Sequence[str]) -> dict[str, str]:
    if (home / "package.json").exists():
        read = {name: json.loads((home / "node_modules" / name / "package.json").read_text(encoding="utf-8")) for name in packages}
        return {name: str(package["version"]) for name, package in read.items()}
    asked = (*packages, "opentelemetry-sdk")
    code = "import sys; from importlib.metadata import version as v; print(*(v(name) for name in sys.argv[1:]))"
    answer = subprocess.run([home / "bin" / "python", "-c", code, *asked], capture_output=True, text=True, check=True)
    return dict(zip(asked, answer.stdout.split(), strict=True))


# ---- One scenario ----


@dataclass(frozen=True, slots=True)
class Recording:
    sdk: Sdk
    scenario: str
    requests: Sequence[Recorded]
    truths: Sequence[dict[str, Any]]
    packages: dict[str, str]
    output: str

    @property
    def name(self) -> str:
        return f"{self.sdk.name}-{self.scenario.replace(' ', '_')}"


def run(sdk: Sdk, scenario: str, home: Path, tee: Tee, folder: Path) -> Recording:
    """The program's run, everything it sent and everything that was true."""
    truth = folder / "truth.jsonl"
    truth.write_text("", encoding="utf-8")
    tee.recorded.clear()
    with running_model_server(truth) as server:
        here = {"http": tee.http, "grpc": tee.grpc, "folder": str(folder)}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        variables = kept | QUIET | {"OTEL_EXPORTER_OTLP_ENDPOINT": tee.http, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        variables |= {name: value.format(**here) for name, value in sdk.variables.items()}
        variables |= {"LIVE_MODEL_URL": server.url, "LIVE_COLLECTOR": tee.http, "LIVE_TRUTH": str(truth), "LIVE_NODE_ROOT": str(home)}
        variables |= {"PYTHONPATH": str(PROGRAMS), "PYTHONDONTWRITEBYTECODE": "1", "OPENAI_BASE_URL": f"{server.url}/v1"}
        program = ["node"] if sdk.program.endswith(".mjs") else [str(home / "bin" / "python")]
        command = [*program, str(PROGRAMS / sdk.program), *scenario.split()]
        try:
            done = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
            output = done.stdout + done.stderr + (f"\nexit status {done.returncode}" if done.returncode else "")
        except subprocess.TimeoutExpired as late:
            output = f"{late.stdout}\n{late.stderr}\nexit status: killed after {TIMEOUT_S} s"
    truths = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    return Recording(sdk, scenario, tuple(tee.recorded), truths, versions(home, sdk.packages), output)


def write_case(recording: Recording, folder: Path) -> dict[str, Any]:
    """The bodies and NAME.expect.json, in the form of the other recorded cases."""
    bodies: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    many = sum(request.signal == "traces" for request in recording.requests) > 1
    for request in recording.requests:
        if request.signal == "metrics":
            continue
        into = bodies if request.signal == "traces" else logs
        part = f".part{len(into) + 1}" if many and into is bodies else "" if into is bodies else f".logs{len(into) + 1}"
        file = f"{recording.name}{part}.{'json' if 'json' in request.content_type else 'pb'}"
        (folder / file).write_bytes(request.body)
        content_type = None if request.transport == "grpc" else request.content_type
        fields = {"transport": request.transport, "path": request.path, "content_type": content_type}
        fields |= {"content_encoding_on_wire": request.encoding, "user_agent": request.user_agent}
        into.append({"file": file, **fields, "spans": len(spans_of([request])), "bytes": len(request.body)})
    facts = facts_of_recording(recording)
    case = {"emitter": recording.sdk.name, "scenario": recording.scenario, "packages": recording.packages, "bodies": bodies}
    case |= {"companion_logs": logs, **facts}
    (folder / f"{recording.name}.expect.json").write_text(json.dumps(case, indent=1, ensure_ascii=False), encoding="utf-8")
    return case


def facts_of_recording(recording: Recording) -> dict[str, Any]:
    """What the spans alone must show, and under `spans_with_logs` those that show more once the log records are there."""
    spans, sdk = spans_of(recording.requests), recording.sdk
    facts = case_facts(spans, recording.truths, skip=sdk.skip, calls=sdk.calls)
    if any(request.signal == "logs" for request in recording.requests):
        more = case_facts(with_logs(spans, recording.requests), recording.truths, skip=sdk.skip, calls=sdk.calls)["spans"]
        facts["spans_with_logs"] = [span for span in more if span not in facts["spans"]]
    return facts


# ---- All of them ----


@contextmanager
def collector_for(folder: Path, *, none: bool) -> Iterator[Any]:
    if none:
        yield None
        return
    from tests.processes import running_collector

    with running_collector(folder / "live.db") as running:
        yield running


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venvs", type=Path, help="where environments are kept (default: a temporary folder)")
    parser.add_argument("--only", nargs="*", default=["*"], metavar="GLOB", help="SDKs by name, as in 'langfuse*'")
    parser.add_argument("--record", type=Path, metavar="DIR", help="keep requests and expectations here")
    parser.add_argument("--no-collector", action="store_true", help="only record")
    parser.add_argument("--quick", action="store_true", help="the first scenario of each SDK")
    parser.add_argument("--verbose", action="store_true", help="show every failing fact and each program's output")
    args = parser.parse_args(argv)
    chosen = list(dict.fromkeys(sdk for glob in args.only for sdk in SDKS if fnmatch(sdk.name, glob)))
    if args.quick:
        chosen = [replace(sdk, scenarios=sdk.scenarios[:1]) for sdk in chosen]
    with tempfile.TemporaryDirectory() as scratch:
        folder, venvs = Path(scratch), args.venvs or Path(scratch) / "venvs"
        record = args.record or folder / "cases"
        record.mkdir(parents=True, exist_ok=True)
        with collector_for(folder, none=args.no_collector) as running:
            behind = (running.http, running.grpc) if running else (None, None)
            with running_tee(*behind) as tee:
                return report(chosen, venvs, folder, record, tee, running, args.verbose)


def report(chosen: Sequence[Sdk], venvs: Path, folder: Path, record: Path, tee: Tee, running: Any, verbose: bool) -> int:
    """One line a scenario: versions, spans, facts held."""
    failed = 0
    for sdk in chosen:
        home = build(sdk.environment, venvs)
        for scenario in sdk.scenarios:
            began = time.monotonic()
            recording = run(sdk, scenario, home, tee, folder)
            case = write_case(recording, record)
            (record / f"{recording.name}.output").write_text(recording.output, encoding="utf-8")
            (record / f"{recording.name}.truth").write_text("\n".join(map(json.dumps, recording.truths)), encoding="utf-8")
            facts = held_facts(running.http, case) if running else []
            wrong = [fact for fact in facts if not fact.ok and not fact.bonus]
            calls = sum(truth["what"] in ("chat", "embedding", "failure") for truth in recording.truths)
            lost = sum("what" in absent for absent in case["not_in_payload"])
            unwell = "exit status" in recording.output or not case["span_count"] or tee.refused
            failed += bool(wrong or unwell)
            shown = " ".join(f"{name} {version}" for name, version in list(recording.packages.items())[:2])
            print(
                f"{'FAIL' if wrong or unwell else 'ok':5}{recording.name:42}{case['span_count']:4} spans {calls:3} calls {lost:2} lost"
                f" {len(facts) - len(wrong):4}/{len(facts):<4} facts {time.monotonic() - began:5.1f} s  {shown}",
                flush=True,
            )
            for fact in wrong if verbose else ():
                print(f"      {fact.owner} {fact.field}: expected {str(fact.want)[:150]} got {str(fact.got)[:150]}")
            if unwell:
                print("     ", "\n      ".join([*recording.output.splitlines()[-6:], *tee.refused]))
            tee.refused.clear()
    print(f"{sum(len(sdk.scenarios) for sdk in chosen) - failed} passed, {failed} failed")
    return bool(failed)


def held_facts(endpoint: str, case: dict[str, Any]) -> list[Any]:
    """Every fact of the case, looked for in the JSON API; the spans have been sent already."""
    from tests.collector.test_otlp_cases import checker

    collector, facts, spans = checker.Collector(endpoint), list[Any](), dict[tuple[str, str], Any]()
    deadline = time.monotonic() + PATIENCE_S
    for trace in case["traces"]:
        shown, how = collector.trace(trace["trace_id"], trace["span_count"], deadline)
        facts += checker.facts_about("trace", trace, shown, checker.TRACE_RULES, f"trace not shown ({how})")
        spans.update({(trace["trace_id"], span["span_id"]): span for span in (shown or {}).get("spans", [])})
    for span in [*case["spans"], *case.get("spans_with_logs", ())]:
        wanted = {"tool_output" if name == "output_text" and span.get("kind") == "tool" else name: fact for name, fact in span.items()}
        shown = spans.get((span["trace_id"], span["span_id"]))
        facts += checker.facts_about(span["name"], wanted, shown, checker.SPAN_RULES, "span not shown")
    return facts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
