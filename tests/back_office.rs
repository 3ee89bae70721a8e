//! The back office's door, over real HTTP: setting up, delivering, commanding, asking, Twilio, and what operators read.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use futures::future::join_all;
use hyper::{Method, StatusCode};
use rotunda::limits::Limits;
use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::item::{Content, Direction, Item};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::push::Push;
use serde_json::{Value, json};

use crate::support::client::is_about;
use crate::support::http::{self, Response};
use crate::support::node::SERVICE_SECRET;
use crate::support::practice::{BENS, DESK, MAIN, ORGANIZATION, bayview, id};
use crate::support::{Node, TestNode};

const PATIENT: &str = "+14155550999";

fn new() -> Value {
    serde_json::to_value(bayview(0)).unwrap()
}

fn path(rest: &str) -> String {
    format!("/v1/organizations/{ORGANIZATION}{rest}")
}

fn message(to: &str, from: &str, body: &str) -> Value {
    json!({"to": to, "from": from, "content": {"kind": "message", "direction": "in", "body": body}})
}

/// Every failure is a problem object that says what to do.
fn problem(response: &Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status, status, "{}", response.body);
    assert_eq!(response.headers["content-type"], "application/problem+json");
    assert_eq!(response.headers["cache-control"], "no-store");
    let problem = response.json();
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
    for said in ["title", "detail"] {
        assert!(problem[said].as_str().is_some_and(|text| text.len() > 10), "{problem}");
    }
    problem
}

impl Node {
    async fn put(&self, organization: &str, new: &Value, key: Option<&str>) -> Response {
        let key: Vec<_> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
        self.service(Method::PUT, &format!("/v1/organizations/{organization}"), new.clone(), &key).await
    }

    async fn deliver(&self, key: &str, inbound: &Value) -> Response {
        self.service(Method::POST, &path("/inbound"), inbound.clone(), &[("Idempotency-Key", key)]).await
    }

    /// What was delivered, which must have been taken.
    async fn delivered(&self, key: &str, inbound: &Value) -> (ConversationId, u32) {
        let response = self.deliver(key, inbound).await;
        let Ok(Done::Conversation { conversation, item: Some(item), .. }) =
            serde_json::from_str(&response.body)
        else {
            panic!("{response:?}")
        };
        (conversation, item)
    }

    async fn row(&self, conversation: &ConversationId) -> Conversation {
        let row = self.read(&format!("/conversations/{conversation}")).await;
        serde_json::from_value(row.json()).unwrap()
    }

    async fn items(&self, conversation: &ConversationId) -> Vec<Item> {
        let items = self.read(&format!("/conversations/{conversation}/items")).await;
        serde_json::from_value(items.json()["items"].clone()).unwrap()
    }

