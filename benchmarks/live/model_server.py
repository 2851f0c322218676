"""A model server whose every answer is known before it is asked: the HTTP APIs of OpenAI, Anthropic, Gemini, Cohere, Bedrock and Ollama on
loopback.

Answers depend on the last message alone, token counts on the number of messages and words, so a reader can recompute them. Every call is
written to a log (one JSON object a line) in one plain form, whatever the API: that log is the truth which recorded spans are held against.

    usage of a chat call: 20 + 11 x messages in (16 of them cached), 5 + words out (3 of them reasoning)
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Json = Any
PAUSE_S = 0.012  # between arrival and answer, so that the logged moment lies well inside the caller's span
DIMENSIONS = 8
BROKEN_MODEL = "gpt-broken"
REFUSAL = "The model gpt-broken is broken on purpose."
ANSWERS = (  # words of the last message → the answer
    ("capital of france", "Paris is the capital of France."),
    ("capital of norway", "Oslo is the capital of Norway – «Tigerstaden»."),
    ("refund", "Refunds are paid within 14 days."),
    ("weather", "It is 18 degrees and sunny in Paris."),
)
OTHERWISE = "I do not know that."
LEFT_OUT = {
    "model",
    "messages",
    "input",
    "tools",
    "stream",
    "stream_options",
    "system",
    "contents",
    "tool_choice",
    "instructions",
    "prompt",
}


def answer_text(messages: list[Json]) -> str:
    """The reply to the last turn that a person wrote; adapters that ask for a form get that form."""
    asked = " ".join(str(m.get("content") or "") for m in messages).lower()
    last = next((str(m["content"]) for m in reversed(messages) if m["role"] == "user" and m.get("content")), "").lower()
    text = next((said for words, said in ANSWERS if words in last), None)
    text = text or next((said for words, said in ANSWERS if words in asked), OTHERWISE)
    if "[[ ## completed ## ]]" in asked:  # DSPy's chat adapter
        fields = "[[ ## reasoning ## ]]\nThe passages say so.\n\n" if "[[ ## reasoning ## ]]" in asked else ""
        return f"{fields}[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]"
    if "final answer:" in asked or ("final answer" in asked and "action input" in asked):  # ReAct prompts
        return f"Thought: I now know the final answer\nFinal Answer: {text}"
    return text


def tool_calls(messages: list[Json], tools: list[Json]) -> list[Json]:
    """Calls of the tools on offer: `get_weather` once per city asked for; an agent's closing tool once something came back."""
    names = {tool["name"] for tool in tools}
    answered = any(m["role"] == "tool" for m in messages) or any("observation" in str(m.get("content")).lower() for m in messages)
    asked = " ".join(str(m.get("content") or "") for m in messages if m["role"] == "user").lower()
    weather = next((name for name in names if name.endswith("get_weather")), None)  # Semantic Kernel puts a plugin's name before it
    if not answered and "weather" in asked and weather:
        cities = [city for city in ("Paris", "Oslo") if city.lower() in asked] or ["Paris"]
        return [{"name": weather, "arguments": {"city": city}} for city in cities]
    if answered or "weather" not in asked:
        for name, key in (("final_answer", "answer"), ("final_result", "answer")):
            if name in names:
                return [{"name": name, "arguments": {key: answer_text(messages)}}]
    return []


def vector(text: str) -> list[float]:
    """A made-up embedding that depends on the text."""
    return [round(((sum(text.encode()) * (i + 3)) % 97) / 97 - 0.5, 6) for i in range(DIMENSIONS)]


def usage_of(messages: list[Json], text: str, calls: list[Json]) -> dict[str, int]:
    words = len((text or " ".join(json.dumps(call["arguments"]) for call in calls)).split())
    into, out = 20 + 11 * len(messages), 5 + words
    return {"input": into, "output": out, "total": into + out, "cached_input": 16, "reasoning_output": 3}


# ---- The APIs' messages in one plain form: {role, content, tool_calls: [{name, arguments}], tool_call_id} ----


def text_of(content: Json) -> str | None:
    if content is None or isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict) and "text" in part) or None


def opened(value: Json) -> Json:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def plain(**fields: Json) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value not in (None, [], "")}


def from_openai(messages: list[Json]) -> list[Json]:
    said: list[Json] = []
    for m in messages:
        calls = [{"name": c["function"]["name"], "arguments": opened(c["function"]["arguments"])} for c in m.get("tool_calls") or []]
        role = {"developer": "system", "function": "tool"}.get(m["role"], m["role"])
        said.append(plain(role=role, content=text_of(m.get("content")), tool_calls=calls, tool_call_id=m.get("tool_call_id")))
    return said


