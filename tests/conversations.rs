//! What happens to conversations, as those who share them see it.

use futures::future::join_all;
use rotunda::limits::Limits;
use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, OnUnseen};
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::item::Content;
use rotunda_protocol::push::Push;
use rotunda_protocol::refusal::Refusal;

use crate::support::TestNode;
use crate::support::client::is_about;
use crate::support::practice::{BENS, DESK, MAIN, id};

#[tokio::test]
async fn e11_of_fifty_who_claim_at_once_one_wins() {
    let node = TestNode::start_with(Limits::default(), &[], 50).await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let names: Vec<_> = (0..50).map(|n| format!("t{n}")).collect();
    let mut clients = join_all(names.iter().map(|name| node.session(name))).await;
    let claim = || Command::Claim { conversation: conversation.clone(), expect_rev: None };
    let results = join_all(clients.iter_mut().map(|client| client.call(claim()))).await;
    let winners: Vec<_> = (0..50).filter(|n| results[*n].is_ok()).collect();
    let [winner] = winners[..] else { panic!("{} winners", winners.len()) };
    for (n, result) in results.iter().enumerate().filter(|(n, _)| *n != winner) {
        let Err(Refusal::AlreadyAssigned { to, .. }) = result else { panic!("t{n}: {result:?}") };
        assert_eq!(to.to_string(), format!("teammate:t{winner}"));
    }
    // Everybody is told of one claim, and of no other.
    for client in &mut clients {
        let pushed = client.pushed_until_now().await;
        let claims = pushed.iter().filter(|push| is_about(push, &conversation)).count();
        assert_eq!(claims, 1);
    }
}

#[tokio::test]
async fn r6_assigning_moves_it_between_mailboxes_in_one_push() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let (mut ada, mut ben) = (node.session("ada").await, node.session("ben").await);
    let to = id("teammate:ben");
    let assign = Command::Assign { conversation: conversation.clone(), to, grant: false, expect_rev: None };
    ada.call(assign).await.unwrap();
    for client in [&mut ada, &mut ben] {
        let push = client.push(|push| is_about(push, &conversation)).await;
        let Push::Conversation { conversation: row, was: Some(was), .. } = push else { panic!("{push:?}") };
        assert_eq!(was.mailbox.to_string(), "shared");
        assert_eq!(row.mailbox.to_string(), "teammate:ben");
        assert!(client.list("shared").await.is_empty());
        assert_eq!(client.list("teammate:ben").await.len(), 1);
    }
}

#[tokio::test]
async fn r9_archiving_clears_the_assignee_and_reopening_goes_by_the_endpoint() {
    let node = TestNode::start().await;
    let mut ben = node.session("ben").await;
    // From everybody's number it comes back to the shared mailbox, from ben's own to ben, from the link to the team.
    let cases = [
        (MAIN, "+14155550999", "shared"),
        (BENS, "+14155550999", "teammate:ben"),
        (DESK, "pat", "team:desk"),
    ];
    for (endpoint, from, home) in cases {
        let conversation = node.receive(endpoint, from, "one").await;
        let claim = Command::Assign {
            conversation: conversation.clone(),
            to: id("teammate:ben"),
            grant: false,
            expect_rev: None,
        };
        ben.call(claim).await.unwrap();
        let archive =
            Command::Archive { conversation: conversation.clone(), seen: 1, force: false, expect_rev: None };
        ben.call(archive).await.unwrap();
        let archived = |push: &Push| {
            is_about(push, &conversation)
                && matches!(push, Push::Conversation { happened, .. } if happened.contains(&Happening::Archived))
        };
        let push = ben.push(archived).await;
        let Push::Conversation { conversation: row, was: Some(was), .. } = push else { panic!("{push:?}") };
        assert_eq!((row.assignee, row.mailbox.to_string().as_str()), (None, "none"));
        assert_eq!(was.assignee, Some(id("teammate:ben")));
        assert_eq!(ben.list("none").await.len(), 1);

        assert_eq!(node.receive(endpoint, from, "two").await, conversation, "C16: the same conversation");
        let reopened = |push: &Push| {
            is_about(push, &conversation)
                && matches!(push, Push::Conversation { happened, .. } if happened.contains(&Happening::Reopened { cause: Cause::Inbound }))
        };
        let push = ben.push(reopened).await;
        let Push::Conversation { conversation: row, .. } = push else { panic!("{push:?}") };
        assert_eq!(row.mailbox.to_string(), home, "R12");
        assert!(ben.list("none").await.is_empty());
    }
}

