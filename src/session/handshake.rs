//! The first frame of a connection: who it is, and its place in the hub.

use std::pin::pin;

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::frame::{ClientFrame, Cursor};
use rotunda_protocol::id::ConversationId;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::inbound::{self, Inbound};
use super::line::{Line, Turn};
use super::token::Subject;
use super::{End, id};
use crate::clock;
use crate::hub::send_queue::Next;
use crate::hub::{Hub, Joining, NotJoined, Seat};

/// The longest description of a device that is kept, in bytes.
const DEVICE_LENGTH_MAX: usize = 64;

/// A session with its place in the hub.
pub(super) struct Seated<P> {
    pub(super) seat: P,
    pub(super) subject: Subject,
}

struct Hello {
    token: String,
    cursor: Option<Cursor>,
    device: Option<String>,
    open: Vec<ConversationId>,
}

/// Waits for a `hello`, lets in whoever it names, and leaves the welcome in the queue.
pub(super) async fn greet(hub: &Hub, line: &mut Line) -> Result<Seated<Seat>, End> {
    let until = Instant::now() + line.sessions.limits.hello_time_max;
    let hello = hello(line, until).await?;
    // One that has expired is no better: whoever came back at once, as another code says, would bring it again.
    let subject = line
        .sessions
        .tokens
        .verify(&hello.token, clock::now_millis())
        .or(Err(End::Code(CloseCode::TokenRejected)))?;
    let joining = Joining {
        session: id::mint(clock::now_millis()),
        teammate: subject.teammate.clone(),
        device: hello.device.map(shortened),
        codec: line.codec,
        queue: line.queue.clone(),
        cursor: hello.cursor,
        open: hello.open,
    };
    let seat = match timeout_at(until, hub.join(&subject.organization, joining)).await {
        Ok(Ok(seat)) => seat,
        // Not told apart from a bad token: nobody learns which organizations and teammates there are.
        Ok(Err(NotJoined::Unknown)) => return Err(End::Code(CloseCode::TokenRejected)),
        Ok(Err(NotJoined::TooManySessions)) => return Err(End::Code(CloseCode::TooManySessions)),
        Ok(Err(NotJoined::Unavailable)) | Err(_) => return Err(End::Code(CloseCode::Unavailable)),
    };
    Ok(Seated { seat, subject })
}

async fn hello(line: &mut Line, until: Instant) -> Result<Hello, End> {
    let mut timer = pin!(sleep_until(until));
    loop {
        match line.turn(timer.as_mut()).await {
            Turn::Outbound => match line.write() {
                Ok(Next::End(code)) => return Err(End::Code(code)),
                Ok(Next::Cut(code)) => return Err(End::Cut(code)),
                Ok(Next::More | Next::Blocked | Next::Idle | Next::CatchUp | Next::Done) => {}
                Err(_) => return Err(End::Gone),
            },
            Turn::Inbound => {
                if let Some((came_as, bytes)) = line.receive()? {
                    return match inbound::read(line.codec, came_as, &bytes) {
                        Inbound::Frame(ClientFrame::Hello { token, cursor, device, open }) => {
                            Ok(Hello { token, cursor, device, open })
                        }
                        Inbound::Frame(_) | Inbound::Refused(..) | Inbound::Ignored => {
                            Err(End::Code(CloseCode::HelloExpected))
                        }
                        Inbound::Broken(code) => Err(End::Code(code)),
                    };
                }
            }
            Turn::Timer => return Err(End::Code(CloseCode::HelloExpected)),
        }
    }
}

fn shortened(mut device: String) -> String {
    device.truncate(device.floor_char_boundary(DEVICE_LENGTH_MAX));
    device
}