def from_responses(request: Json) -> list[Json]:
    items = request["input"] if isinstance(request["input"], list) else [{"role": "user", "content": request["input"]}]
    said = [plain(role="system", content=request.get("instructions"))] if request.get("instructions") else []
    for item in items:
        if item.get("type") == "function_call":
            said.append({"role": "assistant", "tool_calls": [{"name": item["name"], "arguments": opened(item["arguments"])}]})
        elif item.get("type") == "function_call_output":
            said.append(plain(role="tool", content=text_of(item["output"]), tool_call_id=item["call_id"]))
        elif "role" in item:
            said.append(plain(role={"developer": "system"}.get(item["role"], item["role"]), content=text_of(item.get("content"))))
    return said


def from_anthropic(request: Json) -> list[Json]:
    said = [plain(role="system", content=text_of(request["system"]))] if request.get("system") else []
    for m in request["messages"]:
        parts = m["content"] if isinstance(m["content"], list) else [{"type": "text", "text": m["content"]}]
        calls = [{"name": p["name"], "arguments": p["input"]} for p in parts if p["type"] == "tool_use"]
        results = [p for p in parts if p["type"] == "tool_result"]
        said += [plain(role="tool", content=text_of(p["content"]), tool_call_id=p["tool_use_id"]) for p in results]
        if not results:
            said.append(plain(role=m["role"], content=text_of(parts), tool_calls=calls))
    return said


def from_gemini(request: Json) -> list[Json]:
    system = request.get("systemInstruction") or request.get("system_instruction")
    said = [plain(role="system", content=text_of(system["parts"]))] if system else []
    for m in request["contents"]:
        calls = [{"name": p["functionCall"]["name"], "arguments": p["functionCall"]["args"]} for p in m["parts"] if "functionCall" in p]
        results = [p["functionResponse"]["response"] for p in m["parts"] if "functionResponse" in p]
        role = {"model": "assistant"}.get(m.get("role", "user"), "user")
        said += [{"role": "tool", "content": json.dumps(r)} for r in results]
        if not results:
            said.append(plain(role=role, content=text_of(m["parts"]), tool_calls=calls))
    return said


def tools_of(request: Json) -> list[Json]:
    found: list[Json] = []
    for tool in request.get("tools") or []:
        found += tool.get("functionDeclarations") or tool.get("function_declarations") or [tool.get("function") or tool]
    return [tool for tool in found if "name" in tool]


# ---- One call in each API: (answer, stream of events or None) ----


class Call:
    """One chat call in the plain form, and its place in the log."""

    def __init__(self, log: Log, api: str, request: Json, messages: list[Json], model: str) -> None:
        self.id = log.next()
        self.stream = bool(request.get("stream"))
        self.tools = tools_of(request)
        self.calls = tool_calls(messages, self.tools)
        self.text = "" if self.calls else answer_text(messages)
        for number, call in enumerate(self.calls):
            call["id"] = f"call_{self.id}_{number}"
        self.usage = usage_of(messages, self.text, self.calls)
        self.model = model
        options = request.get("generationConfig") or request
        log.write(
            what="chat",
            api=api,
            model=model,
            response_model=f"{model}-2024-07-18" if api in ("chat", "responses") else model,
            messages=messages,
            output_text=self.text or None,
            output_tool_calls=[{"name": call["name"], "arguments": call["arguments"]} for call in self.calls],
            tokens=self.usage if not self.stream or api != "chat" or (request.get("stream_options") or {}).get("include_usage") else None,
            tools=[tool["name"] for tool in self.tools],
            described=[tool["description"] for tool in self.tools if tool.get("description")],
            parameters={k: v for k, v in options.items() if k in ("temperature", "max_tokens", "top_p", "seed")},
            stream=self.stream,
        )

    @property
    def pieces(self) -> list[str]:
        words = self.text.split(" ")
        return [word if i == 0 else f" {word}" for i, word in enumerate(words)] if self.text else []


