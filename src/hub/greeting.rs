//! What brings a session up to date: the welcome of a new one, and the catch-up of one that was too slow.
//! One mechanism: the current rows of what changed since a position, as far as the teammate may see them now.

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::frame::{ServerFrame, Start};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::push::CatchUp;

use super::ANSWERS_MAX;
use super::missed::{self, Unmade};
use super::place::Place;
use super::registry::OPEN_MAX;
use super::room::View;
use super::send_queue::{About, QueuedFrame};
use super::wire;
use crate::domain::catch_up;
use crate::domain::event::Seq;

/// Greets a session that has just joined.
pub(super) async fn welcome(place: &Place, cursor: Option<&str>, open: &[ConversationId]) {
    let open = open.iter().take(OPEN_MAX).cloned().collect::<Vec<_>>();
    bring_up_to_date(
        place,
        |view, _| {
            let since = cursor.map(|cursor| view.cursors.as_ref().and_then(|cursors| cursors.read(cursor)));
            (since, open.clone())
        },
        Kind::Welcome,
    )
    .await;
}

/// Catches up a session whose queue overflowed and has drained. `open` are the conversations it has open.
pub(super) async fn catch_up_slow(place: &Place, open: &[ConversationId]) {
    place.room.services.metrics.caught_up();
    bring_up_to_date(place, |_, written| (Some(written), open.to_vec()), Kind::CatchUp).await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Welcome,
    CatchUp,
}

/// `since` says from where: none for a start from nothing, `Some(None)` for a position that cannot be resumed.
async fn bring_up_to_date(
    place: &Place,
    since: impl Fn(&View, Option<Seq>) -> (Option<Option<Seq>>, Vec<ConversationId>),
    kind: Kind,
) {
    for attempt in 1.. {
        // Pushes from here on are kept behind the catch-up, so none between the snapshot and it is lost.
        let written = place.queue.begin_catch_up();
        let view = place.room.view();
        let (since, open) = since(&view, written);
        // It has seen more than this room, on another node; or of a log that went back.
        if let Some(Some(since)) = since
            && since > view.organization.seq()
        {
            match place.room.reach(since).await {
                Some(reached) if reached.seq >= since => continue,
                Some(_) => {}
                None => return place.queue.close(CloseCode::Unavailable, false),
            }
        }
        let made = match since {
            None => Ok((Start::Fresh, fresh(place, &view))),
            // From memory alone, which nothing overtakes.
            Some(_) if attempt > ANSWERS_MAX => Ok((Start::Reset, fresh(place, &view))),
            Some(since) => resume(place, &view, since, &open).await,
        };
        let (start, state) = match made {
            Ok(made) => made,
            Err(Unmade::Overtaken(by)) => match place.room.reach(by).await {
                Some(reached) if reached.seq >= by => continue,
                Some(_) | None => return place.queue.close(CloseCode::Unavailable, false),
            },
            Err(Unmade::Failed(error)) => {
                tracing::warn!(%error, "a session cannot be brought up to date");
                return place.queue.close(CloseCode::Unavailable, false);
            }
        };
        let frame = match frame(place, &view, kind, start, state) {
            Ok(frame) => frame,
            Err(code) => return place.queue.close(code, false),
        };
        let as_of = view.organization.seq();
        let bytes = wire::encode(place.codec, &frame);
        let queued = QueuedFrame { bytes, seq: Some(as_of), about: About::Reading };
        if place.queue.finish_catch_up(queued, as_of).is_ok() {
            return;
        }
    }
}

fn frame(
    place: &Place,
    view: &View,
    kind: Kind,
    start: Start,
    state: CatchUp,
) -> Result<ServerFrame, CloseCode> {
    let organization = &view.organization;
    let cursors = view.cursors.as_ref().ok_or(CloseCode::Unavailable)?;
    let cursor = cursors.write(organization.seq());
    let you = catch_up::you(organization, &place.teammate)
        .filter(|_| organization.is_active(&place.teammate))
        .ok_or(CloseCode::AccessEnded)?;
    let state = Box::new(state);
    Ok(match (kind, start) {
        (Kind::Welcome, start) => ServerFrame::Welcome {
            session: place.session.clone(),
            organization: organization.id().clone(),
            you,
            start,
            state,
            limits: place.room.services.limits.told(),
            cursor,
        },
        (Kind::CatchUp, Start::Resumed) => ServerFrame::CatchUp { state, cursor },
        (Kind::CatchUp, Start::Fresh | Start::Reset) => {
            place.room.services.metrics.resynced();
            ServerFrame::Resync { state, cursor }
        }
    })
}

fn fresh(place: &Place, view: &View) -> CatchUp {
    catch_up::directory(&view.organization, &view.presence, &place.teammate, Seq(0))
}

/// What changed since a position, or everything if that cannot be told from it.
async fn resume(
    place: &Place,
    view: &View,
    since: Option<Seq>,
    open: &[ConversationId],
) -> Result<(Start, CatchUp), Unmade> {
    let state = match since {
        Some(since) => missed::since(place, view, since, open).await?,
        None => None,
    };
    Ok(match state {
        Some(state) => (Start::Resumed, state),
        None => (Start::Reset, fresh(place, view)),
    })
}
