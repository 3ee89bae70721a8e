//! What a client's message asks for, and what is answered when it cannot be understood.

use bytes::Bytes;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::{ClientFrame, REF_LENGTH_MAX, Ref};
use rotunda_protocol::refusal::Refusal;
use serde::Deserialize;

/// A message, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// A frame. Its `ref`, if it has one, may be used.
    Frame(ClientFrame),
    /// A frame that asks for something unknown or unusable: a newer client's, perhaps. The connection lives.
    Refused(Ref, Refusal),
    /// A frame that needs no answer and asks for something unknown.
    Ignored,
    /// No frame of this protocol.
    Broken(CloseCode),
}

/// As much of a frame as must be readable for an answer.
#[derive(Deserialize)]
struct Envelope {
    t: Kind,
    #[serde(default)]
    r#ref: Option<Ref>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Hello,
    Call,
    Ask,
    Signal,
    Renew,
}

/// Reads a message that came in a codec's kind of WebSocket message, on a connection of `codec`.
pub(super) fn read(codec: Codec, came_as: Codec, bytes: &Bytes) -> Inbound {
    if codec != came_as {
        return Inbound::Broken(CloseCode::WrongCodec);
    }
    match codec.decode::<ClientFrame>(bytes) {
        Ok(frame) => match unusable_ref(&frame) {
            Some(refused) => refused,
            None => Inbound::Frame(frame),
        },
        Err(malformed) => understood_in_part(codec, bytes, &malformed.to_string()),
    }
}

fn unusable_ref(frame: &ClientFrame) -> Option<Inbound> {
    match frame {
        ClientFrame::Call { r#ref, .. }
        | ClientFrame::Ask { r#ref, .. }
        | ClientFrame::Renew { r#ref, .. } => check_ref(r#ref),
        ClientFrame::Hello { .. } | ClientFrame::Signal { .. } => None,
    }
}

/// A `ref` that cannot be used is answered under as much of it as may be one.
fn check_ref(r#ref: &str) -> Option<Inbound> {
    if (1..=REF_LENGTH_MAX).contains(&r#ref.len()) {
        return None;
    }
    let start = &r#ref[..r#ref.floor_char_boundary(REF_LENGTH_MAX)];
    let refusal = Refusal::invalid("ref", "has 1 to 64 bytes");
    Some(Inbound::Refused(start.into(), refusal))
}

fn understood_in_part(codec: Codec, bytes: &[u8], problem: &str) -> Inbound {
    let Ok(Envelope { t, r#ref }) = codec.decode(bytes) else {
        return Inbound::Broken(CloseCode::MalformedFrame);
    };
    let field = match t {
        Kind::Call => "command",
        Kind::Ask => "ask",
        Kind::Signal => return Inbound::Ignored,
        Kind::Hello | Kind::Renew => return Inbound::Broken(CloseCode::MalformedFrame),
    };
    match r#ref {
        Some(r#ref) => {
            check_ref(&r#ref).unwrap_or_else(|| Inbound::Refused(r#ref, Refusal::invalid(field, problem)))
        }
        None => Inbound::Broken(CloseCode::MalformedFrame),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(frame: &Value) -> Inbound {
        read(Codec::Json, Codec::Json, &frame.to_string().into())
    }

    fn refused(inbound: Inbound) -> (Ref, String) {
        let Inbound::Refused(r#ref, Refusal::Invalid { field, .. }) = inbound else { panic!("{inbound:?}") };
        (r#ref, field)
    }

    #[test]
    fn a_frame_is_read_in_both_codecs_and_unknown_fields_are_ignored() {
        let frame = ClientFrame::Renew { r#ref: "1".into(), token: "t".into() };
        for codec in Codec::ALL {
            assert_eq!(read(codec, codec, &codec.encode(&frame).into()), Inbound::Frame(frame.clone()));
        }
        let newer = json!({ "t": "renew", "ref": "1", "token": "t", "new": true });
        assert_eq!(read_json(&newer), Inbound::Frame(frame));
    }

    #[test]
    fn the_other_codec_and_no_frames_end_the_connection() {
        let frame: Bytes = r#"{"t":"renew","ref":"1","token":"t"}"#.into();
        assert_eq!(read(Codec::MessagePack, Codec::Json, &frame), Inbound::Broken(CloseCode::WrongCodec));
        for bad in
            [json!({}), json!([]), json!({ "t": "sing" }), json!({ "t": "call" }), json!({ "t": "hello" })]
        {
            assert_eq!(read_json(&bad), Inbound::Broken(CloseCode::MalformedFrame), "{bad}");
        }
        let half: Bytes = r#"{"t":"call","ref":"1""#.into();
        assert_eq!(read(Codec::Json, Codec::Json, &half), Inbound::Broken(CloseCode::MalformedFrame));
    }

    #[test]
    fn an_unknown_command_or_question_is_answered() {
        let call = json!({ "t": "call", "ref": "7", "command": { "do": "coffee.make" } });
        assert_eq!(refused(read_json(&call)), ("7".into(), "command".into()));
        let ask = json!({ "t": "ask", "ref": "8", "ask": { "ask": "why" } });
        assert_eq!(refused(read_json(&ask)), ("8".into(), "ask".into()));
        let packed = rmp_serde::to_vec_named(&call).unwrap();
        let inbound = read(Codec::MessagePack, Codec::MessagePack, &packed.into());
        assert_eq!(refused(inbound), ("7".into(), "command".into()));
        let signal = json!({ "t": "signal", "signal": { "signal": "wave" } });
        assert_eq!(read_json(&signal), Inbound::Ignored);
    }

    #[test]
    fn a_ref_that_cannot_be_used_is_refused() {
        let ask = |r#ref: &str| json!({ "t": "renew", "ref": r#ref, "token": "t" });
        assert_eq!(refused(read_json(&ask(""))), (String::new(), "ref".into()));
        let long = "é".repeat(33);
        assert_eq!(refused(read_json(&ask(&long))), ("é".repeat(32), "ref".into()));
        assert!(matches!(read_json(&ask(&"x".repeat(64))), Inbound::Frame(_)));
    }
}
