-- The search index: its own file, because SQLite has one writer per file; made from the store and made again when it is lost.
-- A document is what one trace brought since the index last looked; its id is the trace's start (the last ten bits tell documents apart),
-- so that newest first is the order of the ids. The words are in tables words_N, contentless, one per shard: a shard whose documents are
-- all gone is dropped (SQLite before 3.43 cannot delete from them).
CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), last_span INTEGER NOT NULL, last_log INTEGER NOT NULL, identity TEXT NOT NULL) STRICT;
CREATE TABLE shards (id INTEGER PRIMARY KEY, documents INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
CREATE TABLE documents (id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, shard INTEGER NOT NULL) STRICT;
CREATE INDEX documents_by_trace ON documents (trace);
CREATE INDEX documents_by_shard ON documents (shard);

-- Passages, each once by the digest of its text; the text itself is where a span brought it (spans.id, place among its documents).
CREATE TABLE passages (
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, span INTEGER NOT NULL, place INTEGER NOT NULL, document_id TEXT, source TEXT,
  retrieved INTEGER NOT NULL, traces INTEGER NOT NULL, last_seen_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX passages_by_last_seen ON passages (last_seen_ns, id);
CREATE INDEX passages_by_source ON passages (source, last_seen_ns, id) WHERE source IS NOT NULL;
CREATE INDEX passages_by_document ON passages (document_id) WHERE document_id IS NOT NULL;
-- Who returned which passage; place < 0: a candidate, counted from -1 down.
CREATE TABLE candidates (
  span INTEGER NOT NULL, place INTEGER NOT NULL, trace INTEGER NOT NULL, passage INTEGER, rank INTEGER, score REAL, stage TEXT,
  dropped TEXT, PRIMARY KEY (span, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidates_by_passage ON candidates (passage, trace) WHERE passage IS NOT NULL;
CREATE INDEX candidates_by_trace ON candidates (trace);
