-- The tables of Rotunda. Times are milliseconds since 1970 UTC. `changed` and `seq` are numbers of events.
--
-- Texts that are keys are compared byte by byte (COLLATE "C"), whatever language the database speaks. The character
-- NUL, which Postgres cannot hold, is written as U+FDD0 and the digit 0.
--
-- What is rewritten most (heads, open conversations, beats) has room in its pages and no index on what changes, so
-- that a change stays in its page and touches no index.

CREATE TABLE organizations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    head BIGINT NOT NULL,                   -- the number of the newest event
    epoch BIGINT NOT NULL,                  -- random: tells this log from any other of the same name
    cursor_key BYTEA NOT NULL,              -- random: encrypts cursors
    profile_changed BIGINT NOT NULL DEFAULT 0,
    name TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'team',      -- solo, team
    assignment BOOLEAN NOT NULL DEFAULT FALSE,
    viewing BOOLEAN NOT NULL DEFAULT FALSE,
    typing BOOLEAN NOT NULL DEFAULT FALSE,
    assign_non_member TEXT NOT NULL DEFAULT 'reject', -- reject, grant
    reply_claims BOOLEAN NOT NULL DEFAULT FALSE
) WITH (fillfactor = 25);

CREATE TABLE events (
    organization TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    by TEXT NOT NULL,                       -- teammate:ID, service:NAME, contact
    body TEXT NOT NULL,                     -- the event's changes, as JSON
    PRIMARY KEY (organization, seq)
);

CREATE TABLE refs (
    organization TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    ref TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    done TEXT NOT NULL,                     -- what the command did, as JSON
    at BIGINT NOT NULL,                     -- forgotten a day later
    PRIMARY KEY (organization, actor, ref)
);
CREATE INDEX refs_by_age ON refs (at);

CREATE TABLE teammates (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,                     -- member, admin
    status TEXT NOT NULL,                   -- invited, active, suspended, removed
    changed BIGINT NOT NULL,
    PRIMARY KEY (organization, id)
);

CREATE TABLE teams (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (organization, id)
);

CREATE TABLE team_members (
    organization TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    teammate TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization, team, teammate),
    FOREIGN KEY (organization, team) REFERENCES teams (organization, id) ON DELETE CASCADE
);

CREATE TABLE endpoints (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,                     -- link, phone
    address TEXT NOT NULL,
    label TEXT NOT NULL,
    owner TEXT NOT NULL,                    -- organization, team:ID, teammate:ID
    auto_assign BOOLEAN NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (organization, id)
);

CREATE TABLE endpoint_members (
    organization TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,    -- organization, team:ID, teammate:ID
    PRIMARY KEY (organization, endpoint, principal),
    FOREIGN KEY (organization, endpoint) REFERENCES endpoints (organization, id) ON DELETE CASCADE
);

CREATE TABLE contacts (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization, id)
);
CREATE UNIQUE INDEX contacts_by_address ON contacts (organization, address);

CREATE TABLE tags (
    organization TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,         -- as it was first written
    PRIMARY KEY (organization, name)
);

CREATE TABLE conversations (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C",              -- with a contact: endpoint and contact …
    contact TEXT COLLATE "C",
    contact_name TEXT,
    contact_address TEXT COLLATE "C",
    title TEXT,                             -- … between teammates: title
    state TEXT COLLATE "C" NOT NULL,        -- open, archived
    assignee TEXT,                          -- team:ID, teammate:ID
    assigned_by TEXT,
    assigned_at BIGINT,
    items BIGINT NOT NULL,                  -- the number of the newest item
    inbound BIGINT NOT NULL,                -- the number of the newest item from outside
    last_kind TEXT,
    last_by TEXT,
    last_at BIGINT,
    created_at BIGINT NOT NULL,
    activity_at BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    -- What the archive is sorted by. Empty while the conversation is open: then nothing that an index holds changes.
    archived_activity BIGINT GENERATED ALWAYS AS (CASE state WHEN 'archived' THEN activity_at END) STORED,
    archived_changed BIGINT GENERATED ALWAYS AS (CASE state WHEN 'archived' THEN changed END) STORED,
    PRIMARY KEY (organization, id)
) WITH (fillfactor = 80);
-- One conversation per endpoint and contact address. NULLs differ: team conversations are not limited.
CREATE UNIQUE INDEX conversations_by_thread ON conversations (organization, endpoint, contact_address);
CREATE INDEX conversations_open ON conversations (organization, id) WHERE state = 'open';
CREATE INDEX conversations_archived ON conversations (organization, endpoint, archived_activity, id)
    WHERE state = 'archived';
CREATE INDEX conversations_archived_changed ON conversations (organization, archived_changed, id)
    WHERE state = 'archived';

CREATE TABLE conversation_members (
    organization TEXT COLLATE "C" NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,    -- organization, team:ID, teammate:ID
    archived_activity BIGINT,               -- the conversation's activity_at while it is archived
    PRIMARY KEY (organization, conversation, principal),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
);
CREATE INDEX conversation_members_archived
    ON conversation_members (organization, principal, archived_activity, conversation)
    WHERE archived_activity IS NOT NULL;

CREATE TABLE conversation_tags (
    organization TEXT COLLATE "C" NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    tag TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization, conversation, tag),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
);

CREATE TABLE items (
    organization TEXT COLLATE "C" NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    by TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- message, note, call, voicemail
    direction TEXT,                         -- in, out
    body TEXT,
    media TEXT,                             -- addresses, as JSON
    outcome TEXT,
    seconds BIGINT,
    recording TEXT,
    transcript TEXT,
    changed BIGINT NOT NULL,
    PRIMARY KEY (organization, conversation, number),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
);

CREATE TABLE marks (
    organization TEXT COLLATE "C" NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    teammate TEXT COLLATE "C" NOT NULL,
    read BIGINT NOT NULL,                   -- the number of the newest item read
    starred BOOLEAN NOT NULL,
    mark_rev BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (organization, conversation, teammate),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
);
CREATE INDEX marks_by_teammate ON marks (organization, teammate, changed);

-- Who ceased to be let see which conversation by its own member list, and by which event.
CREATE TABLE departures (
    organization TEXT COLLATE "C" NOT NULL,
    teammate TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization, teammate, seq, conversation)
);

-- The processes that share this database, each from its first beat until it has gone or was forgotten.
CREATE TABLE nodes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,                 -- of its newest beat
    applied BIGINT NOT NULL                 -- all that it was told after this beat, it has applied
) WITH (fillfactor = 25);
