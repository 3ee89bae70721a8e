//! What a Twilio callback tells, in the hub's words.

use rotunda_protocol::command::Inbound;
use rotunda_protocol::frame::Ref;
use rotunda_protocol::item::{Content, Direction};

use crate::http::service::problem::Problem;

/// The most media of one message; Twilio sends ten at most.
const MEDIA_MAX: usize = 10;

/// Something to deliver, and the key that makes a repeat harmless.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Made of Twilio's own id.
    pub key: Ref,
    /// What came in.
    pub inbound: Inbound,
}

/// A callback's fields: the form's, then the query's, so that an operator can pass on what Twilio leaves out.
pub(super) struct Fields<'a> {
    /// The form.
    pub form: &'a [(String, String)],
    /// The query.
    pub query: &'a [(String, String)],
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let fields = self.form.iter().chain(self.query);
        fields
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .find(|(n, v)| *n == name && !v.is_empty())
            .map(|(_, v)| v)
    }

    fn need(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| {
            Problem::bad_request(
                format!("The field {name} is missing"),
                format!("Send it as Twilio does, or add `?{name}=…` to the callback's address."),
            )
        })
    }

    fn number(&self, name: &str) -> u32 {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn name(&self) -> Option<String> {
        self.get("ProfileName").or_else(|| self.get("CallerName")).map(Into::into)
    }

    fn delivery(&self, key: String, [from, to]: [&str; 2], content: Content) -> Delivery {
        Delivery { key, inbound: Inbound { to: to.into(), from: from.into(), name: self.name(), content } }
    }
}

/// A message that came in.
pub(super) fn sms(fields: &Fields<'_>) -> Result<Delivery, Problem> {
    let sid = fields.need("MessageSid")?;
    let media = (0..MEDIA_MAX.min(fields.number("NumMedia") as usize))
        .filter_map(|n| fields.get(&format!("MediaUrl{n}")))
        .map(Into::into)
        .collect();
    let body = fields.get("Body").unwrap_or_default().into();
    let content = Content::Message { direction: Direction::In, body, media };
    Ok(fields.delivery(format!("sms:{sid}"), [fields.need("From")?, fields.need("To")?], content))
}

/// A call that has ended, either way. While it rings or lasts there is nothing to deliver.
pub(super) fn voice(fields: &Fields<'_>) -> Result<Option<Delivery>, Problem> {
    let (sid, outcome) = (fields.need("CallSid")?, fields.need("CallStatus")?);
    if !matches!(outcome, "completed" | "busy" | "no-answer" | "failed" | "canceled") {
        return Ok(None);
    }
    let (from, to) = (fields.need("From")?, fields.need("To")?);
    let outbound = fields.get("Direction").is_some_and(|direction| direction.starts_with("outbound"));
    // Of an outbound call `To` is the contact: `from` of what is delivered is always the side outside.
    let (direction, sides) =
        if outbound { (Direction::Out, [to, from]) } else { (Direction::In, [from, to]) };
    let seconds = fields.number("CallDuration");
    let content = Content::Call { direction, outcome: outcome.into(), seconds };
    Ok(Some(fields.delivery(format!("call:{sid}:{outcome}"), sides, content)))
}

/// A voicemail that is ready to be heard. While it is being recorded there is nothing to deliver.
pub(super) fn recording(fields: &Fields<'_>) -> Result<Option<Delivery>, Problem> {
    let sid = fields.need("RecordingSid")?;
    if fields.get("RecordingStatus").is_some_and(|status| status != "completed") {
        return Ok(None);
    }
    let content = Content::Voicemail {
        seconds: fields.number("RecordingDuration"),
        recording: fields.get("RecordingUrl").map(Into::into),
        transcript: fields.get("TranscriptionText").map(Into::into),
    };
    let sides = [fields.need("From")?, fields.need("To")?];
    Ok(Some(fields.delivery(format!("recording:{sid}"), sides, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn on<T>(form: &[(&str, &str)], read: impl Fn(&Fields<'_>) -> T) -> T {
        read(&Fields { form: &fields(form), query: &[] })
    }

    const SIDES: [(&str, &str); 2] = [("From", "+14155550199"), ("To", "+14155550100")];

    #[test]
    fn a_message_comes_with_its_media_and_name() {
        let form = [
            SIDES.as_slice(),
            &[
                ("MessageSid", "SM1"),
                ("Body", "Hello"),
                ("NumMedia", "2"),
                ("MediaUrl0", "https://m/0"),
                ("MediaUrl1", "https://m/1"),
                ("MediaUrl2", "https://m/2"),
                ("ProfileName", "Mara"),
            ],
        ]
        .concat();
        let Delivery { key, inbound } = on(&form, sms).unwrap();
        assert_eq!(
            (key.as_str(), inbound.from.as_str(), inbound.to.as_str()),
            ("sms:SM1", SIDES[0].1, SIDES[1].1)
        );
        assert_eq!(inbound.name.as_deref(), Some("Mara"));
        let media = vec!["https://m/0".into(), "https://m/1".into()];
        assert_eq!(
            inbound.content,
            Content::Message { direction: Direction::In, body: "Hello".into(), media }
        );
    }

    #[test]
    fn only_the_end_of_a_call_is_delivered() {
        let status = |status| {
            let call = [("CallSid", "CA1"), ("CallDuration", "31"), ("CallStatus", status)];
            on(&[SIDES.as_slice(), &call].concat(), voice).unwrap()
        };
        for lasting in ["queued", "initiated", "ringing", "in-progress", "answered"] {
            assert_eq!(status(lasting), None, "{lasting}");
        }
        for ended in ["completed", "busy", "no-answer", "failed", "canceled"] {
            let Delivery { key, inbound } = status(ended).unwrap();
            assert_eq!(key, format!("call:CA1:{ended}"));
            let outcome = ended.into();
            assert_eq!(inbound.content, Content::Call { direction: Direction::In, outcome, seconds: 31 });
        }
    }

    #[test]
    fn of_an_outbound_call_the_contact_is_the_one_called() {
        let form = [
            ("CallSid", "CA1"),
            ("CallStatus", "completed"),
            ("Direction", "outbound-api"),
            ("From", "+14155550100"),
            ("To", "+14155550199"),
        ];
        let inbound = on(&form, voice).unwrap().unwrap().inbound;
        assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("+14155550199", "+14155550100"));
        assert!(matches!(inbound.content, Content::Call { direction: Direction::Out, .. }));
    }

    #[test]
    fn a_recording_may_name_its_sides_in_the_address() {
        let form = fields(&[
            ("RecordingSid", "RE1"),
            ("RecordingStatus", "completed"),
            ("RecordingDuration", "12"),
            ("RecordingUrl", "https://r/1"),
        ]);
        let Delivery { key, inbound } =
            recording(&Fields { form: &form, query: &fields(&SIDES) }).unwrap().unwrap();
        assert_eq!((key.as_str(), inbound.from.as_str()), ("recording:RE1", SIDES[0].1));
        assert_eq!(recording(&Fields { form: &form, query: &[] }).unwrap_err().status, 400);
        assert_eq!(
            on(&[("RecordingSid", "RE1"), ("RecordingStatus", "in-progress")], recording).unwrap(),
            None
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = on(&SIDES, sms).unwrap_err();
        assert_eq!((problem.status, problem.title.as_str()), (400, "The field MessageSid is missing"));
    }
}
