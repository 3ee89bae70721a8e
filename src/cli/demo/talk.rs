//! What patients and staff of the demo say to each other.

/// A subject that patients write about, from their first line to the last.
pub(super) struct Subject {
    /// What a teammate tags it with.
    pub(super) tag: &'static str,
    /// Turn by turn, beginning with the patient.
    pub(super) lines: &'static [&'static str],
    /// What a teammate notes for the others.
    pub(super) note: &'static str,
}

/// `{day}` becomes a weekday, `{time}` a time, `{medicine}` a medicine.
pub(super) const SUBJECTS: [Subject; 14] = [
    Subject {
        tag: "refill",
        lines: &[
            "Hi, I have three days of {medicine} left. Could you send a refill to the pharmacy on Mill Street?",
            "Of course. Are you still taking one a day, in the morning?",
            "Yes, still one in the morning.",
            "Sent. It should be ready {day} after {time}.",
            "Wonderful, thank you!",
        ],
        note: "Last refill was for 90 days, due for a blood pressure check before the next.",
    },
    Subject {
        tag: "appointment",
        lines: &[
            "Can I move my appointment on {day}? Something came up at work.",
            "No problem. Would {day} at {time} suit you?",
            "That works, thanks.",
            "You are booked. See you then!",
        ],
        note: "Second time moved; offer the early slots.",
    },
    Subject {
        tag: "results",
        lines: &[
            "Are my blood results back yet? The lab said they would send them by {day}.",
            "They came in this morning. The doctor will look at them today and write to you.",
            "Thank you, I was a bit nervous about them.",
        ],
        note: "All in range except ferritin. Please call rather than write.",
    },
    Subject {
        tag: "insurance",
        lines: &[
            "My insurance changed this month. What do you need from me?",
            "A photo of both sides of the new card is enough.",
            "Here they are, I hope they are readable.",
            "They are, thank you. All set from {day} on.",
        ],
        note: "New plan needs a referral for physiotherapy.",
    },
    Subject {
        tag: "symptoms",
        lines: &[
            "I have had a sore throat since {day} and now a bit of a fever. Should I come in?",
            "How high is the fever, and can you swallow?",
            "38.4, and it hurts but I can.",
            "Please come by {day} at {time}, we will do a swab.",
        ],
        note: "Strep swab, room 2. Mask at the door.",
    },
    Subject {
        tag: "vaccination",
        lines: &[
            "Do you still have flu shots? I would like to bring my mother too.",
            "We do. {day} between {time} and closing no appointment is needed.",
            "Perfect, see you both then.",
        ],
        note: "Mother is not registered with us; bring the form.",
    },
    Subject {
        tag: "referral",
        lines: &[
            "The dermatologist says they have not received the referral.",
            "I am sorry, I will send it again right away.",
            "They have it now. Thanks for the quick help!",
        ],
        note: "Their fax number changed, updated in the address book.",
    },
    Subject {
        tag: "billing",
        lines: &[
            "I got a bill for the visit in spring, but I paid it at the desk.",
            "Let me look that up. Do you have the receipt?",
            "Yes, it says {day}, card payment.",
            "Found it. Please ignore the bill, we have corrected it.",
        ],
        note: "Payment was booked on the sibling's account.",
    },
    Subject {
        tag: "follow-up",
        lines: &[
            "The new dose of {medicine} makes me a little dizzy in the morning. Is that normal?",
            "It can be, in the first week. Are you drinking enough?",
            "Probably not. I will try that.",
        ],
        note: "Check in again on {day}; halve the dose if it goes on.",
    },
    Subject {
        tag: "forms",
        lines: &[
            "Could somebody sign the sports form for my daughter? The school needs it by {day}.",
            "We can. Please leave it at the desk, it will be ready the next morning.",
            "Dropped it off just now.",
        ],
        note: "Physical is from last autumn, still valid.",
    },
    Subject {
        tag: "directions",
        lines: &[
            "Which entrance do I use with a wheelchair?",
            "The one on Harbor Lane, there is a ramp and a bell.",
            "Thank you, good to know.",
        ],
        note: "Have the wide room free.",
    },
    Subject {
        tag: "new-patient",
        lines: &[
            "Hello, we just moved here. Are you taking new patients?",
            "Welcome! Yes, we are. How many of you are there?",
            "Two adults and a baby of seven months.",
            "Lovely. I will send you the registration forms.",
        ],
        note: "Baby is due for the nine-month check in two months.",
    },
    Subject {
        tag: "travel",
        lines: &[
            "We fly to Kenya in six weeks. Which shots do we need?",
            "Best come in for a talk. {day} at {time}?",
            "Yes please, for three people.",
        ],
        note: "Yellow fever stock is low, order five.",
    },
    Subject {
        tag: "urgent",
        lines: &[
            "My son has an ear ache and has been crying since {time}. Do you have anything today?",
            "Please come right away, we will fit you in.",
        ],
        note: "Told them room 1 is free.",
    },
];

pub(super) const DAYS: [&str; 6] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub(super) const TIMES: [&str; 7] = ["8:15", "9:00", "10:30", "11:45", "2:00", "3:30", "4:45"];
pub(super) const MEDICINES: [&str; 6] =
    ["lisinopril", "metformin", "levothyroxine", "sertraline", "atorvastatin", "albuterol"];

pub(super) const FIRST_NAMES: [&str; 24] = [
    "Mara", "Tobias", "Ines", "Samir", "Greta", "Owen", "Priya", "Luis", "Noor", "Felix", "Hazel", "Dmitri",
    "Yuki", "Amara", "Jonas", "Celine", "Theo", "Rosa", "Kenji", "Leila", "Oscar", "Wanda", "Idris", "Paula",
];
pub(super) const LAST_NAMES: [&str; 23] = [
    "Lindqvist",
    "Abara",
    "Castellan",
    "Demir",
    "Eastwood",
    "Fontaine",
    "Gallagher",
    "Hoang",
    "Iversen",
    "Jablonski",
    "Kowalczyk",
    "Larkin",
    "Moreau",
    "Nakagawa",
    "Oduya",
    "Pellegrini",
    "Quispe",
    "Rasmussen",
    "Sandoval",
    "Takács",
    "Ueda",
    "Vasquez",
    "Whitfield",
];

/// What is said on voicemails.
pub(super) const VOICEMAILS: [&str; 5] = [
    "Hello, this is about my appointment on {day}. Please call me back when you can.",
    "Hi, I think I left my umbrella in the waiting room. It is green.",
    "The pharmacy says the {medicine} has not arrived. Could you look into it? Thank you.",
    "I would like to talk to somebody about my results before {day}.",
    "Good morning, just confirming {day} at {time}. No need to call back.",
];

/// What teammates talk about among themselves: a title, who, and the lines with their authors.
pub(super) struct Internal {
    pub(super) title: &'static str,
    pub(super) by: &'static str,
    pub(super) members: &'static [&'static str],
    pub(super) lines: &'static [(&'static str, &'static str)],
}

pub(super) const INTERNALS: [Internal; 2] = [
    Internal {
        title: "Flu shot Saturday",
        by: "hana",
        members: &["organization"],
        lines: &[
            ("hana", "We open Saturday for flu shots, 9 to 1. Who can come?"),
            ("ben", "I can do the desk."),
            ("kofi", "I will bring the cooler and two hundred doses."),
            ("ada", "Put me down for the first half."),
        ],
    },
    Internal {
        title: "Night cover this week",
        by: "ada",
        members: &["team:care"],
        lines: &[
            ("ada", "June has the phone until Wednesday, then Eli."),
            ("june", "Fine with me. The charger is in room 3."),
        ],
    },
];