#[tokio::test]
async fn e9_what_was_missed_holds_a_message_back_and_is_shown() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "one").await;
    let mut ben = node.session("ben").await;
    let Ok(Told::Opened { items, .. }) =
        ben.ask(Ask::Open { conversation: conversation.clone(), limit: 10 }).await
    else {
        panic!("not opened")
    };
    assert_eq!(items.len(), 1);
    node.receive(MAIN, "+14155550999", "two").await;
    let send = |on_unseen| Command::Send {
        conversation: conversation.clone(),
        body: "answer".into(),
        seen: 1,
        on_unseen,
        stay_archived: false,
    };
    let Err(Refusal::UnseenActivity { missed }) = ben.call(send(OnUnseen::Hold)).await else {
        panic!("not held")
    };
    let [item] = &missed[..] else { panic!("{missed:?}") };
    assert!(matches!(&item.content, Content::Message { body, .. } if body == "two"));
    let Ok(Done::Conversation { item: Some(3), .. }) = ben.call(send(OnUnseen::Send)).await else {
        panic!("not sent")
    };
    // Items reach those who have it open.
    ben.push(|push| matches!(push, Push::Item { item } if item.number == 3)).await;
    let Ok(Told::History { items }) = ben.ask(Ask::History { conversation, before: 3, limit: 10 }).await
    else {
        panic!("no history")
    };
    assert_eq!(items.iter().map(|item| item.number).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn bodies_reach_only_sessions_that_have_the_conversation_open() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "one").await;
    let (mut reader, mut other) = (node.session("ben").await, node.session("ben").await);
    reader.ask(Ask::Open { conversation: conversation.clone(), limit: 10 }).await.unwrap();
    node.receive(MAIN, "+14155550999", "two").await;
    reader.push(|push| matches!(push, Push::Item { item } if item.number == 2)).await;
    let told = other.pushed_until_now().await;
    assert!(told.iter().any(|push| is_about(push, &conversation)));
    assert!(told.iter().all(|push| !matches!(push, Push::Item { .. })), "{told:?}");
}

#[tokio::test]
async fn a_ref_is_done_once_on_every_way_in() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "one").await;
    let mut ben = node.session("ben").await;
    let note = |body: &str| Command::PostNote { conversation: conversation.clone(), body: body.into() };
    let first = ben.call_as("same", note("a")).await.unwrap();
    assert_eq!(ben.call_as("same", note("a")).await, Ok(first.clone()));
    assert_eq!(ben.call_as("same", note("b")).await, Err(Refusal::RefReused));
    // From another session of the same teammate, in the other codec, after the first has gone.
    drop(ben);
    let (mut again, _) = node.session_in("ben", Codec::Json, None).await;
    assert_eq!(again.call_as("same", note("a")).await, Ok(first));
    assert_eq!(again.list("shared").await[0].conversation.items, 2);
    // Another teammate's `ref` is another.
    let mut cyd = node.session("cyd").await;
    assert!(cyd.call_as("same", note("c")).await.is_ok());
}

#[tokio::test]
async fn r71_marks_reach_all_of_ones_own_sessions_and_nobody_elses() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "one").await;
    let (mut web, mut phone, mut cyd) =
        (node.session("ben").await, node.session("ben").await, node.session("cyd").await);
    web.call(Command::MarkRead { conversation: conversation.clone(), number: 1 }).await.unwrap();
    web.call(Command::SetStar { conversation: conversation.clone(), starred: true }).await.unwrap();
    for client in [&mut web, &mut phone] {
        let push = client.push(|push| matches!(push, Push::Mark(mark) if mark.mark.starred)).await;
        assert!(matches!(push, Push::Mark(mark) if mark.mark.read == 1));
    }
    assert!(cyd.pushed_until_now().await.iter().all(|push| !matches!(push, Push::Mark(_))));
    assert_eq!(cyd.list("shared").await[0].mark.read, 0);
    assert!(web.list("shared").await[0].mark.starred);
}

#[tokio::test]
async fn b34_counts_are_what_lists_hold() {
    let node = TestNode::start().await;
    for n in 0..30 {
        node.receive([MAIN, BENS, DESK][n % 3], &format!("+141555502{n:02}"), "hello").await;
    }
    let mailboxes = ["shared", "teammate:ben", "team:desk", "internal"];
    for teammate in ["ada", "ben", "cyd", "dee"] {
        let mut client = node.session(teammate).await;
        let ask = Ask::Counts { mailboxes: mailboxes.map(id).to_vec() };
        let Ok(Told::Counts { counts }) = client.ask(ask).await else { panic!("not counted") };
        for count in counts {
            let listed = client.list(&count.mailbox.to_string()).await.len() as u64;
            assert_eq!(count.conversations, listed, "{teammate} {}", count.mailbox);
        }
    }
}
