"""Our own tracer: OpenInference kinds, GenAI names where a standard has one, and `rightpassage.*` for what neither can say about
retrieval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.dialects.openinference import KINDS
from collector.dialects.table import Dialect
from collector.model import SpanKind
from tracer import conventions as names

if TYPE_CHECKING:
    from collector.dialects.reading import Reading


def _kind(reading: Reading) -> SpanKind | None:
    return KINDS.get(str(reading.attributes.get(names.SPAN_KIND)).lower())


DIALECT = Dialect(
    name="rightpassage",
    title="Right Passage tracer",
    evidence=("rightpassage.",),
    scopes=("rightpassage",),
    keys={
        names.INPUT_DOCUMENTS: "input_documents",
        names.CANDIDATES: "candidates",
        names.EMBEDDING_TEXTS: "texts",
        names.STAGE: "stage",
        names.INDEX_NAME: "index_name",
        names.INDEX_VERSION: "index_version",
        names.INDEX_CORPUS_DIGEST: "index_corpus_digest",
        names.INDEX_PASSAGE_COUNT: "index_passage_count",
        names.INDEX_EMBEDDING_MODEL: "index_embedding_model",
        names.INDEX_DIMENSION: "index_dimension",
        names.INDEX_CHUNKING: "index_chunking",
        names.PLACEMENT: "placement",
        names.CITATIONS: "citations",
        names.SCORES: "scores",
    },
    kind=_kind,
)
