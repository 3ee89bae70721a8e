//! Who is shown as being where: to those who were there all along, and to those who came meanwhile.

use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::ServerFrame;
use rotunda_protocol::push::Push;

use super::member::Member;
use super::practice::{Practice, id};

/// Reads until comings and goings are told.
async fn told_here(member: &mut Member) {
    let here = |frame: &ServerFrame| matches!(frame, ServerFrame::Push { push: Push::Here { .. }, .. });
    while !member.read().await.iter().any(here) {
        member.wait().await;
    }
}

#[tokio::test]
async fn whoever_comes_during_a_short_absence_or_visit_is_shown_what_the_others_are() {
    let practice = Practice::new().await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    told_here(&mut ada).await;
    // Ben is away for a moment and dee is here for a moment; in it, cyd comes.
    ben.leave();
    let mut dee = practice.join("dee", Codec::Json).await.unwrap();
    let mut cyd = practice.join("cyd", Codec::Json).await.unwrap();
    dee.leave();
    practice.rejoin(&mut ben).await.unwrap();
    cyd.read().await;
    assert!(cyd.here.contains(&id("cyd")), "oneself is here at once");
    told_here(&mut ada).await;
    cyd.read().await;
    assert_eq!(cyd.here, std::collections::BTreeSet::from(["ada", "ben", "cyd"].map(id)));
    assert_eq!(cyd.here, ada.here);
}
