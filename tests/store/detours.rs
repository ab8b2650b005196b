//! Requests laid aside.

use std::sync::Arc;
use std::time::Duration;

use vantail::identity::SessionId;
use vantail::secret::Sealed;
use vantail::store::Store;
use vantail::store::detours::{DetourRequest, DetourRow, Shelf, Whose};
use vantail::store::entering::Entry;
use vantail::store::sessions::SessionRow;
use vantail::time::Timestamp;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{self, NOW, event, minutes, sealed, session, store_user};

both!(
    what_is_laid_aside_is_found_by_its_own_session_while_its_time_lasts,
    of_fifty_uses_one_succeeds_and_empties_it,
    it_outlives_a_rotation_of_its_session_and_not_its_end,
    the_shelf_is_never_overfull,
    the_dead_are_forgotten,
    more_can_be_asked_for_and_one_can_be_dropped,
);

const SHELF: Shelf = Shelf { requests_of_one: 20, bytes_of_one: 1_000_000, bytes_of_all: 4_000_000 };

/// A session in the store.
async fn living(store: &Store, name: &str) -> SessionRow {
    let session = session(store_user(store, name).await);
    assert!(store.insert_session(&Entry::of(&session, 1), &[]).await.unwrap().is_in());
    session
}

fn detour(session: &SessionRow) -> (DetourRow, Sealed<DetourRequest>) {
    let id = made::id().simple().to_string();
    let request = sealed(&keyring(), "detours", "request", &id);
    let row = DetourRow {
        target: sealed(&keyring(), "detours", "target", &id),
        id,
        user: session.user,
        session: session.id,
        site: "crm".to_owned(),
        factors: 2,
        fresh: Some(minutes(5)),
        length: i64::try_from(request.as_bytes().len()).unwrap(),
        used_at: None,
        created_at: NOW,
        expires_at: NOW.plus(minutes(10)),
    };
    (row, request)
}

async fn laid_aside(store: &Store, session: &SessionRow) -> String {
    let (row, request) = detour(session);
    assert!(store.insert_detour(&row, &request, SHELF, &[event("request.laid-aside")]).await.unwrap());
    row.id
}

fn whose(session: &SessionRow, now: Timestamp) -> Whose {
    Whose { user: session.user, session: session.id, now }
}

async fn what_is_laid_aside_is_found_by_its_own_session_while_its_time_lasts(base: Arc<Base>) {
    let store = &base.store;
    let (alice, bob) = (living(store, "alice").await, living(store, "bob").await);
    let (row, request) = detour(&alice);
    assert!(store.insert_detour(&row, &request, SHELF, &[event("request.laid-aside")]).await.unwrap());
    let found = store.detour(&row.id, whose(&alice, NOW)).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.user, found.session), (row.id.as_str(), alice.user, alice.id));
    assert_eq!((found.site.as_str(), found.factors, found.fresh), ("crm", 2, Some(minutes(5))));
    assert_eq!((found.length, found.used_at, found.expires_at), (row.length, None, row.expires_at));
    assert_eq!(found.target.as_bytes(), row.target.as_bytes());
    let kept = store.detour_request(&row.id, whose(&alice, NOW)).await.unwrap().unwrap();
    assert_eq!(kept.as_bytes(), request.as_bytes());
    assert_eq!(store.events(0, 9).await.unwrap().len(), 1);
    let other_session = Whose { session: bob.id, ..whose(&alice, NOW) };
    for nobody in [whose(&bob, NOW), other_session, whose(&alice, row.expires_at)] {
        assert!(store.detour(&row.id, nobody).await.unwrap().is_none());
        assert!(store.detour_request(&row.id, nobody).await.unwrap().is_none());
        assert!(!store.use_detour(&row.id, nobody, &[]).await.unwrap());
    }
    assert!(store.check(&keyring()).await.unwrap().is_empty());
    base.tamper("UPDATE detours SET request = target").await;
    assert_eq!(store.check(&keyring()).await.unwrap().len(), 1, "a seal that does not open is found");
}

async fn of_fifty_uses_one_succeeds_and_empties_it(base: Arc<Base>) {
    let alice = living(&base.store, "alice").await;
    let id = laid_aside(&base.store, &alice).await;
    let uses = at_once(50, |_| {
        let (base, id, whose) = (Arc::clone(&base), id.clone(), whose(&alice, NOW));
        async move { base.store.use_detour(&id, whose, &[event("request.resumed")]).await.unwrap() }
    })
    .await;
    assert_eq!(uses.into_iter().filter(|used| *used).count(), 1);
    let row = base.store.detour(&id, whose(&alice, NOW)).await.unwrap().unwrap();
    assert_eq!((row.used_at, row.length), (Some(NOW), 0));
    assert!(base.store.detour_request(&id, whose(&alice, NOW)).await.unwrap().is_none());
    assert_eq!(base.store.events(0, 9).await.unwrap().len(), 2, "laid aside, used once");
    assert_eq!(base.store.count_detours(alice.user, NOW).await.unwrap(), 0);
}