    async fn events(&self) -> Vec<Value> {
        let events = self.read("/events?limit=1000").await.json();
        events["events"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn setting_up_twice_happens_once_and_other_content_is_a_conflict() {
    let node = TestNode::start().await;
    let once = node.events().await;
    for key in [None, None] {
        let again = node.put(ORGANIZATION, &new(), key).await;
        assert_eq!((again.status, again.json()), (StatusCode::OK, json!({"done": "organization"})));
        assert_eq!(again.headers["cache-control"], "no-store");
    }
    let mut other = new();
    other["name"] = json!("Bayview West");
    problem(&node.put(ORGANIZATION, &other, None).await, 409, "already_exists");
    assert_eq!(node.events().await, once);

    // With a key of one's own the key decides.
    assert_eq!(node.put("harbor", &new(), Some("set-up-1")).await.status, 200);
    assert_eq!(node.put("harbor", &new(), Some("set-up-1")).await.status, 200);
    problem(&node.put("harbor", &other, Some("set-up-1")).await, 422, "ref_reused");
    problem(&node.put("harbor", &new(), Some("set-up-2")).await, 409, "already_exists");

    let directory = node.service(Method::GET, "/v1/organizations/harbor", json!(null), &[]).await.json();
    assert_eq!(directory["organization"]["name"], "Bayview");
    assert_eq!(directory["teammates"].as_array().unwrap().len(), 5);
    assert_eq!(directory["teammates"][0]["role"], "admin");
    assert_eq!(directory["teams"][0]["members"], json!(["ben", "cyd"]));
    assert_eq!(directory["endpoints"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_set_up_that_cannot_be_is_refused_whole_and_says_why() {
    let node = TestNode::start().await;
    let changes: [(&str, Value, &str); 9] = [
        ("/name", json!(" "), "name"),
        ("/kind", json!("huge"), "huge"),
        ("/teammates/0/id", json!("a b"), "body"),
        ("/teammates/1/role", json!("boss"), "boss"),
        ("/teams/0/members/0", json!("nobody"), "nobody"),
        ("/endpoints/0/address", json!("555"), "address"),
        ("/endpoints/0/owner", json!("team:none"), "team:none"),
        ("/endpoints/0/auto_assign", json!(true), "auto_assign"),
        ("/endpoints", json!({}), "body"),
    ];
    for (place, value, said) in changes {
        let mut bad = new();
        *bad.pointer_mut(place).unwrap() = value;
        let problem = problem(&node.put("harbor", &bad, None).await, 422, "invalid");
        assert!(problem["title"].as_str().unwrap().contains(said), "{place}: {problem}");
        assert_eq!(problem["refusal"]["code"], "invalid");
    }
    let mut twice = new();
    twice["teammates"][1]["id"] = json!("ada");
    problem(&node.put("harbor", &twice, None).await, 409, "already_exists");
    // Nothing of it happened.
    let harbor = node.service(Method::GET, "/v1/organizations/harbor", json!(null), &[]).await;
    problem(&harbor, 404, "not_found");
}

#[tokio::test]
async fn what_comes_in_becomes_an_item_of_its_kind_once_for_each_key() {
    let node = TestNode::start().await;
    let mut ben = node.session("ben").await;
    let content =
        |content: Value| json!({"to": MAIN, "from": PATIENT, "name": "Sam Osei", "content": content});
    let kinds = [
        content(json!({"kind": "message", "direction": "in", "body": "", "media": ["https://m.example/1"]})),
        content(json!({"kind": "call", "direction": "in", "outcome": "no-answer", "seconds": 0})),
        content(
            json!({"kind": "voicemail", "seconds": 9, "recording": "https://r.example/1", "transcript": "Hi"}),
        ),
        content(json!({"kind": "call", "direction": "out", "outcome": "completed", "seconds": 61})),
    ];
    let mut places = Vec::new();
    for (n, inbound) in kinds.iter().enumerate() {
        let key = format!("key-{n}");
        let first = node.delivered(&key, inbound).await;
        assert_eq!(node.delivered(&key, inbound).await, first, "the same key, the same result");
        let other = json!({"to": MAIN, "from": PATIENT, "content": kinds[(n + 1) % 4]["content"]});
        problem(&node.deliver(&key, &other).await, 422, "ref_reused");
        places.push(first);
    }
    let conversation = places[0].0.clone();
    assert_eq!(places, (1..=4).map(|n| (conversation.clone(), n)).collect::<Vec<_>>());
    let row = node.row(&conversation).await;
    assert_eq!((row.items, row.inbound), (4, 3), "a call that somebody made is not from outside");
    assert_eq!(row.contact.unwrap().name, "Sam Osei");

    let items = node.items(&conversation).await;
    for (item, inbound) in items.iter().zip(&kinds) {
        assert_eq!(item.content, serde_json::from_value(inbound["content"].clone()).unwrap());
    }
    let by: Vec<_> = items.into_iter().map(|item| item.by).collect();
    let service = Actor::Service("test".into());
    assert_eq!(by, [Actor::Contact, Actor::Contact, Actor::Contact, service]);
    // Ben was told of each once.
    let told = ben.pushed_until_now().await;
    assert_eq!(told.iter().filter(|push| is_about(push, &conversation)).count(), 4);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_refused_and_says_why() {
    let node = TestNode::start().await;
    let before = node.events().await.len();
    let inbound = message(MAIN, PATIENT, "hello");
    let missing = node.service(Method::POST, &path("/inbound"), inbound.clone(), &[]).await;
    let missing = problem(&missing, 400, "bad_request");
    assert!(missing["title"].as_str().unwrap().contains("Idempotency-Key"));
    problem(&node.deliver(&"k".repeat(65), &inbound).await, 400, "bad_request");
    for nobodys in ["+14155550177", "no-such-link"] {
        problem(&node.deliver("k1", &message(nobodys, PATIENT, "hello")).await, 404, "not_found");
    }
    let mut noted = inbound.clone();
    noted["content"] = json!({"kind": "note", "body": "x"});
    let mut sent = inbound.clone();
    sent["content"]["direction"] = json!("out");
    let mut call = message(DESK, "pat", "");
    call["content"] = json!({"kind": "call", "direction": "in", "outcome": "busy", "seconds": 1});
    let mut media = inbound.clone();
    media["content"]["media"] = json!(vec!["https://m.example"; 11]);
    for bad in [
        message(MAIN, PATIENT, ""),
        message(MAIN, "not a number", "hello"),
        message(MAIN, PATIENT, &"x".repeat(16_385)),
        noted,
        sent,
        call,
        media,
        json!({"to": MAIN}),
    ] {
        problem(&node.deliver("k1", &bad).await, 422, "invalid");
    }
    let unknown = "/v1/organizations/nowhere/inbound";
    let unknown = node.service(Method::POST, unknown, inbound.clone(), &[("Idempotency-Key", "k1")]).await;
    problem(&unknown, 404, "not_found");
    assert_eq!(node.events().await.len(), before);
    // A refused key is free for what is right.
    node.delivered("k1", &inbound).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r65_a_new_contact_who_writes_to_two_endpoints_at_once_is_one_contact() {
    let node = TestNode::start().await;
    for n in 0..20 {
        let from = format!("+141555502{n:02}");
        let keys = [format!("{n}-main"), format!("{n}-bens")];
        let (main, bens) = (message(MAIN, &from, "hello"), message(BENS, &from, "hello"));
        let (main, bens) = tokio::join!(node.delivered(&keys[0], &main), node.delivered(&keys[1], &bens));
        assert_ne!(main.0, bens.0, "C16: a conversation for each endpoint");
        let (main, bens) = (node.row(&main.0).await, node.row(&bens.0).await);
        assert_eq!(main.contact.unwrap().id, bens.contact.unwrap().id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_delivery_many_times_at_once_is_one_item() {
    let node = TestNode::start().await;
    let inbound = message(MAIN, PATIENT, "hello");
    let all = join_all((0..20).map(|_| node.delivered("once", &inbound))).await;
    assert!(all.iter().all(|place| *place == all[0]), "{all:?}");
    assert_eq!(node.items(&all[0].0).await.len(), 1);
}

#[tokio::test]
async fn e12_an_automation_does_not_override_a_human() {
    let node = TestNode::start().await;
    let (conversation, _) = node.delivered("k1", &message(MAIN, PATIENT, "hello")).await;
    let mut ben = node.session("ben").await;
    let assign = |to: &str| Command::Assign {
        conversation: conversation.clone(),
        to: id(to),
        grant: false,
        expect_rev: None,
    };
    let done = |response: Response| serde_json::from_value::<Done>(response.json()).unwrap();
    // Nobody holds it: the automation may say who does, and its own name is in the log.
    assert!(matches!(done(node.command("a1", &assign("teammate:cyd")).await), Done::Conversation { .. }));
    let push = ben.push(|push| is_about(push, &conversation)).await;
    let Push::Conversation { by, .. } = push else { panic!("{push:?}") };
    assert_eq!(by, Actor::Service("test".into()));
    // A human decides otherwise, and that stays.
    ben.call(assign("teammate:ben")).await.unwrap();
    for (r#ref, to) in [("a2", "teammate:cyd"), ("a3", "nobody")] {
        assert_eq!(done(node.command(r#ref, &assign(to)).await), Done::Unchanged);
    }
    // Neither does it touch a row that has changed since it looked.
    ben.call(assign("nobody")).await.unwrap();
    let stale = Command::Assign {
        conversation: conversation.clone(),
        to: id("teammate:cyd"),
        grant: false,
        expect_rev: Some(1),
    };
    assert_eq!(done(node.command("a4", &stale).await), Done::Unchanged);
    assert_eq!(node.row(&conversation).await.assignee, None);
}

#[tokio::test]
async fn a_service_does_what_is_for_services_and_nothing_that_only_people_do() {
    let node = TestNode::start().await;
    let (conversation, _) = node.delivered("k1", &message(MAIN, PATIENT, "hello")).await;
    let tag = Command::AddTag { conversation: conversation.clone(), tag: "refill".into() };
    for _ in 0..2 {
        assert_eq!(node.command("c1", &tag).await.status, 200);
    }
    let noted = Command::PostNote { conversation: conversation.clone(), body: "x".into() };
    problem(&node.command("c1", &noted).await, 422, "ref_reused");
    let row = node.row(&conversation).await;
    assert_eq!((row.tags, row.rev), (vec!["refill".to_owned()], 2));

    let claim = Command::Claim { conversation: conversation.clone(), expect_rev: None };
    let star = Command::SetStar { conversation: conversation.clone(), starred: true };
    for personal in [claim, star] {
        problem(&node.command("c2", &personal).await, 403, "forbidden");
    }
    let elsewhere = Command::PostNote { conversation: id("nowhere"), body: "x".into() };
    problem(&node.command("c3", &elsewhere).await, 404, "not_found");
    for r#ref in ["", &"r".repeat(65)] {
        problem(&node.command(r#ref, &noted).await, 422, "invalid");
    }
    let dance = json!({"ref": "c4", "command": {"do": "dance"}});
    problem(&node.service(Method::POST, &path("/commands"), dance, &[]).await, 422, "invalid");
    // Nobody can be impersonated: there is no such field, and it does nothing.
    let forged = json!({"ref": "c5", "as": "ada", "by": "teammate:ada",
        "command": {"do": "note.post", "conversation": conversation, "body": "x"}});
    assert_eq!(node.service(Method::POST, &path("/commands"), forged, &[]).await.status, 200);
    assert_eq!(node.items(&conversation).await[1].by, Actor::Service("test".into()));
}

#[tokio::test]
async fn a_question_as_a_teammate_is_answered_as_on_their_socket() {
    let node = TestNode::start().await;
    let mut conversations = Vec::new();
    for (n, to) in [MAIN, BENS, DESK].into_iter().enumerate() {
        conversations.push(node.receive(to, &format!("+1415555030{n}"), "hello").await);
    }
    let mailboxes = ["shared", "teammate:ben", "team:desk"].map(id).to_vec();
    let mut asks = vec![Ask::Counts { mailboxes: mailboxes.clone() }];
    asks.extend(mailboxes.into_iter().map(|mailbox| Ask::List {
        mailbox,
        endpoint: None,
        after: None,
        limit: 2,
    }));
    for conversation in &conversations {
        let (one, other) = (conversation.clone(), conversation.clone());
        asks.extend([
            Ask::History { conversation: one, before: 9, limit: 5 },
            Ask::Access { conversation: other },
        ]);
    }
    for teammate in ["ada", "ben", "dee"] {
        let mut client = node.session(teammate).await;
        for ask in &asks {
            let body = json!({"as": teammate, "ask": ask});
            let over_http = node.service(Method::POST, &path("/asks"), body, &[]).await;
            match client.ask(ask.clone()).await {
                Ok(told) => assert_eq!(serde_json::from_str::<Told>(&over_http.body).unwrap(), told),
                Err(refusal) => {
                    let code = refusal.code();
                    problem(&over_http, 404, code);
                }
            }
        }
    }
    for (teammate, ask, status, code) in [
        ("nobody", json!({"ask": "counts", "mailboxes": []}), 404, "not_found"),
        ("ada", json!({"ask": "list", "mailbox": "shared", "limit": 201}), 422, "invalid"),
        ("ada", json!({"ask": "counts", "mailboxes": ["none"]}), 422, "invalid"),
        ("ada", json!({"ask": "why"}), 422, "invalid"),
    ] {
        let body = json!({"as": teammate, "ask": ask});
        problem(&node.service(Method::POST, &path("/asks"), body, &[]).await, status, code);
    }
}

#[tokio::test]
async fn the_log_and_the_items_are_read_page_by_page() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, PATIENT, "1").await;
    for n in 2..=7 {
        node.receive(MAIN, PATIENT, &n.to_string()).await;
    }
    let (mut after, mut seqs) = (0, Vec::new());
    loop {
        let page = node.read(&format!("/events?after={after}&limit=3")).await.json();
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 3);
        seqs.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        after = page["next"].as_u64().unwrap();
        if events.is_empty() {
            break;
        }
    }
    assert_eq!(seqs, (1..=8).collect::<Vec<_>>(), "the set-up and seven deliveries");

    let (mut before, mut numbers) = (String::new(), Vec::new());
    loop {
        let page = node.read(&format!("/conversations/{conversation}/items?limit=3{before}")).await.json();
        let page_of: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|item| item["number"].clone()).collect();
        numbers.splice(0..0, page_of);
        let Some(next) = page["next"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(numbers, (1..=7).map(|n| json!(n)).collect::<Vec<_>>());

    for bad in
        ["/events?limit=0", "/events?limit=1001", &format!("/conversations/{conversation}/items?limit=201")]
    {
        problem(&node.read(bad).await, 422, "invalid");
    }
    problem(&node.read("/events?after=first").await, 400, "bad_request");
    problem(&node.read("/conversations/nowhere").await, 404, "not_found");
    problem(&node.read("/conversations/nowhere/items").await, 404, "not_found");
    problem(&node.read("/conversations/no%20id").await, 400, "bad_request");
    // What is archived is read like the rest.
    let archive =
        Command::Archive { conversation: conversation.clone(), seen: 7, force: false, expect_rev: None };
    assert_eq!(node.command("archive", &archive).await.status, 200);
    assert_eq!(node.row(&conversation).await.mailbox.to_string(), "none");
    assert_eq!(node.items(&conversation).await.len(), 7);
}

/// What a request to every kind of address looks like that is answered only to services.
const GUARDED: [(Method, &str); 8] = [
    (Method::PUT, ""),
    (Method::GET, ""),
    (Method::GET, "/events"),
    (Method::POST, "/inbound"),
    (Method::POST, "/commands"),
    (Method::POST, "/asks"),
    (Method::GET, "/conversations/x"),
    (Method::GET, "/conversations/x/items"),
];

#[tokio::test]
async fn whatever_is_wrong_with_a_secret_the_answer_is_the_same() {
    let node = TestNode::start().await;
    let right = format!("Bearer {SERVICE_SECRET}");
    let (short, long) = (&right[..right.len() - 1], format!("{right}x"));
    let named = format!("Bearer test:{SERVICE_SECRET}");
    let basic = format!("Basic {SERVICE_SECRET}");
    let shouted = format!("Bearer {}", SERVICE_SECRET.to_uppercase());
    let wrong =
        ["", "Bearer", "Bearer ", "Bearer test", short, &long, &named, &basic, &shouted, SERVICE_SECRET];
    let mut answers = BTreeSet::new();
    for (method, rest) in GUARDED {
        for organization in [ORGANIZATION, "nowhere"] {
            let to = format!("/v1/organizations/{organization}{rest}");
            let without = http::request(node.address, method.clone(), &to, &[], "{").await;
            problem(&without, 401, "unauthorized");
            answers.insert(without.body);
            for secret in wrong {
                let headers = [("Authorization", secret)];
                let response = http::request(node.address, method.clone(), &to, &headers, "{").await;
                problem(&response, 401, "unauthorized");
                assert_eq!(response.headers["www-authenticate"], "Bearer");
                answers.insert(response.body);
            }
        }
    }
    assert_eq!(answers.len(), 1, "no hint: {answers:?}");
}

#[tokio::test]
async fn what_no_address_takes_is_answered_with_its_status() {
    let node = TestNode::start().await;
    let authorization = format!("Bearer {SERVICE_SECRET}");
    let raw = async |method, to: &str, more: &[(&'static str, &'static str)], body: String| {
        let headers: Vec<_> =
            [("Authorization", authorization.as_str())].into_iter().chain(more.iter().copied()).collect();
        http::request(node.address, method, to, &headers, body).await
    };
    let commands = path("/commands");
    for nowhere in ["/", "/v1", "/v2/organizations/x", "/v1/organizations", "/v1/organizations/a/b/c/d"] {
        problem(&raw(Method::GET, nowhere, &[], String::new()).await, 404, "no_route");
    }
    for (method, to) in [
        (Method::GET, commands.as_str()),
        (Method::DELETE, &path("")),
        (Method::POST, "/healthz"),
        (Method::PUT, "/openapi.json"),
    ] {
        let response = raw(method, to, &[], String::new()).await;
        problem(&response, 405, "no_method");
        assert!(response.headers.contains_key("allow"));
    }
    let large = " ".repeat(1024 * 1024 + 1);
    problem(&raw(Method::POST, &commands, &[], large).await, 413, "too_large");
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/msgpack"] {
        let response = raw(Method::POST, &commands, &[("Content-Type", other)], "{}".into()).await;
        problem(&response, 415, "other_content_type");
    }
    for (body, status, code) in
        [("", 400, "bad_request"), ("{", 400, "bad_request"), ("{}", 422, "invalid"), ("[]", 422, "invalid")]
    {
        let json = [("Content-Type", "application/json; charset=utf-8")];
        problem(&raw(Method::POST, &commands, &json, body.into()).await, status, code);
        problem(&raw(Method::POST, &commands, &[], body.into()).await, status, code);
    }
}

const TWILIO_TOKEN: &str = "f00dfacef00dfacef00dfacef00dface";
const PUBLIC_URL: &str = "https://hub.example.org";

/// Signs as Twilio does: the URL, then each field's name and value in the order of the names.
fn signature(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let text = sorted.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

fn encoded(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

impl Node {
    async fn twilio(&self, token: &str, rest: &str, form: &[(&str, &str)]) -> Response {
        let to = path(&format!("/twilio/{rest}"));
        let signature = signature(token, &format!("{PUBLIC_URL}{to}"), form);
        self.signed(&signature, &to, form).await
    }

    async fn signed(&self, signature: &str, to: &str, form: &[(&str, &str)]) -> Response {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", signature)];
        http::request(self.address, Method::POST, to, &headers, encoded(form)).await
    }
}

async fn with_twilio() -> TestNode {
    let more = [
        "--public-url",
        PUBLIC_URL,
        "--twilio-auth-token",
        "the-token-before-it-was-changed",
        "--twilio-auth-token",
        TWILIO_TOKEN,
        "--twilio-auth-token",
        "harbor:the-token-of-another-account",
    ];
    TestNode::start_with(Limits::default(), &more, 0).await
}

fn taken(response: &Response) {
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.headers["content-type"], "text/xml; charset=utf-8");
    assert_eq!(response.headers["cache-control"], "no-store");
    assert!(response.body.ends_with("<Response/>"), "{}", response.body);
}

const SMS: [(&str, &str); 6] = [
    ("MessageSid", "SM00000000000000000000000000000001"),
    ("AccountSid", "AC0"),
    ("From", PATIENT),
    ("To", BENS),
    ("Body", "Can I come at ten & a half? ¿Sí?"),
    ("NumMedia", "0"),
];

#[tokio::test]
async fn a_text_message_from_twilio_is_at_the_right_session_at_once_and_a_repeat_does_nothing() {
    let node = with_twilio().await;
    let (mut ben, mut dee) = (node.session("ben").await, node.session("dee").await);
    taken(&node.twilio(TWILIO_TOKEN, "sms", &SMS).await);
    let push = ben.push(|push| matches!(push, Push::Conversation { .. })).await;
    let Push::Conversation { conversation: row, .. } = push else { panic!("{push:?}") };
    assert_eq!(row.endpoint, Some(id("bens")));
    assert_eq!(row.contact.unwrap().address, PATIENT);
    let Content::Message { direction: Direction::In, body, .. } = &node.items(&row.id).await[0].content
    else {
        panic!("no message")
    };
    assert_eq!(body, SMS[4].1);

    // Twilio repeats what it got no answer to: with the same token or, while tokens change, with the other.
    taken(&node.twilio(TWILIO_TOKEN, "sms", &SMS).await);
    taken(&node.twilio("the-token-before-it-was-changed", "sms", &SMS).await);
    let news = |pushes: &[Push]| pushes.iter().filter(|push| is_about(push, &row.id)).count();
    assert_eq!(news(&ben.pushed_until_now().await), 0);
    assert_eq!(news(&dee.pushed_until_now().await), 0, "it is ben's number");
    assert_eq!(node.items(&row.id).await.len(), 1);
}

#[tokio::test]
async fn what_twilio_did_not_sign_is_forbidden_and_nothing_happens() {
    let node = with_twilio().await;
    let before = node.events().await.len();
    let to = path("/twilio/sms");
    let url = format!("{PUBLIC_URL}{to}");
    let mut changed = SMS;
    changed[4].1 = "something else";
    for signature in [
        "",
        "AAAA",
        &signature("another-token", &url, &SMS),
        &signature(TWILIO_TOKEN, &format!("{url}?x=1"), &SMS),
        &signature(TWILIO_TOKEN, &url, &changed),
        // Another organization's account cannot speak for this one.
        &signature("the-token-of-another-account", &url, &SMS),
    ] {
        problem(&node.signed(signature, &to, &SMS).await, 403, "forbidden");
    }
    let unsigned = http::request(node.address, Method::POST, &to, &[], encoded(&SMS)).await;
    problem(&unsigned, 403, "forbidden");
    // A service's secret is no signature, and JSON is no form.
    let headers = format!("Bearer {SERVICE_SECRET}");
    let headers = [("Authorization", headers.as_str())];
    problem(&http::request(node.address, Method::POST, &to, &headers, encoded(&SMS)).await, 403, "forbidden");
    problem(&node.service(Method::POST, &to, json!({}), &[]).await, 415, "other_content_type");
    assert_eq!(node.events().await.len(), before);

    let mut unknown = SMS;
    unknown[3].1 = "+14155550177";
    problem(&node.twilio(TWILIO_TOKEN, "sms", &unknown).await, 404, "not_found");
    let missing = problem(&node.twilio(TWILIO_TOKEN, "sms", &SMS[..3]).await, 400, "bad_request");
    assert!(missing["title"].as_str().unwrap().contains("To"));

    let without = TestNode::start().await;
    problem(&without.twilio(TWILIO_TOKEN, "sms", &SMS).await, 501, "not_configured");
}

#[tokio::test]
async fn calls_and_voicemails_from_twilio_become_items() {
    let node = with_twilio().await;
    let mut ben = node.session("ben").await;
    let call = |status| {
        [
            ("CallSid", "CA1"),
            ("From", PATIENT),
            ("To", BENS),
            ("Direction", "inbound"),
            ("CallStatus", status),
            ("CallDuration", "31"),
            ("CallerName", "Sam Osei"),
        ]
    };
    for status in ["ringing", "in-progress", "completed", "completed"] {
        taken(&node.twilio(TWILIO_TOKEN, "voice", &call(status)).await);
    }
    let recording = [
        ("RecordingSid", "RE1"),
        ("RecordingStatus", "completed"),
        ("RecordingDuration", "12"),
        ("RecordingUrl", "https://api.example/RE1"),
    ];
    // Twilio does not say whose recording it is: the callback's address does.
    let sides = format!("recording?{}", encoded(&[("From", PATIENT), ("To", BENS)]));
    for _ in 0..2 {
        taken(&node.twilio(TWILIO_TOKEN, &sides, &recording).await);
    }
    let push = ben.push(|push| matches!(push, Push::Conversation { .. })).await;
    let Push::Conversation { conversation: row, .. } = push else { panic!("{push:?}") };
    assert_eq!(row.contact.unwrap().name, "Sam Osei");
    let content: Vec<_> = node.items(&row.id).await.into_iter().map(|item| item.content).collect();
    let called = Content::Call { direction: Direction::In, outcome: "completed".into(), seconds: 31 };
    let left = Content::Voicemail {
        seconds: 12,
        recording: Some("https://api.example/RE1".into()),
        transcript: None,
    };
    assert_eq!(content, [called, left]);
}

#[tokio::test]
async fn the_description_lists_every_address_and_each_can_be_called() {
    let node = TestNode::start().await;
    let response = http::request(node.address, Method::GET, "/openapi.json", &[], "").await;
    assert_eq!(
        (response.status.as_u16(), &response.headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let document = response.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            check_operation(&document, path, operation);
            // It is there: what it says without a secret is not that there is nothing.
            let method: Method = method.to_uppercase().parse().unwrap();
            let to = path.replace("{organization}", ORGANIZATION).replace("{conversation}", "x");
            let answer = http::request(node.address, method, &to, &[], "").await;
            let expected: &[u16] =
                match operation["security"][0].as_object().map(|by| by.keys().next().unwrap().as_str()) {
                    Some("service") => &[401],
                    Some("twilio") => &[501],
                    _ => &[200],
                };
            assert!(expected.contains(&answer.status.as_u16()), "{path}: {answer:?}");
        }
    }
    assert_eq!(operations, 15);
}

/// What the format asks of an operation: path parameters that are declared, answers, and references that lead somewhere.
fn check_operation(document: &Value, path: &str, operation: &Value) {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let declared: BTreeSet<_> = parameters
        .iter()
        .filter(|parameter| parameter["in"] == "path")
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect();
    let in_path: BTreeSet<_> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(String::from)
        .collect();
    assert_eq!(declared, in_path, "{path}");
    for parameter in &parameters {
        assert!(parameter["schema"].is_object(), "{path}: {parameter}");
        assert!(parameter["in"] != "path" || parameter["required"] == true, "{path}: {parameter}");
    }
    assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{path}");
    for (status, answer) in operation["responses"].as_object().unwrap() {
        assert!(status == "default" || status.parse::<u16>().is_ok(), "{path}: {status}");
        assert!(answer["description"].is_string(), "{path}");
    }
    for by in operation["security"].as_array().into_iter().flatten() {
        for name in by.as_object().unwrap().keys() {
            assert!(document["components"]["securitySchemes"][name]["type"].is_string(), "{path}: {name}");
        }
    }
    check_references(document, operation);
}

fn check_references(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let place = reference.strip_prefix('#').expect("references stay within the document");
                assert!(document.pointer(place).is_some(), "{reference}");
            }
            fields.values().for_each(|value| check_references(document, value));
        }
        Value::Array(values) => values.iter().for_each(|value| check_references(document, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn operators_read_whether_it_lives_and_what_it_counts() {
    let node = TestNode::start().await;
    let _ben = node.session("ben").await;
    let get = async |to: &str| {
        let response = http::request(node.address, Method::GET, to, &[], "").await;
        assert_eq!(response.headers["cache-control"], "no-store", "{to}");
        assert_eq!(response.status, 200, "{to}: {}", response.body);
        response
    };
    assert_eq!(get("/healthz").await.body, "ok\n");
    assert_eq!(get("/readyz").await.body, "ready\n");
    let metrics = get("/metrics").await;
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    for line in ["rotunda_rooms 1\n", "rotunda_sessions 1\n", "rotunda_commands_done_total 1\n", "# EOF\n"] {
        assert!(metrics.body.contains(line), "{line}: {}", metrics.body);
    }
    for private in [ORGANIZATION, "ben", MAIN] {
        assert!(!metrics.body.contains(private), "{private}");
    }
}

#[tokio::test]
async fn a_node_without_its_database_is_not_ready_and_loses_nothing() {
    let node = TestNode::start().await;
    node.receive(MAIN, PATIENT, "hello").await;
    let ready = async || http::request(node.address, Method::GET, "/readyz", &[], "").await;
    let outside = node.database();
    outside.execute_batch("ALTER TABLE events RENAME TO elsewhere").unwrap();
    let gone = ready().await;
    assert_eq!((gone.status.as_u16(), gone.body.contains("database")), (503, true), "{}", gone.body);
    let refused = node.deliver("k1", &message(MAIN, PATIENT, "while it is gone")).await;
    assert_eq!(refused.headers["retry-after"], "2");
    assert_eq!(problem(&refused, 503, "unavailable")["retry"], true);
    assert_eq!(http::request(node.address, Method::GET, "/healthz", &[], "").await.status, 200);

    outside.execute_batch("ALTER TABLE elsewhere RENAME TO events").unwrap();
    outside.close().unwrap();
    assert_eq!(ready().await.status, 200);
    // The same again, with the same key.
    let (conversation, item) = node.delivered("k1", &message(MAIN, PATIENT, "while it is gone")).await;
    assert_eq!((item, node.items(&conversation).await.len()), (2, 2));
}

#[tokio::test]
async fn a_node_that_drains_says_so_until_its_last_session_has_gone() {
    let patient = Duration::from_secs(20);
    let limits =
        Limits { drain: Duration::ZERO, linger: patient, drain_flush_max: patient, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    // Until it reads, it does not go.
    let mut ben = node.session("ben").await;
    let address = node.address;
    let drained = tokio::spawn(node.running.drain());
    tokio::task::yield_now().await;
    let ready = http::request(address, Method::GET, "/readyz", &[], "").await;
    assert_eq!((ready.status.as_u16(), ready.body.contains("draining")), (503, true), "{}", ready.body);
    let upgrade = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "rotunda.v1.json"),
    ];
    let socket = http::request(address, Method::GET, "/v1/socket", &upgrade, "").await;
    assert_eq!(socket.status, 503, "no new session");
    assert_eq!(ben.closed().await, 4000);
    drop(ben);
    drained.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
