-- Schema 3. Links to other traces, found by the trace they lead to: a span says whom it links to, nobody says who links to it. The link itself
-- (span id, attributes) lies with the span that holds it; `position` says which of its links it is. Only spans with links have rows.
CREATE TABLE links (
  target BLOB NOT NULL,        -- the trace id that is linked to, whether that trace is here or not
  span INTEGER NOT NULL,       -- the row of the span that links, and
  position INTEGER NOT NULL,
  trace INTEGER NOT NULL,      -- of the trace it is in: the link goes with it
  PRIMARY KEY (target, span, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_trace ON links (trace);

-- The counter counted superseded and retracted scores, too.
UPDATE counters SET scores = (SELECT count(*) FROM scores WHERE counts = 1);
