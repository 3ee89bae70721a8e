-- The tables of Rotunda. Times are milliseconds since 1970 UTC. `changed` and `seq` are numbers of events.
--
-- Logs that only grow (events, items, refs) are rowid tables: they append at the end of the file, twice as
-- fast as inserting in key order. Rows that are found and rewritten by their key are WITHOUT ROWID.

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    head INTEGER NOT NULL,                  -- the number of the newest event
    epoch INTEGER NOT NULL,                 -- random: tells this log from any other of the same name
    cursor_key BLOB NOT NULL,               -- random: encrypts cursors
    profile_changed INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'team',      -- solo, team
    assignment INTEGER NOT NULL DEFAULT 0,
    viewing INTEGER NOT NULL DEFAULT 0,
    typing INTEGER NOT NULL DEFAULT 0,
    assign_non_member TEXT NOT NULL DEFAULT 'reject', -- reject, grant
    reply_claims INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE events (
    organization TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,                       -- teammate:ID, service:NAME, contact
    body TEXT NOT NULL                      -- the event's changes, as JSON
);
CREATE UNIQUE INDEX events_by_seq ON events (organization, seq);

CREATE TABLE refs (
    organization TEXT NOT NULL,
    actor TEXT NOT NULL,
    ref TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    done TEXT NOT NULL,                     -- what the command did, as JSON
    at INTEGER NOT NULL                     -- forgotten a day later
);
CREATE UNIQUE INDEX refs_by_ref ON refs (organization, actor, ref);

CREATE TABLE teammates (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,                     -- member, admin
    status TEXT NOT NULL,                   -- invited, active, suspended, removed
    changed INTEGER NOT NULL,
    PRIMARY KEY (organization, id)
) WITHOUT ROWID;

CREATE TABLE teams (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (organization, id)
) WITHOUT ROWID;

CREATE TABLE team_members (
    organization TEXT NOT NULL,
    team TEXT NOT NULL,
    teammate TEXT NOT NULL,
    PRIMARY KEY (organization, team, teammate),
    FOREIGN KEY (organization, team) REFERENCES teams (organization, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE endpoints (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- link, phone
    address TEXT NOT NULL,
    label TEXT NOT NULL,
    owner TEXT NOT NULL,                    -- organization, team:ID, teammate:ID
    auto_assign INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (organization, id)
) WITHOUT ROWID;

CREATE TABLE endpoint_members (
    organization TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    principal TEXT NOT NULL,                -- organization, team:ID, teammate:ID
    PRIMARY KEY (organization, endpoint, principal),
    FOREIGN KEY (organization, endpoint) REFERENCES endpoints (organization, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE contacts (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (organization, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX contacts_by_address ON contacts (organization, address);

CREATE TABLE tags (
    organization TEXT NOT NULL,
    name TEXT NOT NULL,                     -- as it was first written
    PRIMARY KEY (organization, name)
) WITHOUT ROWID;

CREATE TABLE conversations (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    endpoint TEXT,                          -- with a contact: endpoint and contact …
    contact TEXT,
    contact_name TEXT,
    contact_address TEXT,
    title TEXT,                             -- … between teammates: title
    state TEXT NOT NULL,                    -- open, archived
    assignee TEXT,                          -- team:ID, teammate:ID
    assigned_by TEXT,
    assigned_at INTEGER,
    items INTEGER NOT NULL,                 -- the number of the newest item
    inbound INTEGER NOT NULL,               -- the number of the newest item from outside
    last_kind TEXT,
    last_by TEXT,
    last_at INTEGER,
    created_at INTEGER NOT NULL,
    activity_at INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (organization, id)
) WITHOUT ROWID;
-- One conversation per endpoint and contact address. NULLs differ: team conversations are not limited.
CREATE UNIQUE INDEX conversations_by_thread ON conversations (organization, endpoint, contact_address);
-- Partial, so that the changes of an open conversation, which are most of all changes, touch no index.
CREATE INDEX conversations_open ON conversations (organization, id) WHERE state = 'open';
CREATE INDEX conversations_archived ON conversations (organization, endpoint, activity_at, id)
    WHERE state = 'archived';
CREATE INDEX conversations_archived_changed ON conversations (organization, changed)
    WHERE state = 'archived';

CREATE TABLE conversation_members (
    organization TEXT NOT NULL,
    conversation TEXT NOT NULL,
    principal TEXT NOT NULL,                -- organization, team:ID, teammate:ID
    archived_activity INTEGER,              -- the conversation's activity_at while it is archived
    PRIMARY KEY (organization, conversation, principal),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX conversation_members_archived
    ON conversation_members (organization, principal, archived_activity, conversation)
    WHERE archived_activity IS NOT NULL;

CREATE TABLE conversation_tags (
    organization TEXT NOT NULL,
    conversation TEXT NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (organization, conversation, tag),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE items (
    organization TEXT NOT NULL,
    conversation TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- message, note, call, voicemail
    direction TEXT,                         -- in, out
    body TEXT,
    media TEXT,                             -- addresses, as JSON
    outcome TEXT,
    seconds INTEGER,
    recording TEXT,
    transcript TEXT,
    changed INTEGER NOT NULL,
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX items_by_number ON items (organization, conversation, number);

CREATE TABLE marks (
    organization TEXT NOT NULL,
    conversation TEXT NOT NULL,
    teammate TEXT NOT NULL,
    read INTEGER NOT NULL,                  -- the number of the newest item read
    starred INTEGER NOT NULL,
    mark_rev INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (organization, conversation, teammate),
    FOREIGN KEY (organization, conversation) REFERENCES conversations (organization, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX marks_by_teammate ON marks (organization, teammate, changed);

-- Who ceased to be let see which conversation by its own member list, and by which event.
CREATE TABLE departures (
    organization TEXT NOT NULL,
    teammate TEXT NOT NULL,
    seq INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    PRIMARY KEY (organization, teammate, seq, conversation)
) WITHOUT ROWID;
