"""OTLP requests in and out: ExportTraceServiceRequest and its siblings ⇄ Span and LogRecord; knows no LLM names.

A request is read in two steps. The three outer levels (resource, scope, record) are walked on the wire (`wire`), so that a bomb of a
million empty spans is refused before it is built; each record is then read by `protobuf` or `jsonwire`. A request that is not what its
content type says is malformed as a whole; a span with impossible ids or times is rejected alone. Start with `request`.
"""

from collector.otlp.limits import INT64_MAX, LIMITS, DecodeLimits
from collector.otlp.request import (
    Decoded,
    DecodedLogs,
    Encoding,
    count_records,
    decode_logs,
    decode_traces,
    encode_answer,
    encode_traces,
    encoding_of,
)
from collector.otlp.shape import LOG_BODY

__all__ = [
    "INT64_MAX",
    "LIMITS",
    "LOG_BODY",
    "DecodeLimits",
    "Decoded",
    "DecodedLogs",
    "Encoding",
    "count_records",
    "decode_logs",
    "decode_traces",
    "encode_answer",
    "encode_traces",
    "encoding_of",
]
