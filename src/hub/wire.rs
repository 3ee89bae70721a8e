//! A server's frame as the bytes that travel: encoded once, WebSocket header and all, and shared by everybody
//! who gets it. A server's frames are not masked, so they are the same for all.

use bytes::Bytes;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::ServerFrame;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The longest header of a frame that is not masked, in bytes.
const HEADER_BYTES_MAX: usize = 10;

/// One WebSocket message with the frame in it.
pub fn encode(codec: Codec, frame: &ServerFrame) -> Bytes {
    let opcode = match codec {
        Codec::Json => OpCode::Data(Data::Text),
        Codec::MessagePack => OpCode::Data(Data::Binary),
    };
    framed(opcode, &codec.encode(frame))
}

/// The frame that says whether what is shown is current.
pub(super) fn freshness(codec: Codec, fresh: bool) -> Bytes {
    encode(codec, &ServerFrame::Freshness { fresh })
}

/// The frame that says that the hub is there, and a ping behind it: the one is for the client's code,
/// the other makes its network stack say that it is there.
pub fn beat(codec: Codec) -> Bytes {
    let mut bytes = encode(codec, &ServerFrame::Beat).to_vec();
    bytes.extend_from_slice(&framed(OpCode::Control(Control::Ping), &[]));
    bytes.into()
}

fn framed(opcode: OpCode, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(HEADER_BYTES_MAX + payload.len());
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(payload.len() as u64, &mut bytes).expect("writing into a vector succeeds");
    bytes.extend_from_slice(payload);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_frame_is_a_whole_unmasked_message_of_its_codec() {
        for (codec, opcode) in [(Codec::Json, Data::Text), (Codec::MessagePack, Data::Binary)] {
            let bytes = encode(codec, &ServerFrame::Beat);
            let mut cursor = Cursor::new(&bytes);
            let (header, length) = FrameHeader::parse(&mut cursor).unwrap().unwrap();
            let payload = &bytes[usize::try_from(cursor.position()).unwrap()..];
            assert_eq!(header, FrameHeader { opcode: OpCode::Data(opcode), ..FrameHeader::default() });
            assert_eq!(payload.len() as u64, length);
            assert_eq!(codec.decode::<ServerFrame>(payload).unwrap(), ServerFrame::Beat);
        }
    }

    #[test]
    fn a_beat_ends_with_an_empty_ping() {
        let beat = beat(Codec::Json);
        assert_eq!(beat, [&encode(Codec::Json, &ServerFrame::Beat)[..], &[0x89, 0]].concat());
    }
}
