-- Schema 2. Large traces whose row awaits its roll-up: what depends on the tree (usage, cost, previews, who and what for) and the flags of
-- their spans are as they were at `rolled` spans; everything else is up to date. `received` 1: log records came, so the spans' rows too are
-- to be derived again from what was received.
CREATE TABLE stale (trace INTEGER PRIMARY KEY, rolled INTEGER NOT NULL, received INTEGER NOT NULL) STRICT;
