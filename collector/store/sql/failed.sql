-- Schema 4. What failed, the newest first: among a hundred traces two may have an error, and a list of 50 tried 2,500. A few entries more for
-- each failure, none for the rest.
CREATE INDEX traces_failed ON traces (start_ns, id) WHERE error_count > 0;
CREATE INDEX spans_failed ON spans (start_ns) WHERE status = 2;
