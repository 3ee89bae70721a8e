//! Lists and counts, as far as one may see. A page costs the page and the places one may look in; an exact
//! count costs the places, and those of one's own memberships that overlap.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdSet;
use rotunda_protocol::ask::RowKey;
use rotunda_protocol::id::{EndpointId, TeammateId};
use rotunda_protocol::principal::Mailbox;

use super::conversation::Conversation;
use super::organization::Organization;
use super::shelf::{Place, Rank};

/// Which conversations to list.
#[derive(Debug, Clone)]
pub struct Selection<'a> {
    /// In this mailbox, not `none`: what is archived is listed by the store.
    pub mailbox: &'a Mailbox,
    /// Through this endpoint only.
    pub endpoint: Option<&'a EndpointId>,
}

/// A page of a mailbox as a teammate may see it, newest activity first.
pub fn page(
    organization: &Organization,
    teammate: &TeammateId,
    selection: &Selection<'_>,
    after: Option<&RowKey>,
    limit: usize,
) -> Vec<Arc<Conversation>> {
    let places = places(organization, teammate, selection);
    let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(Rank::from(key)));
    let mut heads: BinaryHeap<Head<'_>> = places
        .iter()
        .filter_map(|place| organization.shelf().ranked(place, selection.mailbox))
        .filter_map(|ranks| Head::of(ranks.range((from.clone(), Bound::Unbounded))))
        .collect();
    let mut rows: Vec<Arc<Conversation>> = Vec::with_capacity(limit.min(64));
    while rows.len() < limit
        && let Some(mut head) = heads.pop()
    {
        let rank = head.rank;
        if head.advance() {
            heads.push(head);
        }
        // The same conversation in several places comes out of the merge in a row.
        if rows.last().is_some_and(|last| last.id == *rank.conversation()) {
            continue;
        }
        if let Some(conversation) = organization.conversation(rank.conversation()) {
            debug_assert!(organization.can_see(teammate, conversation), "a list shows what may be seen");
            rows.push(conversation.clone());
        }
    }
    rows
}

/// How many conversations a list has in all.
pub fn count(organization: &Organization, teammate: &TeammateId, selection: &Selection<'_>) -> u64 {
    let ranked = |place: &Place| organization.shelf().ranked(place, selection.mailbox);
    let mut total = 0;
    let mut own: Vec<(Option<EndpointId>, &OrdSet<Rank>)> = Vec::new();
    for place in places(organization, teammate, selection) {
        let Some(ranks) = ranked(&place) else { continue };
        match place {
            Place::Endpoint(_) => total += ranks.len(),
            Place::Member(_, endpoint) => own.push((endpoint, ranks)),
        }
    }
    // Own memberships of different endpoints never overlap; several of the same endpoint can.
    own.sort_by(|(a, _), (b, _)| a.cmp(b));
    for of_endpoint in own.chunk_by(|(a, _), (b, _)| a == b) {
        total += match of_endpoint {
            [(_, only)] => only.len(),
            several => several.iter().flat_map(|(_, ranks)| ranks.iter()).collect::<HashSet<_>>().len(),
        };
    }
    total as u64
}

/// Where a teammate may look: endpoints they may use, and what they were added to elsewhere.
fn places(organization: &Organization, teammate: &TeammateId, selection: &Selection<'_>) -> Vec<Place> {
    if !organization.is_active(teammate) {
        return Vec::new();
    }
    let endpoints: HashSet<&EndpointId> =
        organization.endpoints_of(teammate).map(|endpoint| &endpoint.id).collect();
    let wanted = |endpoint: Option<&EndpointId>| selection.endpoint.is_none_or(|only| endpoint == Some(only));
    let mut places: Vec<Place> = endpoints
        .iter()
        .filter(|endpoint| wanted(Some(endpoint)))
        .map(|endpoint| Place::Endpoint((*endpoint).clone()))
        .collect();
    for principal in organization.principals_of(teammate) {
        let own = organization.shelf().member_places(&principal, selection.mailbox);
        places.extend(own.into_iter().filter(|place| match place {
            Place::Member(_, Some(endpoint)) => !endpoints.contains(endpoint) && wanted(Some(endpoint)),
            Place::Member(_, None) => wanted(None),
            Place::Endpoint(_) => false,
        }));
    }
    places
}

/// The next rank of one place, in a merge of many.
struct Head<'a> {
    rank: &'a Rank,
    rest: Box<dyn Iterator<Item = &'a Rank> + 'a>,
}

impl<'a> Head<'a> {
    fn of(mut rest: impl Iterator<Item = &'a Rank> + 'a) -> Option<Self> {
        let rank = rest.next()?;
        Some(Self { rank, rest: Box::new(rest) })
    }

    fn advance(&mut self) -> bool {
        self.rest.next().map(|rank| self.rank = rank).is_some()
    }
}

/// A `BinaryHeap` gives the greatest first; the smallest rank is the newest activity.
impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(self.rank)
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}
