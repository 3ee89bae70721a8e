//! Who could see what when, by the organization's log alone: read through the back office's door after everything has
//! happened, and replayed here by rules of a few lines. Knows nothing of how the hub decides.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use rotunda_protocol::id::ConversationId;
use serde_json::Value;

use super::told::Shown;
use crate::support::Node;
use crate::support::practice::{ORGANIZATION, id};

/// Numbers of events.
type Seq = u64;

/// A conversation, as far as it matters for who may see it.
#[derive(Clone)]
struct Lists {
    endpoint: Option<String>,
    members: Vec<String>,
}

/// The log, replayed.
#[derive(Default)]
pub(super) struct Log {
    head: Seq,
    active: BTreeSet<String>,
    teams: BTreeMap<String, Vec<String>>,
    endpoints: BTreeMap<String, Vec<String>>,
    conversations: BTreeMap<ConversationId, Lists>,
    /// By which event a row got its `rev`, in order.
    revs: BTreeMap<ConversationId, Vec<(u64, Seq)>>,
    /// By which event an item was made.
    items: BTreeMap<(ConversationId, u32), Seq>,
    /// Notes by what they say.
    pub(super) notes: BTreeMap<String, Vec<(ConversationId, u32)>>,
    /// From when on somebody may, or may not, see a conversation.
    sight: BTreeMap<(String, ConversationId), Vec<(Seq, bool)>>,
}

impl Log {
    /// All of it.
    pub(super) async fn read(node: &Node) -> Self {
        let mut log = Self::default();
        loop {
            let path = format!("/v1/organizations/{ORGANIZATION}/events?after={}&limit=1000", log.head);
            let page = node.until_done(Method::GET, &path, Value::Null, &[]).await;
            assert!(page.status.is_success(), "{page:?}");
            let page = page.json();
            let events = page["events"].as_array().unwrap();
            if events.is_empty() {
                return log;
            }
            for logged in events {
                log.apply(logged);
            }
        }
    }

    fn apply(&mut self, logged: &Value) {
        let seq = logged["seq"].as_u64().unwrap();
        assert_eq!(seq, self.head + 1, "the log has no gaps");
        self.head = seq;
        let mut moved = false;
        for change in logged["event"]["changes"].as_array().unwrap() {
            moved |= self.change(change, seq);
        }
        if moved {
            self.look_around(seq);
        }
    }

    /// Says whether it may change who sees what.
    fn change(&mut self, change: &Value, seq: Seq) -> bool {
        let name = |of: &Value| of["id"].as_str().unwrap().to_owned();
        match change["change"].as_str().unwrap() {
            "teammate" => {
                let active = change["status"] == "active";
                if active {
                    self.active.insert(name(change))
                } else {
                    self.active.remove(&name(change))
                };
            }
            "team" => drop(self.teams.insert(name(change), texts(&change["members"]))),
            "endpoint" => {
                let mut principals = texts(&change["members"]);
                principals.push(change["owner"].as_str().unwrap().into());
                self.endpoints.insert(name(change), principals);
            }
            "conversation" => return self.conversation(&change["after"], seq),
            "item" => {
                let at: ConversationId = id(change["conversation"].as_str().unwrap());
                let number = u32::try_from(change["number"].as_u64().unwrap()).unwrap();
                if change["kind"] == "note" {
                    let body = change["body"].as_str().unwrap().to_owned();
                    self.notes.entry(body).or_default().push((at.clone(), number));
                }
                let other = self.items.insert((at, number), seq);
                assert_eq!(other, None, "an item was made twice");
                return false;
            }
            _ => return false,
        }
        true
    }

    fn conversation(&mut self, after: &Value, seq: Seq) -> bool {
        let conversation: ConversationId = id(after["id"].as_str().unwrap());
        let revs = self.revs.entry(conversation.clone()).or_default();
        let rev = after["rev"].as_u64().unwrap();
        assert_eq!(rev, revs.last().map_or(1, |(last, _)| last + 1), "revs have no gaps");
        revs.push((rev, seq));
        let endpoint = after["endpoint"].as_str().map(String::from);
        let lists = Lists { endpoint, members: texts(&after["members"]) };
        let before = self.conversations.insert(conversation, lists.clone());
        before.is_none_or(|before| before.members != lists.members)
    }

