"""A deterministic endpoint that speaks OpenAI's API on loopback: chat (tools, streams), completions of the Responses API, embeddings.

What it answers follows from the request, so that the live checks know what a span must show: a tool call where tools are offered and none has
answered, else a sentence; tokens are counted by a fixed rule (20 + 11 per message in, 5 + words out, 16 cached, 3 reasoning).
"""

from __future__ import annotations

import base64
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

ANSWER = "Paris is the capital of France."
WEATHER = "It is 18 degrees and sunny in Paris."
DIMENSIONS = 8


class OpenAiEndpoint:
    """Serves in a thread; `base_url` is what a client takes."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "TRIGGER_500" in json.dumps(request):
            self._json({"error": {"message": "the server had an error (TRIGGER_500)", "type": "server_error"}}, 500)
        elif self.path.endswith("/embeddings"):
            self._embeddings(request)
        elif self.path.endswith("/responses"):
            self._response(request)
        else:
            self._chat(request)

    def log_message(self, format: str, *args: Any) -> None: ...

    def _json(self, body: Any, status: int = 200) -> None:
        self._send(json.dumps(body).encode(), "application/json", status)

    def _send(self, body: bytes, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _embeddings(self, request: dict[str, Any]) -> None:
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        vector = [0.125 * (i + 1) for i in range(DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        data = [
            {"object": "embedding", "index": i, "embedding": packed if request.get("encoding_format") == "base64" else vector}
            for i in range(len(texts))
        ]
        tokens = sum(len(str(text).split()) for text in texts)
        self._json({"object": "list", "data": data, "model": request["model"], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    def _chat(self, request: dict[str, Any]) -> None:
        message = _reply(request)
        usage = _usage(len(request["messages"]), message)
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        whole = {
            "id": f"chatcmpl-{uuid4().hex[:12]}",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": f"{request['model']}-2024-07-18",
        }
        if not request.get("stream"):
            self._json({**whole, "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage})
            return
        whole["object"] = "chat.completion.chunk"
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if calls := message.get("tool_calls"):
            deltas.append({"tool_calls": [{**call, "index": i} for i, call in enumerate(calls)]})
        deltas += [{"content": word + " "} for word in (message["content"] or "").split(" ") if word]
        if deltas[-1].get("content"):
            deltas[-1]["content"] = deltas[-1]["content"].rstrip()
        events: list[Any] = [{**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        events.append({**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if (request.get("stream_options") or {}).get("include_usage"):
            events.append({**whole, "choices": [], "usage": usage})
        lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        self._send("".join(lines).encode(), "text/event-stream")

    def _response(self, request: dict[str, Any]) -> None:
        given = request["input"]
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
        answered = any(item.get("type") == "function_call_output" for item in messages)
        if request.get("tools") and not answered:
            tool = request["tools"][0]["name"]
            arguments = json.dumps({"city": "Paris"})
            item: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool, "arguments": arguments}
        else:
            text = WEATHER if answered else ANSWER
            content = [{"type": "output_text", "text": text, "annotations": []}]
            item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
        counted = _usage(len(messages), {"content": ANSWER})
        usage = {
            "input_tokens": counted["prompt_tokens"],
            "output_tokens": counted["completion_tokens"],
            "total_tokens": counted["total_tokens"],
            "input_tokens_details": {"cached_tokens": 16},
            "output_tokens_details": {"reasoning_tokens": 3},
        }
        self._json(
            {
                "id": f"resp-{uuid4().hex[:12]}",
                "object": "response",
                "created_at": 1_760_000_000,
                "status": "completed",
                "model": f"{request['model']}-2024-07-18",
                "output": [item],
                "usage": usage,
                "tools": request.get("tools", []),
                "tool_choice": "auto",
                "parallel_tool_calls": True,
            }
        )


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    messages = request["messages"]
    answered = any(message.get("role") == "tool" for message in messages)
    text = json.dumps(messages)
    tools = [tool["function"]["name"] for tool in request.get("tools") or ()]
    if tools and (not answered or "final_answer" in tools):
        name, arguments = (tools[0], {"city": "Paris"}) if not answered else ("final_answer", {"answer": WEATHER})
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = WEATHER if answered else ANSWER
    if "[[ ## " in text:  # DSPy's chat adapter
        answer = f"[[ ## reasoning ## ]]\nIt is known.\n\n[[ ## answer ## ]]\n{answer}\n\n[[ ## completed ## ]]"
    elif "Final Answer:" in text:  # CrewAI
        answer = f"Thought: I now can give a great answer\nFinal Answer: {answer}"
    return {"role": "assistant", "content": answer}


def _usage(messages: int, message: dict[str, Any]) -> dict[str, Any]:
    said = message.get("content") or "a tool"
    given, returned = 20 + 11 * messages, 5 + len(said.split())
    return {
        "prompt_tokens": given,
        "completion_tokens": returned,
        "total_tokens": given + returned,
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }


if __name__ == "__main__":
    endpoint = OpenAiEndpoint()
    print(endpoint.base_url, flush=True)
    threading.Event().wait()
