//! The log of what the team did.

use livesouk::domain::{Deed, DeedKind, SanctionKind, StreamId};

use super::chat::{message, sanction};
use super::fixture::{Fixture, facts};
use super::words::{deed, user};

facts! {
    what_is_done_is_in_the_log_with_whom_and_why
    the_log_comes_in_pages_from_either_end
    one_person_sees_what_was_done_to_them_alone
}

async fn what_is_done_is_in_the_log_with_whom_and_why(shop: Fixture) {
    let said = message(shop.stream, "ann", "rude");
    shop.store.keep_messages(std::slice::from_ref(&said)).await.unwrap();
    let why = Some("be kind".to_owned());
    let delete = Deed { reason: why.clone(), ..deed(shop.stream, DeedKind::Delete) };
    shop.store.delete_message(shop.stream, said.id, &delete).await.unwrap();
    let twice = deed(shop.stream, DeedKind::Delete);
    shop.store.delete_message(shop.stream, said.id, &twice).await.unwrap();
    let ban = Deed { user: Some(user("ann")), ..deed(shop.stream, DeedKind::Ban) };
    shop.store.sanction(shop.stream, &sanction("ann", SanctionKind::Ban, None), &ban).await.unwrap();
    let lift = async |kind| {
        let unban = Deed { user: Some(user("ann")), ..deed(shop.stream, DeedKind::Unban) };
        shop.store.lift(shop.stream, &user("ann"), kind, &unban).await.unwrap()
    };
    assert!(!lift(SanctionKind::Mute).await && lift(SanctionKind::Ban).await);
    let log = shop.store.deeds(shop.stream, None, None, 9).await.unwrap();
    let kinds: Vec<DeedKind> = log.iter().map(|deed| deed.kind).collect();
    assert_eq!(kinds, [DeedKind::Unban, DeedKind::Ban, DeedKind::Delete], "nothing that was not done");
    let expected = Deed {
        user: Some(user("ann")),
        name: Some("ANN".to_owned()),
        message: Some(said.id),
        text: Some("rude".to_owned()),
        reason: why,
        ..delete
    };
    assert_eq!(log[2], expected);
    assert_eq!(shop.store.sanctions(shop.stream, 0).await.unwrap(), []);
}

async fn the_log_comes_in_pages_from_either_end(shop: Fixture) {
    let mut ids = Vec::new();
    for n in 0..5 {
        let deed = Deed { subject: Some(n.to_string()), ..deed(shop.stream, DeedKind::Open) };
        shop.store.keep_deed(&deed).await.unwrap();
        ids.push(deed.id);
    }
    shop.store.keep_deed(&deed(StreamId::new(), DeedKind::Open)).await.unwrap();
    let named = |deeds: Vec<Deed>| deeds.into_iter().map(|deed| deed.id).collect::<Vec<_>>();
    let newest = async |after| named(shop.store.deeds(shop.stream, None, after, 2).await.unwrap());
    assert_eq!(newest(None).await, [ids[4], ids[3]]);
    assert_eq!(newest(Some(ids[1])).await, [ids[0]]);
    let oldest = async |after| named(shop.store.deeds_after(shop.stream, after, 2).await.unwrap());
    assert_eq!(oldest(None).await, [ids[0], ids[1]]);
    assert_eq!(oldest(Some(ids[3])).await, [ids[4]]);
}

async fn one_person_sees_what_was_done_to_them_alone(shop: Fixture) {
    for of in ["ann", "bob", "ann"] {
        let mute = Deed { user: Some(user(of)), ..deed(shop.stream, DeedKind::Mute) };
        shop.store.sanction(shop.stream, &sanction(of, SanctionKind::Mute, Some(9)), &mute).await.unwrap();
    }
    let of = async |who: &str| shop.store.deeds(shop.stream, Some(&user(who)), None, 9).await.unwrap().len();
    assert_eq!((of("ann").await, of("bob").await, of("cem").await), (2, 1, 0));
    // Page by page, and nothing but what concerns them: an act that only names them fills no page.
    for kind in DeedKind::ALL {
        shop.store.keep_deed(&Deed { user: Some(user("dan")), ..deed(shop.stream, *kind) }).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = shop.store.deeds(shop.stream, Some(&user("dan")), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|deed| deed.kind));
    }
    seen.reverse();
    assert_eq!(seen, DeedKind::ALL.iter().copied().filter(|kind| kind.concerns()).collect::<Vec<_>>());
}
