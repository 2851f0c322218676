"""Small answers for the list pages: one request each, with the parts a test chooses."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.viewer.trace_samples import MS, Builder, message

PASSAGES = {
    "refunds.md#1": ("Refunds", "Refunds take five working days after the parcel arrives."),
    "refunds.md#2": ("Exceptions", "Opened software is not refunded."),
    "returns.md#1": ("Returns", "Send a parcel back within thirty days."),
    "shipping.md#1": ("Shipping", "Parcels leave on the next working day."),
}


def answer(
    seed: str,
    question: str = "How long do refunds take?",
    text: str = "Five working days [1].",
    *,
    service: str = "shop-bot",
    session: str | None = None,
    user: str | None = None,
    tags: Sequence[str] = (),
    documents: Sequence[str] = ("refunds.md#1", "refunds.md#2", "returns.md#1"),
    query: str | None = None,
    model: str = "gpt-4o-mini",
    chunking: str = "headings",
    minutes_ago: float = 1,
    failed: bool = False,
    **resource: Any,
) -> Mapping[str, Any]:
    """A trace of three spans: root, retriever, model."""
    start = time.time_ns() - round(minutes_ago * 60_000 * MS)
    build = Builder(seed, start, **{"service.name": service} | resource)
    found = [
        {
            "id": name,
            "content": PASSAGES[name][1],
            "score": round(0.9 - 0.1 * rank, 2),
            "rank": rank,
            "metadata": {"heading": PASSAGES[name][0], "source": name.partition("#")[0]},
        }
        for rank, name in enumerate(documents, 1)
    ]
    about = {"session.id": session, "user.id": user, "tag.tags": list(tags) or None}
    error = ("TimeoutError", "the model did not answer") if failed else None
    said = {"input.value": question, "output.value": None if failed else text, **about}
    root = build.span("answer", "CHAIN", 0, 900, None, said, error=error)
    build.span(
        "retrieve",
        "RETRIEVER",
        10,
        120,
        root,
        {
            "rightpassage.stage": "recall",
            "gen_ai.retrieval.query.text": query or question,
            "gen_ai.retrieval.documents": found,
            "rightpassage.index.name": "shop",
            "rightpassage.index.chunking": chunking,
        },
    )
    build.span(
        "chat",
        "LLM",
        150,
        700,
        root,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model,
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 400,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.input.messages": [message("system", "Answer from the passages."), message("user", question)],
            "gen_ai.output.messages": [] if failed else [message("assistant", text)],
        },
        error=error,
    )
    return build.request()