    /// Notes who can see what from here on.
    fn look_around(&mut self, seq: Seq) {
        let known =
            self.active.iter().cloned().chain(self.sight.keys().map(|(teammate, _)| teammate.clone()));
        let known: BTreeSet<String> = known.collect();
        for conversation in self.conversations.keys() {
            for teammate in &known {
                let sees = self.sees(teammate, conversation);
                let sight = self.sight.entry((teammate.clone(), conversation.clone())).or_default();
                if sight.last().is_none_or(|(_, before)| *before != sees) {
                    sight.push((seq, sees));
                }
            }
        }
    }

    fn sees(&self, teammate: &str, conversation: &ConversationId) -> bool {
        let Lists { endpoint, members } = &self.conversations[conversation];
        let by_endpoint = endpoint.iter().flat_map(|endpoint| &self.endpoints[endpoint]);
        let covers = |principal: &String| match principal.split_once(':') {
            None => principal == "organization",
            Some(("team", team)) => self.teams[team].iter().any(|member| member == teammate),
            Some((_, only)) => only == teammate,
        };
        self.active.contains(teammate) && by_endpoint.chain(members).any(covers)
    }

    /// Somebody could see a conversation at some time from one event on, and before another.
    fn saw(&self, teammate: &str, conversation: &ConversationId, from: Seq, before: Seq) -> bool {
        let Some(sight) = self.sight.get(&(teammate.to_owned(), conversation.clone())) else { return false };
        let ends = sight.iter().skip(1).map(|(seq, _)| *seq).chain([Seq::MAX]);
        sight.iter().zip(ends).any(|((begins, sees), ends)| *sees && *begins < before && from < ends)
    }

    /// What was shown was so at a time when they could see it.
    pub(super) fn may_be_shown(&self, teammate: &str, shown: &Shown) -> bool {
        match shown {
            Shown::Row(conversation, rev) => {
                let revs = self.revs.get(conversation).map(Vec::as_slice).unwrap_or_default();
                let Some(at) = revs.iter().position(|(of, _)| of == rev) else { return false };
                let before = revs.get(at + 1).map_or(Seq::MAX, |(_, seq)| *seq);
                self.saw(teammate, conversation, revs[at].1, before)
            }
            Shown::Item(conversation, number) => self
                .items
                .get(&(conversation.clone(), *number))
                .is_some_and(|seq| self.saw(teammate, conversation, *seq, Seq::MAX)),
            Shown::About(conversation) => self.saw(teammate, conversation, 0, Seq::MAX),
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn log(events: Vec<Value>) -> Log {
        let mut log = Log::default();
        for (event, seq) in events.into_iter().zip(1_u64..) {
            log.apply(&json!({"seq": seq, "event": {"changes": event}}));
        }
        log
    }

    #[test]
    fn what_is_shown_is_compared_with_who_could_see_it_then() {
        let team = |members: &[&str]| json!({"change": "team", "id": "desk", "members": members});
        let row = |rev: u64| {
            let after = json!({"id": "c", "endpoint": "link", "members": [], "rev": rev});
            json!({"change": "conversation", "after": after})
        };
        let item =
            |number: u32| json!({"change": "item", "conversation": "c", "number": number, "kind": "call"});
        let log = log(vec![
            json!([
                {"change": "teammate", "id": "cyd", "status": "active"},
                {"change": "endpoint", "id": "link", "owner": "team:desk", "members": []},
                team(&["cyd"]), row(1)
            ]),
            json!([row(2), item(1)]),
            json!([team(&[])]),
            json!([row(3), item(2)]),
        ]);
        let rows = [1, 2, 3].map(|rev| log.may_be_shown("cyd", &Shown::Row(id("c"), rev)));
        let items = [1, 2].map(|number| log.may_be_shown("cyd", &Shown::Item(id("c"), number)));
        assert_eq!((rows, items), ([true, true, false], [true, false]));
        assert!(!log.may_be_shown("dee", &Shown::Row(id("c"), 1)));
        assert!(!log.may_be_shown("cyd", &Shown::Row(id("c"), 9)), "there never was such a row");
    }
}
