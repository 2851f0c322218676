"""Every attribute name the tracer writes and the collector reads as ours, grouped by what it describes; strings only.

Where a standard has a name we use it: OpenTelemetry's GenAI conventions first, then OpenInference. `rightpassage.*` names exist only for
what neither can say: stages, candidates below the cut, the index fingerprint, placement, citations. Lists of objects are one JSON
attribute each, so that the SDK's limit of 128 attributes never eats a passage.
"""

from __future__ import annotations

# ---- Kind, input and output (OpenInference) ----
SPAN_KIND = "openinference.span.kind"
INPUT_VALUE = "input.value"
INPUT_MIME_TYPE = "input.mime_type"
OUTPUT_VALUE = "output.value"
OUTPUT_MIME_TYPE = "output.mime_type"
MIME_JSON = "application/json"
MIME_TEXT = "text/plain"

# ---- Model calls (OpenTelemetry GenAI) ----
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_MESSAGES = "gen_ai.input.messages"  # JSON: [{role, parts: [{type, …}]}]
OUTPUT_MESSAGES = "gen_ai.output.messages"  # JSON, the same form
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"  # JSON
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"  # seconds, float
REQUEST_PREFIX = "gen_ai.request."  # + temperature, max_tokens, …
MODEL_NAME = "llm.model_name"  # OpenInference's, beside gen_ai's, for viewers that read only that
INVOCATION_PARAMETERS = "llm.invocation_parameters"  # JSON
COST_TOTAL = "llm.cost.total"  # USD

# ---- Tools and embeddings ----
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS = "gen_ai.tool.call.arguments"  # JSON
TOOL_CALL_RESULT = "gen_ai.tool.call.result"  # JSON
EMBEDDING_MODEL = "embedding.model_name"
EMBEDDING_TEXTS = "rightpassage.embedding.texts"  # JSON: [text]
EMBEDDING_DIMENSION = "gen_ai.embeddings.dimension.count"

# ---- Retrieval and reranking ----
QUERY = "gen_ai.retrieval.query.text"
DOCUMENTS = "gen_ai.retrieval.documents"  # JSON: [{id, content, score, score_kind, rank, metadata}]
TOP_K = "gen_ai.retrieval.top_k"
RERANKER_QUERY = "reranker.query"
RERANKER_MODEL = "reranker.model_name"
INPUT_DOCUMENTS = "rightpassage.input_documents"  # JSON, as DOCUMENTS
STAGE = "rightpassage.stage"  # rewrite, recall, fuse, filter, rerank, assemble, generate, cite
CANDIDATES = "rightpassage.candidates"  # JSON: [{id, content?, stage, rank, score, score_kind, dropped?, metadata?}]
INDEX_NAME = "rightpassage.index.name"
INDEX_VERSION = "rightpassage.index.version"
INDEX_CORPUS_DIGEST = "rightpassage.index.corpus_digest"
INDEX_PASSAGE_COUNT = "rightpassage.index.passage_count"
INDEX_EMBEDDING_MODEL = "rightpassage.index.embedding_model"
INDEX_DIMENSION = "rightpassage.index.dimension"
INDEX_CHUNKING = "rightpassage.index.chunking"

# ---- Prompt and answer ----
PROMPT_TEMPLATE = "llm.prompt_template.template"
PROMPT_VARIABLES = "llm.prompt_template.variables"  # JSON object
PROMPT_VERSION = "llm.prompt_template.version"
PROMPT_NAME = "gen_ai.prompt.name"
PLACEMENT = "rightpassage.prompt.placement"  # JSON: [{id, position, message, start, end, tokens, cut}]
CITATIONS = "rightpassage.citations"  # JSON: [{marker, document_id, valid}]

# ---- Who and what for ----
SESSION_ID = "session.id"
USER_ID = "user.id"
TAGS = "tag.tags"  # array of strings
METADATA = "metadata"  # JSON object
SCORES = "rightpassage.scores"  # JSON: [{name, value?, label?, explanation?, annotator: {kind, id?}}]

# ---- Resource ----
SERVICE_NAME = "service.name"
ENVIRONMENT = "deployment.environment.name"
GIT_COMMIT = "vcs.ref.head.revision"
GIT_DIRTY = "rightpassage.git.dirty"
CONFIGURATION_DIGEST = "rightpassage.configuration.digest"

# ---- Life of a span ----
SPAN_STATE = "rightpassage.span.state"  # "running" on an announcement; absent on an ended span
CANCELLED = "rightpassage.cancelled"  # true: the task was cancelled or the stream abandoned
FORK_OF = "rightpassage.fork_of"  # on a link: this trace replays the linked one

# ---- On the wire ----
COLLECTOR_HEADER = "x-rightpassage"  # the collector's version, on every OTLP answer: how the tracer knows that it talks to ours