def openai_usage(usage: dict[str, int]) -> Json:
    return {
        "prompt_tokens": usage["input"],
        "completion_tokens": usage["output"],
        "total_tokens": usage["total"],
        "prompt_tokens_details": {"cached_tokens": usage["cached_input"], "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage["reasoning_output"], "audio_tokens": 0},
    }


def chat(log: Log, request: Json) -> tuple[Json, list[Json] | None]:
    call = Call(log, "chat", request, from_openai(request["messages"]), request["model"])
    calls = [
        {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": json.dumps(c["arguments"])}} for c in call.calls
    ]
    reason = "tool_calls" if calls else "stop"
    head = {"id": f"chatcmpl-{call.id}", "created": 1764000000, "model": f"{call.model}-2024-07-18", "system_fingerprint": "fp_1"}
    if not call.stream:
        said = {"role": "assistant", "content": call.text or None, "refusal": None, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": said, "finish_reason": reason, "logprobs": None}
        return {**head, "object": "chat.completion", "choices": [choice], "usage": openai_usage(call.usage)}, None
    head["object"] = "chat.completion.chunk"
    deltas: list[Json] = [{"role": "assistant", "content": "" if call.text else None}, *({"content": piece} for piece in call.pieces)]
    for index, c in enumerate(calls):
        whole = c["function"]["arguments"]
        deltas.append({"tool_calls": [{"index": index, **c, "function": {"name": c["function"]["name"], "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in (whole[:5], whole[5:])]
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if (request.get("stream_options") or {}).get("include_usage"):
        events.append({**head, "choices": [], "usage": openai_usage(call.usage)})
    return None, events


def completion(log: Log, request: Json) -> tuple[Json, list[Json] | None]:
    prompt = request["prompt"] if isinstance(request["prompt"], str) else request["prompt"][0]
    call = Call(log, "chat", {**request, "stream": False}, [{"role": "user", "content": prompt}], request["model"])
    choice = {"index": 0, "text": call.text, "finish_reason": "stop", "logprobs": None}
    head = {"id": f"cmpl-{call.id}", "object": "text_completion", "created": 1764000000, "model": f"{call.model}-2024-07-18"}
    return {**head, "choices": [choice], "usage": openai_usage(call.usage)}, None


def responses(log: Log, request: Json) -> tuple[Json, list[Json] | None]:
    call = Call(log, "responses", request, from_responses(request), request["model"])
    output: list[Json] = [
        {"type": "function_call", "id": f"fc_{c['id']}", "call_id": c["id"], "name": c["name"], "arguments": json.dumps(c["arguments"])}
        | {"status": "completed"}
        for c in call.calls
    ]
    if call.text:
        part = {"type": "output_text", "text": call.text, "annotations": []}
        output = [{"type": "message", "id": f"msg_{call.id}", "role": "assistant", "status": "completed", "content": [part]}]
    usage = call.usage
    tokens = {
        "input_tokens": usage["input"],
        "input_tokens_details": {"cached_tokens": usage["cached_input"]},
        "output_tokens": usage["output"],
        "output_tokens_details": {"reasoning_tokens": usage["reasoning_output"]},
        "total_tokens": usage["total"],
    }
    whole = {"id": f"resp_{call.id}", "object": "response", "created_at": 1764000000, "status": "completed", "error": None}
    whole |= {"model": f"{call.model}-2024-07-18", "output": output, "usage": tokens, "parallel_tool_calls": True, "tool_choice": "auto"}
    whole |= {"tools": request.get("tools") or [], "instructions": request.get("instructions"), "metadata": {}, "incomplete_details": None}
    whole |= {"temperature": request.get("temperature"), "top_p": request.get("top_p")}
    if not call.stream:
        return whole, None
    started = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[Json] = [{"type": "response.created", "response": started}]
    for index, item in enumerate(output):
        place = {"item_id": item["id"], "output_index": index}
        unfinished = {**item, "status": "in_progress"} | ({"content": []} if "content" in item else {"arguments": ""})
        events.append({"type": "response.output_item.added", "output_index": index, "item": unfinished})
        if item["type"] == "message":
            empty = {"type": "output_text", "text": "", "annotations": []}
            events.append({"type": "response.content_part.added", **place, "content_index": 0, "part": empty})
            events += [
                {"type": "response.output_text.delta", **place, "content_index": 0, "delta": piece, "logprobs": []} for piece in call.pieces
            ]
            events.append({"type": "response.output_text.done", **place, "content_index": 0, "text": call.text, "logprobs": []})
            events.append({"type": "response.content_part.done", **place, "content_index": 0, "part": item["content"][0]})
        else:
            events.append({"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]})
            events.append({"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"], "name": item["name"]})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return None, [{**event, "sequence_number": number} for number, event in enumerate(events)]


def embeddings(log: Log, request: Json) -> tuple[Json, None]:
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    texts = [text if isinstance(text, str) else "" for text in texts]
    log.write(
        what="embedding", api="embeddings", model=request["model"], texts=texts, dimensions=DIMENSIONS, tokens={"input": 4 * len(texts)}
    )
    data: list[Json] = [{"object": "embedding", "index": i, "embedding": vector(text)} for i, text in enumerate(texts)]
    if request.get("encoding_format") == "base64":
        import base64
        import struct

        for item in data:
            item["embedding"] = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *item["embedding"])).decode()
    usage = {"prompt_tokens": 4 * len(texts), "total_tokens": 4 * len(texts)}
    return {"id": f"embd-{log.next()}", "object": "list", "model": request["model"], "data": data, "usage": usage}, None


def anthropic(log: Log, request: Json) -> tuple[Json, list[Json] | None]:
    call = Call(log, "anthropic", request, from_anthropic(request), request["model"])
    blocks: list[Json] = [{"type": "tool_use", "id": c["id"], "name": c["name"], "input": c["arguments"]} for c in call.calls]
    blocks = blocks or [{"type": "text", "text": call.text}]
    usage = {"input_tokens": call.usage["input"] - 16, "output_tokens": call.usage["output"]}
    usage |= {"cache_read_input_tokens": 16, "cache_creation_input_tokens": 0}
    head = {"id": f"msg_{call.id}", "type": "message", "role": "assistant", "model": call.model, "stop_sequence": None}
    reason = "tool_use" if call.calls else "end_turn"
    if not call.stream:
        return {**head, "content": blocks, "stop_reason": reason, "usage": usage}, None
    begun = {**head, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(blocks):
        empty = {**block, "input": {}} if block["type"] == "tool_use" else {"type": "text", "text": ""}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        deltas = [{"type": "text_delta", "text": piece} for piece in call.pieces]
        if block["type"] == "tool_use":
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage})
    return None, [*events, {"type": "message_stop"}]


def gemini(log: Log, request: Json, model: str, stream: bool) -> tuple[Json, list[Json] | None]:
    call = Call(log, "gemini", {**request, "stream": stream}, from_gemini(request), model)
    parts: list[Json] = [{"functionCall": {"id": c["id"], "name": c["name"], "args": c["arguments"]}} for c in call.calls]
    usage = {"promptTokenCount": call.usage["input"], "candidatesTokenCount": call.usage["output"] - 3, "thoughtsTokenCount": 3}
    usage |= {"totalTokenCount": call.usage["total"], "cachedContentTokenCount": 16}

    def said(parts: list[Json], finish: str | None) -> Json:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **({"finishReason": finish} if finish else {})}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": f"gem_{call.id}"}

    if not stream:
        return said(parts or [{"text": call.text}], "STOP"), None
    pieces = [[part] for part in parts] or [[{"text": piece}] for piece in call.pieces]
    return None, [said(piece, "STOP" if i == len(pieces) - 1 else None) for i, piece in enumerate(pieces)]


def from_bedrock(request: Json) -> list[Json]:
    said = [plain(role="system", content=text_of(request["system"]))] if request.get("system") else []
    for m in request["messages"]:
        calls = [{"name": p["toolUse"]["name"], "arguments": p["toolUse"]["input"]} for p in m["content"] if "toolUse" in p]
        results = [p["toolResult"] for p in m["content"] if "toolResult" in p]
        said += [plain(role="tool", content=text_of(r["content"]), tool_call_id=r["toolUseId"]) for r in results]
        if not results:
            said.append(plain(role=m["role"], content=text_of(m["content"]), tool_calls=calls))
    return said


def bedrock(log: Log, request: Json, model: str) -> tuple[Json, None]:
    """Bedrock's Converse."""
    tools = [tool["toolSpec"] for tool in (request.get("toolConfig") or {}).get("tools", [])]
    call = Call(log, "bedrock", {"tools": tools, **request.get("inferenceConfig", {})}, from_bedrock(request), model)
    blocks: list[Json] = [{"toolUse": {"toolUseId": c["id"], "name": c["name"], "input": c["arguments"]}} for c in call.calls]
    usage = {"inputTokens": call.usage["input"], "outputTokens": call.usage["output"], "totalTokens": call.usage["total"]}
    return {
        "output": {"message": {"role": "assistant", "content": blocks or [{"text": call.text}]}},
        "stopReason": "tool_use" if call.calls else "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 12},
    }, None


def cohere(log: Log, request: Json) -> tuple[Json, None]:
    call = Call(log, "cohere", request, from_openai(request["messages"]), request["model"])
    calls = [
        {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": json.dumps(c["arguments"])}} for c in call.calls
    ]
    tokens = {"input_tokens": call.usage["input"], "output_tokens": call.usage["output"]}
    said = {"role": "assistant", **({"tool_calls": calls} if calls else {"content": [{"type": "text", "text": call.text}]})}
    reason = "TOOL_CALL" if calls else "COMPLETE"
    return {"id": f"cohere-{call.id}", "message": said, "finish_reason": reason, "usage": {"billed_units": tokens, "tokens": tokens}}, None


def ollama(log: Log, request: Json) -> tuple[Json, None]:
    call = Call(log, "ollama", {**request, "stream": False}, from_openai(request["messages"]), request["model"])
    said = {"role": "assistant", "content": call.text}
    if call.calls:
        said["tool_calls"] = [{"function": {"name": c["name"], "arguments": c["arguments"]}} for c in call.calls]
    counts = {"prompt_eval_count": call.usage["input"], "eval_count": call.usage["output"], "total_duration": 1, "load_duration": 1}
    head = {"model": call.model, "created_at": "2026-01-01T00:00:00Z", "message": said, "done": True, "done_reason": "stop"}
    return head | counts, None


def rerank(log: Log, request: Json) -> tuple[Json, None]:
    texts = [d if isinstance(d, str) else d.get("text", "") for d in request["documents"]]
    words = set(request["query"].lower().strip("?").split())
    scores = [round(len(words & set(text.lower().strip(".").split())) / max(1, len(words)), 4) for text in texts]
    ranked = sorted(range(len(texts)), key=lambda i: -scores[i])[: request.get("top_n") or len(texts)]
    results = [{"index": i, "relevance_score": scores[i]} for i in ranked]
    shown = [{"content": texts[i], "score": scores[i]} for i in ranked]
    log.write(what="rerank", model=request["model"], query=request["query"], texts=texts, documents=shown)
    return {
        "id": f"rerank-{log.next()}",
        "results": results,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }, None


# ---- The server ----


class Log:
    """The truth, one JSON object a line; every line says when it happened."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock, self._count = path, threading.Lock(), 0

    def next(self) -> int:
        with self._lock:
            self._count += 1
            return self._count

    def write(self, **facts: Json) -> None:
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": time.time_ns(), **facts}, ensure_ascii=False) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        request, log, path = json.loads(body or b"{}"), self.server.log, self.path.partition("?")[0]
        time.sleep(PAUSE_S)
        model = request.get("model") or path.rpartition("/models/")[2].partition(":")[0]
        if BROKEN_MODEL in model:
            log.write(what="failure", model=model, message=REFUSAL)
            error = {"message": REFUSAL, "type": "invalid_request_error", "code": "model_broken", "status": "INVALID_ARGUMENT"}
            return self._send(400, {"error": error, "type": "error"})
        if path.endswith("/chat/completions"):
            answer, events = chat(log, request)
        elif path.endswith("/completions"):
            answer, events = completion(log, request)
        elif path.endswith("/responses"):
            answer, events = responses(log, request)
        elif path.endswith("/embeddings"):
            answer, events = embeddings(log, request)
        elif path.endswith("/messages"):
            answer, events = anthropic(log, request)
        elif path.endswith("/converse"):
            answer, events = bedrock(log, request, unquote(path.split("/")[-2]))
        elif path.endswith("/v2/chat"):
            answer, events = cohere(log, request)
        elif path.endswith("/api/chat"):
            answer, events = ollama(log, request)
        elif path.endswith("/rerank"):
            answer, events = rerank(log, request)
        elif ":generateContent" in path or ":streamGenerateContent" in path:
            answer, events = gemini(log, request, model, ":stream" in path)
        else:
            return self._send(404, {"error": {"message": f"no API at {path}"}})
        time.sleep(PAUSE_S)
        if events is None:
            return self._send(200, answer)
        return self._send_events(events, named=path.endswith(("/responses", "/messages")), done=path.endswith("/completions"))

    def _send(self, status: int, answer: Json) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_events(self, events: list[Json], *, named: bool, done: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in events:
            head = f"event: {event['type']}\n" if named else ""
            self.wfile.write(f"{head}data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.002)
        if done:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


class ModelServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, log: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log = Log(log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running_model_server(log: Path) -> Iterator[ModelServer]:
    """The server until the block ends; `log` grows by one line a call."""
    server = ModelServer(log)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
