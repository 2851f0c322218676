-- The search index: its own file, because SQLite has one writer per file; made from the store and made again when it is lost.
-- A document is what one trace brought since the index last looked. Documents are numbered as they come (small steps between numbers: one byte
-- a word instead of five), sorted by start within a run; `runs` say which starts a stretch of documents covers, so that newest first costs
-- only the newest runs. The words of documents n × 16384 … are in table words_n, contentless: one that has lost half of the documents that
-- were written into it (`shards`) is written again, or dropped (SQLite before 3.43 cannot delete from it).
CREATE TABLE progress (
  id INTEGER PRIMARY KEY CHECK (id = 1), last_span INTEGER NOT NULL, last_log INTEGER NOT NULL, last_document INTEGER NOT NULL,
  identity TEXT NOT NULL
) STRICT;
CREATE TABLE documents (id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, start_ns INTEGER NOT NULL) STRICT;
CREATE INDEX documents_by_trace ON documents (trace);
CREATE TABLE shards (shard INTEGER PRIMARY KEY, written INTEGER NOT NULL) STRICT;
CREATE TABLE runs (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, earliest_ns INTEGER NOT NULL, latest_ns INTEGER NOT NULL) STRICT;

-- Passages, each once by the digest of its text; the text itself is where a span brought it (spans.id, place among its documents).
CREATE TABLE sources (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE passages (
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, span INTEGER NOT NULL, place INTEGER NOT NULL, document_id TEXT, source INTEGER,
  retrieved INTEGER NOT NULL, traces INTEGER NOT NULL, last_seen_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX passages_by_last_seen ON passages (last_seen_ns, id);
CREATE INDEX passages_by_source ON passages (source, last_seen_ns, id) WHERE source IS NOT NULL;
-- Who returned which passage; place < 0: a candidate, counted from -1 down.
CREATE TABLE candidates (
  trace INTEGER NOT NULL, span INTEGER NOT NULL, place INTEGER NOT NULL, passage INTEGER, rank INTEGER, score REAL, stage TEXT,
  dropped TEXT, PRIMARY KEY (trace, span, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidates_by_passage ON candidates (passage, trace) WHERE passage IS NOT NULL;
