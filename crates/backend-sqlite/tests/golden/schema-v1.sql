CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  version BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER,
  drop_at INTEGER,
  stored_size INTEGER NOT NULL,
  blob BLOB,
  content BLOB NOT NULL,
  metadata TEXT,
  tags TEXT,
  description TEXT,
  signature BLOB,
  payload BLOB,
  CHECK ((blob IS NULL) <> (payload IS NULL))
) STRICT;
CREATE UNIQUE INDEX records_by_key ON records (key);
CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE blobs (
  id BLOB NOT NULL PRIMARY KEY,
  digest BLOB,
  size INTEGER NOT NULL,
  refs INTEGER NOT NULL,
  condemned_at INTEGER,
  CHECK (refs >= 0 AND (refs = 0) = (condemned_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_content ON blobs (digest) WHERE condemned_at IS NULL AND length(digest) = 33;
CREATE INDEX blobs_by_condemnation ON blobs (condemned_at) WHERE condemned_at IS NOT NULL;
CREATE TABLE usage (
  id INTEGER PRIMARY KEY,
  not_before INTEGER NOT NULL,
  accessed_at INTEGER,
  hits INTEGER NOT NULL
) STRICT;
CREATE TABLE totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  entries INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  blobs INTEGER NOT NULL,
  condemned INTEGER NOT NULL,
  counted_to INTEGER NOT NULL,
  usage_to INTEGER NOT NULL
) STRICT;
