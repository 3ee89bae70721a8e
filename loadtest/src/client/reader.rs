//! Reads an organization's frames. The hub sends many sessions the same bytes: those are parsed once.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::rc::Rc;

use foldhash::fast::FixedState;
use rotunda_protocol::ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::conversation;
use rotunda_protocol::frame::{self, Outline, ServerFrame, Start};
use rotunda_protocol::item::Item;
use rotunda_protocol::push::{CatchUp, ConversationPresence, Push};

use crate::picture::news::{Answer, Frame, Listed, News, Scope, State, Told};
use crate::picture::note::Shown;
use crate::picture::rows::{Rows, content};

/// Pushes that are remembered. Sessions are behind each other by a few.
const RECENT_MAX: usize = 256;

/// The frames and pushes that there are; one of these that cannot be read is no newer kind.
const KINDS: [&str; 18] = [
    "welcome",
    "catch_up",
    "resync",
    "answer",
    "beat",
    "freshness",
    "closing",
    "conversation",
    "item",
    "gone",
    "scope",
    "teammate",
    "team",
    "endpoint",
    "organization",
    "mark",
    "here",
    "presence",
];

/// A push by its bytes.
type Recent = (Box<[u8]>, Rc<Frame>);

/// What parses frames.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) rows: Rows,
    hasher: FixedState,
    recent: HashMap<u64, Recent, FixedState>,
    order: VecDeque<u64>,
    /// Frames of a kind that this client does not know and ignores, as the protocol asks.
    pub(crate) unknown: u64,
}

impl Reader {
    /// What a frame says. An error if it is none of this protocol.
    pub(crate) fn read(&mut self, codec: Codec, bytes: &[u8]) -> Result<Rc<Frame>, String> {
        let key = self.hasher.hash_one(bytes);
        if let Some((known, frame)) = self.recent.get(&key)
            && **known == *bytes
        {
            return Ok(Rc::clone(frame));
        }
        let (frame, push) = match codec.decode::<ServerFrame>(bytes) {
            Ok(frame) => {
                let push = matches!(frame, ServerFrame::Push { .. });
                (self.frame(frame), push)
            }
            Err(error) => {
                let unreadable = |_unnamed| format!("a frame that cannot be read: {error}");
                let outline: Outline = codec.decode(bytes).map_err(unreadable)?;
                let kind = outline.push.as_ref().unwrap_or(&outline.t);
                if KINDS.contains(&kind.as_str()) {
                    return Err(format!("a `{kind}` that cannot be read: {error}"));
                }
                self.unknown += 1;
                (Frame { news: News::Quiet, cursor: outline.cursor }, false)
            }
        };
        let frame = Rc::new(frame);
        if push {
            self.remember(key, bytes, &frame);
        }
        Ok(frame)
    }

    fn remember(&mut self, key: u64, bytes: &[u8], frame: &Rc<Frame>) {
        if self.order.len() == RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.order.push_back(key);
        self.recent.insert(key, (bytes.into(), Rc::clone(frame)));
    }

    fn frame(&mut self, frame: ServerFrame) -> Frame {
        let (news, cursor) = match frame {
            ServerFrame::Welcome { start, state, limits, cursor, .. } => {
                let (resumed, heartbeat_ms) = (start == Start::Resumed, limits.heartbeat_ms);
                (News::Welcome { resumed, heartbeat_ms, state: self.state(*state) }, Some(cursor))
            }
            ServerFrame::CatchUp { state, cursor } => (News::CatchUp(self.state(*state)), Some(cursor)),
            ServerFrame::Resync { state, cursor } => (News::Resync(self.state(*state)), Some(cursor)),
            ServerFrame::Push { push, cursor } => (self.push(push), cursor),
            ServerFrame::Answer { r#ref, answer } => {
                (News::Answer { r#ref, answer: self.answer(answer) }, None)
            }
            ServerFrame::Beat => (News::Quiet, None),
            ServerFrame::Freshness { .. } => (News::Freshness, None),
            ServerFrame::Closing { code, retry_after_ms } => (News::Closing { code, retry_after_ms }, None),
        };
        Frame { news, cursor }
    }

    fn push(&mut self, push: Push) -> News {
        match push {
            Push::Conversation { conversation, was, .. } => {
                let (place, version) = self.rows.keep(&conversation);
                News::Row(place, version, was.map(Rc::new))
            }
            Push::Item { item } => News::Item(self.rows.place(&item.conversation), shown(&item)),
            Push::Gone { conversation } => News::Gone(self.rows.place(&conversation)),
            Push::Scope { access, granted, revoked, endpoints } => {
                let endpoints = endpoints.into_iter().map(|endpoint| endpoint.id).collect();
                News::Scope(Box::new(Scope { access, granted, revoked, endpoints }))
            }
            Push::Endpoint { endpoint } => News::Endpoint(endpoint.id),
            Push::Mark(marked) => News::Mark(self.rows.place(&marked.conversation), marked.mark),
            Push::Presence(presence) if is_empty(&presence) => News::Quiet,
            Push::Presence(presence) => News::At(self.rows.place(&presence.conversation)),
            Push::Teammate { .. } | Push::Team { .. } | Push::Organization { .. } | Push::Here { .. } => {
                News::Quiet
            }
        }
    }

    fn answer(&mut self, answer: frame::Answer) -> Answer {
        match answer {
            frame::Answer::Done { done, .. } => Answer::Done(done),
            frame::Answer::Told { told } => Answer::Told(self.told(told)),
            frame::Answer::Renewed => Answer::Renewed,
            frame::Answer::Refused { refusal, .. } => Answer::Refused(refusal),
        }
    }

    fn told(&mut self, told: ask::Told) -> Told {
        match told {
            ask::Told::List { rows, next } => {
                Told::List { rows: rows.iter().map(|row| self.listed(row)).collect(), next }
            }
            ask::Told::Opened { row, items, presence } => Told::Opened {
                row: self.listed(&row),
                items: items.iter().map(shown).collect(),
                at: !is_empty(&presence),
            },
            ask::Told::Counts { counts } => Told::Counts(counts),
            ask::Told::History { .. } | ask::Told::Access { .. } => Told::Other,
        }
    }

    fn state(&mut self, state: CatchUp) -> State {
        let at = state.presence.conversations.iter().filter(|at| !is_empty(at));
        State {
            access: state.access,
            endpoints: state.endpoints.into_iter().map(|endpoint| endpoint.id).collect(),
            at: at.map(|at| self.rows.place(&at.conversation)).collect(),
            rows: state.conversations.iter().map(|row| self.listed(row)).collect(),
            marks: state
                .marks
                .iter()
                .map(|marked| (self.rows.place(&marked.conversation), marked.mark))
                .collect(),
            gone: state.gone.iter().map(|id| self.rows.place(id)).collect(),
            items: state
                .items
                .iter()
                .map(|item| (self.rows.place(&item.conversation), shown(item)))
                .collect(),
        }
    }

    fn listed(&mut self, listed: &conversation::Listed) -> Listed {
        let (place, version) = self.rows.keep(&listed.conversation);
        (place, version, listed.mark)
    }
}

fn shown(item: &Item) -> Shown {
    Shown { number: item.number, content: content(item) }
}

fn is_empty(presence: &ConversationPresence) -> bool {
    presence.viewing.is_empty() && presence.typing.is_empty()
}
