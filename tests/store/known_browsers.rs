//! Browsers known to their owners.

use std::sync::Arc;

use vantail::secret::{BrowserDigest, BrowserToken, SystemRandom};
use vantail::store::entering::Entry;
use vantail::store::passwords::NewPassword;
use vantail::store::sessions::{SessionRow, Stage};

use crate::base::{Base, both};
use crate::made::{NOW, minutes, session, store_user};

both!(
    a_browser_is_known_to_whoever_signed_in_from_it_and_to_nobody_else,
    ten_browsers_are_known_the_last_ones,
    what_ends_all_sessions_makes_every_browser_a_stranger,
    a_browser_nobody_signed_in_from_for_long_is_forgotten,
);

fn browser() -> BrowserDigest {
    BrowserToken::generate(&SystemRandom).digest()
}

async fn a_browser_is_known_to_whoever_signed_in_from_it_and_to_nobody_else(base: Arc<Base>) {
    let (alice, bob) = (store_user(&base.store, "alice").await, store_user(&base.store, "bob").await);
    let (browser, live) = (self::browser(), session(alice));
    let pending = SessionRow { stage: Stage::SecondFactor, ..session(bob) };
    let whole = Entry { browser: Some(browser), signed_in_at: Some(NOW), ..Entry::of(&live, 1) };
    assert!(base.store.insert_session(&whole, &[]).await.unwrap().is_in());
    let half = Entry { browser: Some(browser), ..Entry::of(&pending, 1) };
    assert!(base.store.insert_session(&half, &[]).await.unwrap().is_in());
    assert!(base.store.knows_browser(alice, browser).await.unwrap());
    assert!(!base.store.knows_browser(bob, browser).await.unwrap(), "the password alone is not a full sign-in");
    assert!(!base.store.knows_browser(alice, self::browser()).await.unwrap());
}

async fn ten_browsers_are_known_the_last_ones(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let browsers: Vec<_> = (0..12).map(|_| browser()).collect();
    for (minute, browser) in (0..).zip(&browsers) {
        let at = NOW.plus(minutes(minute));
        let live = SessionRow { auth_time: at, last_seen: at, ..session(alice) };
        let whole = Entry { browser: Some(*browser), signed_in_at: Some(at), ..Entry::of(&live, 1) };
        assert!(base.store.insert_session(&whole, &[]).await.unwrap().is_in());
    }
    let mut known = Vec::new();
    for browser in &browsers {
        known.push(base.store.knows_browser(alice, *browser).await.unwrap());
    }
    assert_eq!(known, [vec![false; 2], vec![true; 10]].concat());
}

async fn what_ends_all_sessions_makes_every_browser_a_stranger(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (browser, live) = (self::browser(), session(alice));
    let whole = Entry { browser: Some(browser), signed_in_at: Some(NOW), ..Entry::of(&live, 1) };
    assert!(base.store.insert_session(&whole, &[]).await.unwrap().is_in());
    base.store.end_sessions_of(alice, Some(live.id), &[]).await.unwrap();
    assert!(base.store.knows_browser(alice, browser).await.unwrap(), "all others");
    base.store.set_password(alice, &NewPassword::of("$argon2id$new", NOW), &[]).await.unwrap();
    assert!(!base.store.knows_browser(alice, browser).await.unwrap());
}

async fn a_browser_nobody_signed_in_from_for_long_is_forgotten(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (browser, live) = (self::browser(), session(alice));
    let whole = Entry { browser: Some(browser), signed_in_at: Some(NOW), ..Entry::of(&live, 1) };
    assert!(base.store.insert_session(&whole, &[]).await.unwrap().is_in());
    assert_eq!(base.store.forget_old_browsers(NOW).await.unwrap(), 0);
    assert_eq!(base.store.forget_old_browsers(NOW.plus(minutes(1))).await.unwrap(), 1);
    assert!(!base.store.knows_browser(alice, browser).await.unwrap());
}
