-- Right Passage, schema 1. Documented in docs/storage.md; the views at the end are for people with sqlite-utils or datasette.
-- Narrow rows (about 100 bytes a span) answer every list, count and chart; what a span was sent with lies in packs, compressed.
-- Names and models are numbers into `strings`, 64-bit ids are integers (a view writes them as hex): a third of the bytes.

CREATE TABLE strings (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

-- resources and scopes, each once, by the digest of their JSON
CREATE TABLE contexts (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;

-- A pack's spans are neighbours: their ids begin at first_span. `live` of them are still there.
CREATE TABLE packs (
  id INTEGER PRIMARY KEY, first_span INTEGER NOT NULL, spans INTEGER NOT NULL, live INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;

CREATE TABLE spans (
  id INTEGER PRIMARY KEY,
  trace INTEGER NOT NULL,
  span_id INTEGER NOT NULL,
  parent INTEGER,              -- span_id of the parent, NULL at a root
  name INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  status INTEGER NOT NULL,
  start_ns INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL, -- as sent: negative where a clock ran backwards
  flags INTEGER NOT NULL,      -- 1: its tokens count, 2: its cost counts (both once per call of a trace), 4: price unknown
  service INTEGER,
  model INTEGER,
  provider INTEGER,
  operation INTEGER,
  error INTEGER,
  stage INTEGER,
  index_name INTEGER,
  index_version INTEGER,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL,
  ttft_ns INTEGER,
  documents INTEGER,
  candidates INTEGER,
  top_score REAL,
  margin REAL,
  resource INTEGER NOT NULL,
  scope INTEGER NOT NULL,
  pack INTEGER NOT NULL,
  slot INTEGER NOT NULL
) STRICT;
-- Traces are numbered as they come, so this index grows at its end: no random writes, whatever the size.
CREATE UNIQUE INDEX spans_by_trace ON spans (trace, span_id);
CREATE INDEX spans_by_start ON spans (start_ns);

CREATE TABLE traces (
  id INTEGER PRIMARY KEY,
  trace_id BLOB NOT NULL,
  seq INTEGER NOT NULL,        -- of the last write that touched it: what the tail follows
  start_ns INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL,
  span_count INTEGER NOT NULL, -- ended spans; 0 while only announcements came
  running_count INTEGER NOT NULL,
  error_count INTEGER NOT NULL,
  status INTEGER NOT NULL,
  root_name TEXT,
  root_kind INTEGER NOT NULL,
  root_span INTEGER,
  root_missing INTEGER NOT NULL,
  services TEXT NOT NULL,      -- JSON array, the root's first
  models TEXT NOT NULL,        -- JSON array
  tags TEXT NOT NULL,          -- JSON array
  session INTEGER,
  user TEXT,
  environment TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  total_tokens INTEGER,
  cached_input_tokens INTEGER,
  reasoning_tokens INTEGER,
  audio_input_tokens INTEGER,
  audio_output_tokens INTEGER,
  embedding_tokens INTEGER,
  tokens INTEGER,              -- input and output: what lists are ordered by
  cost_usd REAL,
  unpriced INTEGER NOT NULL,
  input_preview TEXT,
  output_preview TEXT,
  verdict TEXT
) STRICT;
CREATE UNIQUE INDEX traces_by_trace_id ON traces (trace_id);
CREATE UNIQUE INDEX traces_by_seq ON traces (seq);
CREATE INDEX traces_by_start ON traces (start_ns, id);
CREATE INDEX traces_by_duration ON traces (duration_ns, id);
CREATE INDEX traces_by_session ON traces (session, start_ns) WHERE session IS NOT NULL;
-- Every order of the list has its index; what is unknown comes after everything else.
CREATE INDEX traces_by_cost ON traces (ifnull(cost_usd, -1), id);
CREATE INDEX traces_by_tokens ON traces (ifnull(tokens, -1), id);
CREATE INDEX traces_by_spans ON traces (span_count, id);
CREATE INDEX traces_by_errors ON traces (error_count, id);

-- Where a trace stood in every order before a write moved it: a cursor sees the list as it was at its first page.
CREATE TABLE moves (
  seq INTEGER NOT NULL, trace INTEGER NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, cost_usd REAL, tokens INTEGER,
  span_count INTEGER NOT NULL, error_count INTEGER NOT NULL, PRIMARY KEY (seq, trace)
) STRICT, WITHOUT ROWID;

-- Announced spans that have not ended: kept apart, counted nowhere.
CREATE TABLE running (
  trace INTEGER NOT NULL, span_id INTEGER NOT NULL, received_ns INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (trace, span_id)
) STRICT, WITHOUT ROWID;

-- Log records that enrich a span, before or after it comes.
CREATE TABLE log_events (
  trace_id BLOB NOT NULL, span_id INTEGER NOT NULL, digest BLOB NOT NULL, received_ns INTEGER NOT NULL, body BLOB NOT NULL,
  seq INTEGER NOT NULL, PRIMARY KEY (trace_id, span_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_events_by_seq ON log_events (seq);

-- Deleted traces that the search index has not heard of yet.
CREATE TABLE gone (trace INTEGER PRIMARY KEY) STRICT;

-- Which traces have a value (a name, a model, a session, …): short lists in trace order, for filters and facets.
CREATE TABLE facets (field INTEGER NOT NULL, value INTEGER NOT NULL, trace INTEGER NOT NULL, PRIMARY KEY (field, value, trace))
STRICT, WITHOUT ROWID;
CREATE TABLE facet_counts (field INTEGER NOT NULL, value INTEGER NOT NULL, traces INTEGER NOT NULL, PRIMARY KEY (field, value))
STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  session INTEGER PRIMARY KEY, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, trace_count INTEGER NOT NULL,
  error_count INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_pico INTEGER NOT NULL,
  priced INTEGER NOT NULL      -- traces that have a cost
) STRICT;
CREATE INDEX sessions_by_end ON sessions (end_ns, session);

-- Per minute and kind (kind -1: whole traces): counts, errors, tokens, cost and the histogram of durations {"bucket": count},
-- eight buckets an octave. Cost is in 10^-12 dollars: integers add up the same in every order.
CREATE TABLE minutes (
  minute INTEGER NOT NULL, service INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL, errors INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_pico INTEGER NOT NULL, durations TEXT NOT NULL,
  PRIMARY KEY (minute, service, kind)
) STRICT, WITHOUT ROWID;

-- The same per hour and model.
CREATE TABLE hours (
  hour INTEGER NOT NULL, service INTEGER NOT NULL, model INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
  errors INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_pico INTEGER NOT NULL,
  durations TEXT NOT NULL, PRIMARY KEY (hour, service, model, kind)
) STRICT, WITHOUT ROWID;

-- Append-only; `counts` marks the last per target, name and annotator, unless it is a retraction.
CREATE TABLE scores (
  id TEXT PRIMARY KEY, trace_id BLOB, span_id INTEGER, session TEXT, name TEXT NOT NULL, value REAL, label TEXT, explanation TEXT,
  annotator_kind TEXT NOT NULL, annotator_id TEXT, time_ns INTEGER NOT NULL, counts INTEGER NOT NULL
) STRICT;
CREATE INDEX scores_by_trace ON scores (trace_id, name) WHERE trace_id IS NOT NULL;
CREATE INDEX scores_by_session ON scores (session, name) WHERE session IS NOT NULL;
CREATE INDEX scores_by_name ON scores (name, value) WHERE counts = 1;

-- One row: exact counts, the last change number, and the last row numbers given out (never again, also not after a delete).
CREATE TABLE counters (
  id INTEGER PRIMARY KEY CHECK (id = 1), traces INTEGER NOT NULL, spans INTEGER NOT NULL, scores INTEGER NOT NULL, seq INTEGER NOT NULL,
  last_trace INTEGER NOT NULL, last_span INTEGER NOT NULL, last_pack INTEGER NOT NULL,
  identity TEXT NOT NULL       -- of this file: what lies beside it must name it
) STRICT;
INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0, 0, 0, lower(hex(randomblob(16))));

-- ---- The catalogue ----
CREATE TABLE versions (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, content TEXT NOT NULL,
  created_unix_nano INTEGER NOT NULL, UNIQUE (kind, name, digest)
) STRICT;
CREATE TABLE labels (kind TEXT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (kind, name, label)) STRICT;
CREATE TABLE trials (
  id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, example_id TEXT NOT NULL, trace_id TEXT, output TEXT, scores TEXT NOT NULL, error TEXT
) STRICT;
CREATE INDEX trials_by_experiment ON trials (experiment);

-- ---- For people ----
CREATE VIEW trace_list AS
SELECT lower(hex(t.trace_id)) AS trace_id, t.root_name, datetime(t.start_ns / 1000000000, 'unixepoch') AS start_time,
  t.duration_ns / 1e6 AS duration_ms, t.span_count, t.error_count, t.services, t.models, s.text AS session_id, t.user AS user_id,
  t.input_tokens, t.output_tokens, t.cost_usd, t.input_preview, t.output_preview, t.verdict
FROM traces t LEFT JOIN strings s ON s.id = t.session;

CREATE VIEW span_list AS
SELECT lower(hex(t.trace_id)) AS trace_id, printf('%016x', s.span_id) AS span_id,
  CASE WHEN s.parent IS NOT NULL THEN printf('%016x', s.parent) END AS parent_span_id, n.text AS name,
  datetime(s.start_ns / 1000000000, 'unixepoch') AS start_time, s.duration_ns / 1e6 AS duration_ms, s.kind, s.status,
  m.text AS model, s.input_tokens, s.output_tokens, s.cost_usd, s.pack, s.slot
FROM spans s JOIN traces t ON t.id = s.trace JOIN strings n ON n.id = s.name LEFT JOIN strings m ON m.id = s.model;
