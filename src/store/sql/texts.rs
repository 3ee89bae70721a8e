//! The questions that both databases are asked, in the words of each.
//!
//! They are written once. What a database says in its own way is said by a macro of its own: a list of a column's
//! values as JSON, the members of a JSON array, and the columns that its index of the archive is sorted by.

/// What a database is asked. Each holds the organization as its first value.
pub(in crate::store) struct Texts {
    pub(super) organization: &'static str,
    pub(super) teammates: &'static str,
    pub(super) teams: &'static str,
    pub(super) endpoints: &'static str,
    pub(super) tags: &'static str,
    pub(super) open: &'static str,
    pub(super) open_marks: &'static str,
    pub(super) events: &'static str,
    pub(super) items: &'static str,
    pub(super) refs: &'static str,
    pub(super) threads: &'static str,
    pub(super) contacts: &'static str,
    pub(super) by_id: &'static str,
    pub(super) marks: &'static str,
    pub(super) archived_through: Range,
    pub(super) archived_with: Range,
    pub(super) archived: &'static str,
    pub(super) archived_changed: &'static str,
    pub(super) departed: &'static str,
    pub(super) marked: &'static str,
    pub(super) heads: &'static str,
}

/// A range of the archive, newest activity first.
pub(super) struct Range {
    /// What is looked through. A value and further conditions follow.
    pub(super) select: &'static str,
    /// What it is sorted by.
    pub(super) activity: &'static str,
    /// And among what is equal.
    pub(super) id: &'static str,
}

/// `SELECT` conversations with their members and tags. Other tables and `WHERE` follow.
macro_rules! conversations {
    ($say:ident, $columns:literal, $($rest:expr),+) => {
        concat!(
            "SELECT c.*, (SELECT ", $say!(list "m.principal"), " FROM conversation_members m \
              WHERE m.organization = c.organization AND m.conversation = c.id) AS members, \
             (SELECT ", $say!(list "t.tag"), " FROM conversation_tags t \
              WHERE t.organization = c.organization AND t.conversation = c.id) AS tags",
            $columns,
            " FROM conversations c ",
            $($rest),+
        )
    };
}

