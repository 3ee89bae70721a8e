//! What the inbox holds when watching begins: counts, and the top of two mailboxes.

use rotunda_protocol::ask::{Count, Told};
use rotunda_protocol::conversation::Listed;
use rotunda_protocol::principal::Mailbox;

use super::known::Known;
use super::line::time;

/// What people read of an answer.
pub(super) fn lines(known: &Known, asked: &str, told: &Told) -> Vec<String> {
    match told {
        Told::Counts { counts } => {
            let counts: Vec<_> = counts.iter().map(|count| counted(known, count)).collect();
            vec![format!("          {}", counts.join(" · "))]
        }
        Told::List { rows, .. } if rows.is_empty() => vec![],
        Told::List { rows, .. } => {
            let title = if asked == "mine" { "assigned to you" } else { "shared" };
            let title = format!("          {title}, newest first:");
            std::iter::once(title).chain(rows.iter().map(|row| listed(known, row))).collect()
        }
        Told::Opened { .. } | Told::History { .. } | Told::Access { .. } => vec![],
    }
}

fn counted(known: &Known, Count { mailbox, conversations }: &Count) -> String {
    match mailbox {
        Mailbox::Teammate(_) => format!("assigned to you {conversations}"),
        Mailbox::Shared | Mailbox::Team(_) | Mailbox::Internal | Mailbox::None => {
            format!("{} {conversations}", known.mailbox(mailbox))
        }
    }
}

fn listed(known: &Known, Listed { conversation, mark }: &Listed) -> String {
    let unread = conversation.items.saturating_sub(mark.read);
    let tags = conversation.tags.iter().fold(String::new(), |tags, tag| tags + " #" + tag);
    let unread = if unread > 0 { format!(" · {unread} unread") } else { String::new() };
    let star = if mark.starred { " ★" } else { "" };
    format!(
        "{}    {}{unread}{tags}{star}",
        time(conversation.activity_at),
        known.thread_name(&conversation.id)
    )
}