async fn it_outlives_a_rotation_of_its_session_and_not_its_end(base: Arc<Base>) {
    let store = &base.store;
    let alice = living(store, "alice").await;
    let (first, second) = (laid_aside(store, &alice).await, laid_aside(store, &alice).await);
    let risen = SessionRow { id: alice.id, ..session(alice.user) };
    assert!(store.rotate_session(alice.digest, &Entry::of(&risen, 1), &[]).await.unwrap().is_in());
    assert_eq!(store.forget_dead_detours(NOW).await.unwrap(), 0);
    assert!(store.use_detour(&first, whose(&risen, NOW), &[]).await.unwrap());
    assert!(store.end_session(alice.id, &[]).await.unwrap());
    assert!(!store.use_detour(&second, whose(&risen, NOW), &[]).await.unwrap(), "its session ended");
    assert_eq!(store.forget_dead_detours(NOW).await.unwrap(), 2);
}

async fn the_shelf_is_never_overfull(base: Arc<Base>) {
    let (alice, bob) = (living(&base.store, "alice").await, living(&base.store, "bob").await);
    let length = detour(&alice).0.length;
    let lay = |session: &SessionRow, shelf: Shelf| {
        let (base, (row, request)) = (Arc::clone(&base), detour(session));
        async move { base.store.insert_detour(&row, &request, shelf, &[event("request.laid-aside")]).await.unwrap() }
    };
    let few = Shelf { requests_of_one: 3, ..SHELF };
    let stored = at_once(12, |_| lay(&alice, few)).await;
    assert_eq!(stored.into_iter().filter(|stored| *stored).count(), 3, "requests of one user");
    assert!(!lay(&alice, Shelf { bytes_of_one: 4 * length - 1, ..SHELF }).await, "bytes of one user");
    assert!(lay(&alice, Shelf { bytes_of_one: 4 * length, ..SHELF }).await);
    assert!(!lay(&bob, Shelf { bytes_of_all: 5 * length - 1, ..SHELF }).await, "bytes of everybody");
    assert!(lay(&bob, Shelf { bytes_of_all: 5 * length, ..SHELF }).await);
    let (late, request) = detour(&bob);
    let late = DetourRow { created_at: late.expires_at, expires_at: late.expires_at.plus(minutes(10)), ..late };
    let full = Shelf { requests_of_one: 1, bytes_of_one: length, bytes_of_all: length };
    assert!(base.store.insert_detour(&late, &request, full, &[]).await.unwrap(), "whose time is over takes no room");
    assert_eq!(base.store.events(0, 99).await.unwrap().len(), 5, "what was not stored is not told");
}

async fn the_dead_are_forgotten(base: Arc<Base>) {
    let store = &base.store;
    let alice = living(store, "alice").await;
    let id = laid_aside(store, &alice).await;
    let (orphan, request) = detour(&SessionRow { id: SessionId(made::id()), ..alice.clone() });
    assert!(store.insert_detour(&orphan, &request, SHELF, &[]).await.unwrap());
    assert_eq!(store.forget_dead_detours(NOW).await.unwrap(), 1, "of no session");
    assert!(store.detour(&id, whose(&alice, NOW)).await.unwrap().is_some());
    assert_eq!(store.forget_dead_detours(NOW.plus(minutes(10))).await.unwrap(), 1, "too old");
}

async fn more_can_be_asked_for_and_one_can_be_dropped(base: Arc<Base>) {
    let store = &base.store;
    let alice = living(store, "alice").await;
    let (id, other) = (laid_aside(store, &alice).await, laid_aside(store, &alice).await);
    store.raise_detour(&id, 1, None).await.unwrap();
    let raised = store.detour(&id, whose(&alice, NOW)).await.unwrap().unwrap();
    assert_eq!((raised.factors, raised.fresh), (1, None));
    store.raise_detour(&id, 2, Some(Duration::from_millis(1))).await.unwrap();
    let raised = store.detour(&id, whose(&alice, NOW)).await.unwrap().unwrap();
    assert_eq!((raised.factors, raised.fresh), (2, Some(Duration::from_millis(1))));
    store.drop_detour(&id).await.unwrap();
    assert!(store.detour(&id, whose(&alice, NOW)).await.unwrap().is_none());
    assert!(store.detour(&other, whose(&alice, NOW)).await.unwrap().is_some());
}
