//! What a connection is told before it ends, and when it may come back.

use std::ops::Range;

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::ServerFrame;

use super::socket::Socket;
use crate::hub::wire;

/// The last bytes of a connection: the `closing` frame, and the close frame behind it.
pub(super) fn bytes(codec: Codec, socket: &mut Socket, code: CloseCode) -> bytes::Bytes {
    let closing = ServerFrame::Closing { code, retry_after_ms: retry_after_ms(code) };
    let mut bytes = wire::encode(codec, &closing).to_vec();
    bytes.extend_from_slice(&socket.close(code));
    bytes.into()
}

/// A wait before reconnecting, different for each session so that they do not all come at once.
pub(crate) fn retry_after_ms(code: CloseCode) -> Option<u32> {
    let Range { start, end } = retry_range(code)?;
    Some(start + random() % (end - start))
}

/// From when on, and until when, a session may come back, in milliseconds.
fn retry_range(code: CloseCode) -> Option<Range<u32>> {
    match code {
        // They are told one after the other already.
        CloseCode::Draining => Some(0..1_000),
        CloseCode::Behind | CloseCode::HeartbeatMissed | CloseCode::TokenExpired => Some(0..2_000),
        CloseCode::Unavailable => Some(2_000..10_000),
        CloseCode::QuotaExceeded => Some(10_000..20_000),
        CloseCode::TooManySessions => Some(30_000..60_000),
        CloseCode::MalformedFrame
        | CloseCode::WrongCodec
        | CloseCode::FrameTooLarge
        | CloseCode::HelloExpected
        | CloseCode::TokenRejected
        | CloseCode::AccessEnded => None,
    }
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_come_back_is_told_when_and_nobody_else() {
        for code in CloseCode::ALL {
            assert_eq!(retry_after_ms(code).is_some(), code.number() < 4200, "{code:?}");
            assert!(retry_after_ms(code).is_none_or(|wait| retry_range(code).unwrap().contains(&wait)));
        }
    }
}
