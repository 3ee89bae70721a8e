//! Listening to what other nodes tell this one alone: their questions, and their answers to its own.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::Hub;
use super::peers::Peers;
use super::question::Confirmed;
use crate::bus::Topic;
use crate::bus::envelope::{self, Note};

/// Notes that wait to be looked at. One that does not fit is sent again.
const NOTES_MAX: usize = 1_024;
/// Questions that are being answered at the same time. One more is asked again.
const ANSWERING_MAX: usize = 256;

/// Listens for as long as it is polled.
pub(super) async fn listen(hub: &Hub, peers: &Arc<Peers>) {
    let (heard, mut notes) = mpsc::channel(NOTES_MAX);
    let ear = Arc::new(move |bytes| drop(heard.try_send(bytes)));
    let _subscription = peers.bus.subscribe(Topic::Node(peers.node.clone()), ear).await;
    let answering = Arc::new(Semaphore::new(ANSWERING_MAX));
    while let Some(bytes) = notes.recv().await {
        match envelope::decode::<Note>(&bytes) {
            Ok((from, Note::Confirm { question, organization, seq })) => {
                // With so many being answered it is asked again.
                let Ok(place) = Arc::clone(&answering).try_acquire_owned() else { continue };
                let (hub, peers) = (hub.clone(), Arc::clone(peers));
                tokio::spawn(async move {
                    let _place = place;
                    if let Ok(sessions) = hub.confirm(&organization, seq).await {
                        peers.tell(&from, &Note::Confirmed { question, sessions });
                    }
                });
            }
            Ok((by, Note::Confirmed { question, sessions })) => {
                peers.questions.confirmed(question, Confirmed { by, sessions });
            }
            Err(error) => tracing::debug!(%error, "a note from another node cannot be read"),
        }
    }
}