macro_rules! texts {
    ($say:ident) => {
        Texts {
            organization: "SELECT * FROM organizations WHERE id = $1",
            teammates: "SELECT * FROM teammates WHERE organization = $1 ORDER BY id",
            teams: concat!(
                "SELECT *, (SELECT ", $say!(list "m.teammate"), " FROM team_members m \
                 WHERE m.organization = teams.organization AND m.team = teams.id) AS members \
                 FROM teams WHERE organization = $1 ORDER BY id"
            ),
            endpoints: concat!(
                "SELECT *, (SELECT ", $say!(list "m.principal"), " FROM endpoint_members m \
                 WHERE m.organization = endpoints.organization AND m.endpoint = endpoints.id) AS members \
                 FROM endpoints WHERE organization = $1 ORDER BY id"
            ),
            tags: "SELECT name FROM tags WHERE organization = $1 ORDER BY name",
            open: conversations!($say, "", "WHERE c.organization = $1 AND c.state = 'open' ORDER BY c.id"),
            open_marks: "SELECT m.* FROM conversations c \
                         JOIN marks m ON m.organization = c.organization AND m.conversation = c.id \
                         WHERE c.organization = $1 AND c.state = 'open' ORDER BY c.id, m.teammate",
            events: "SELECT seq, at, by, body FROM events WHERE organization = $1 AND seq > $2 \
                     ORDER BY seq LIMIT $3",
            items: "SELECT * FROM items WHERE organization = $1 AND conversation = $2 \
                    AND number >= $3 AND number < $4 ORDER BY number DESC LIMIT $5",
            refs: concat!(
                "SELECT actor, ref, fingerprint, done FROM refs WHERE organization = $1 \
                 AND (actor, ref) IN (SELECT value ->> 0, value ->> 1 FROM ", $say!(pairs "$2"), ")"
            ),
            threads: concat!(
                "SELECT id FROM conversations WHERE organization = $1 AND (endpoint, contact_address) \
                 IN (SELECT value ->> 0, value ->> 1 FROM ", $say!(pairs "$2"), ")"
            ),
            contacts: concat!(
                "SELECT id, name, address FROM contacts WHERE organization = $1 \
                 AND address IN (SELECT value FROM ", $say!(texts "$2"), ")"
            ),
            by_id: conversations!(
                $say,
                "",
                "WHERE c.organization = $1 AND c.id IN (SELECT value FROM ", $say!(texts "$2"), ") \
                 ORDER BY c.id"
            ),
            marks: concat!(
                "SELECT * FROM marks WHERE organization = $1 \
                 AND conversation IN (SELECT value FROM ", $say!(texts "$2"), ") \
                 ORDER BY conversation, teammate"
            ),
            archived_through: Range {
                select: concat!(
                    "SELECT ", $say!(archived_activity), " AS activity, id FROM conversations \
                     WHERE state = 'archived' AND endpoint = "
                ),
                activity: $say!(archived_activity),
                id: "id",
            },
            archived_with: Range {
                select: "SELECT archived_activity AS activity, conversation AS id FROM conversation_members m \
                         WHERE archived_activity IS NOT NULL AND principal = ",
                activity: "archived_activity",
                id: "conversation",
            },
            archived: conversations!(
                $say,
                ", marks.read, marks.starred, marks.mark_rev",
                "LEFT JOIN marks ON marks.organization = c.organization AND marks.conversation = c.id \
                 AND marks.teammate = $3 \
                 WHERE c.organization = $1 AND c.id IN (SELECT value FROM ", $say!(texts "$2"), ") \
                 ORDER BY c.activity_at DESC, c.id DESC"
            ),
            archived_changed: conversations!(
                $say,
                ", marks.read, marks.starred, marks.mark_rev",
                "LEFT JOIN marks ON marks.organization = c.organization AND marks.conversation = c.id \
                 AND marks.teammate = $2 \
                 WHERE c.organization = $1 AND c.state = 'archived' AND c.",
                $say!(archived_changed), " > $3 ORDER BY c.", $say!(archived_changed), ", c.id LIMIT $4"
            ),
            departed: "SELECT DISTINCT conversation FROM departures \
                       WHERE organization = $1 AND teammate = $2 AND seq > $3 LIMIT $4",
            marked: "SELECT conversation, read, starred, mark_rev FROM marks \
                     WHERE organization = $1 AND teammate = $2 AND changed > $3 ORDER BY changed LIMIT $4",
            heads: concat!(
                "SELECT id, head FROM organizations WHERE id IN (SELECT value FROM ", $say!(texts "$1"), ")"
            ),
        }
    };
}

macro_rules! sqlite {
    (list $column:literal) => {
        concat!("json_group_array(", $column, ")")
    };
    (texts $array:literal) => {
        concat!("json_each(", $array, ")")
    };
    (pairs $array:literal) => {
        concat!("json_each(", $array, ")")
    };
    (archived_activity) => {
        "activity_at"
    };
    (archived_changed) => {
        "changed"
    };
}

macro_rules! postgres {
    (list $column:literal) => {
        concat!("coalesce(json_agg(", $column, "), '[]')::text")
    };
    (texts $array:literal) => {
        concat!("json_array_elements_text(", $array, "::json)")
    };
    (pairs $array:literal) => {
        concat!("json_array_elements(", $array, "::json)")
    };
    // Empty while a conversation is open, so that its changes touch no index.
    (archived_activity) => {
        "archived_activity"
    };
    (archived_changed) => {
        "archived_changed"
    };
}

pub(in crate::store) const SQLITE: Texts = texts!(sqlite);
pub(in crate::store) const POSTGRES: Texts = texts!(postgres);
