//! Remembered devices.

use std::sync::Arc;

use vantail::identity::{Amr, DeviceId, SessionId, UserId, UserState};
use vantail::secret::{RememberToken, SystemRandom};
use vantail::store::changes::Change;
use vantail::store::devices::{DeviceRow, Forgetting, Returned};
use vantail::store::entering::{Entered, Entry, Room};
use vantail::store::passwords::NewPassword;
use vantail::store::second_factors::Code;
use vantail::store::sessions::{Memory, SessionRow, Stage};
use vantail::store::users::UserChange;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{NOW, event, id, message, minutes, sealed, session, store_user};
use crate::second_factors::factor;

both!(
    a_device_is_found_as_it_was_stored,
    sess_4_of_a_hundred_that_present_one_value_exactly_one_gets_another,
    a_return_ends_the_devices_earlier_sessions_and_makes_room,
    sess_3_remember_a_return_that_overlaps_a_reset_does_not_survive_it,
    sess_3_remember_whatever_ends_all_sessions_forgets_the_devices,
    sess_3_remember_a_device_and_its_sessions_end_together,
    sess_4_of_many_that_end_a_device_one_tells_of_it,
    nobody_forgets_somebody_elses_device,
    devices_are_forgotten_in_time_by_their_last_use,
    what_a_return_left_for_others_is_wiped,
    a_changed_temporary_password_makes_a_device_that_is_worth_something,
);

/// A device of `user`, and the value its browser holds.
fn device(user: UserId) -> (DeviceRow, RememberToken) {
    let id = DeviceId(id());
    let token = RememberToken::generate(&keyring(), &SystemRandom, id.0);
    let row = DeviceRow {
        id,
        user,
        epoch: 1,
        digest: token.digest(),
        auth_time: NOW,
        created_at: NOW,
        last_seen: NOW,
        expires_at: NOW.plus(minutes(30 * 24 * 60)),
        address: "2001:db8::7".parse().ok(),
        user_agent: "Mozilla/5.0".to_owned(),
        returned: None,
    };
    (row, token)
}

/// Stores a device with the session it is made with.
async fn made(base: &Base, user: UserId) -> (DeviceRow, SessionRow) {
    let (row, _) = device(user);
    let session = SessionRow { memory: Memory::Of(row.id), ..session(user) };
    let entry = Entry { device: Some(row.clone()), ..Entry::of(&session, 1) };
    assert!(base.store.insert_session(&entry, &[]).await.unwrap().is_in());
    (row, session)
}

/// `row` with another value, as a return leaves it.
fn returned(row: &DeviceRow) -> DeviceRow {
    let token = RememberToken::generate(&keyring(), &SystemRandom, row.id.0);
    let returned = Returned {
        previous: row.digest,
        session: sealed(&keyring(), "devices", "session", &row.id.to_string()),
        until: NOW.plus(std::time::Duration::from_secs(10)),
    };
    DeviceRow { digest: token.digest(), returned: Some(returned), ..row.clone() }
}

/// The session of a return.
fn opened(row: &DeviceRow) -> SessionRow {
    SessionRow { amr: vec![Amr::Rmb], second_factor_at: None, memory: Memory::Of(row.id), ..session(row.user) }
}

fn forgetting(told: &[vantail::audit::NewEvent]) -> Forgetting<'_> {
    Forgetting { forgotten: told, ended: event("session.ended"), outbox: &[] }
}

/// Whether anything is left of a device and of a session.
async fn left(base: &Base, device: DeviceId, session: SessionId) -> (bool, bool) {
    let device = base.store.device(device).await.unwrap();
    (device.is_some(), base.store.session_by_id(session).await.unwrap().is_some())
}

async fn a_device_is_found_as_it_was_stored(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (row, session) = made(&base, alice).await;
    let found = base.store.device(row.id).await.unwrap().unwrap();
    assert_eq!((found.id, found.user, found.digest, found.epoch), (row.id, alice, row.digest, 1));
    assert_eq!((found.auth_time, found.created_at, found.expires_at), (NOW, NOW, row.expires_at));
    assert_eq!((found.address, found.user_agent), (row.address, row.user_agent));
    assert!(found.returned.is_none());
    assert_eq!(base.store.session_by_id(session.id).await.unwrap().unwrap().memory, Memory::Of(row.id));
    let wished = SessionRow { memory: Memory::Wished, stage: Stage::SecondFactor, ..crate::made::session(alice) };
    assert!(base.store.insert_session(&Entry::of(&wished, 1), &[]).await.unwrap().is_in());
    assert_eq!(base.store.session_by_id(wished.id).await.unwrap().unwrap().memory, Memory::Wished);
    base.store.touch_sessions(&[(session.id, NOW.plus(minutes(5)))]).await.unwrap();
    let used = base.store.devices(Some(alice), NOW).await.unwrap();
    assert_eq!(used[0].last_seen, NOW.plus(minutes(5)), "the use of its session is use");
    assert_eq!(base.store.devices(None, NOW).await.unwrap().len(), 1);
    assert!(base.store.devices(None, row.expires_at).await.unwrap().is_empty());
}

async fn sess_4_of_a_hundred_that_present_one_value_exactly_one_gets_another(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    for _ in 0..50 {
        let (row, _) = made(&base, alice).await;
        let results = at_once(100, |_| {
            let (base, row) = (Arc::clone(&base), row.clone());
            async move {
                let (next, session) = (returned(&row), opened(&row));
                let entry = Entry::of(&session, 1);
                let ended = event("session.ended");
                let events = [event("device.returned")];
                let entered = base.store.begin_by_device(row.digest, &next, &entry, &ended, &events).await.unwrap();
                entered.is_in().then_some((next.digest, session.id))
            }
        })
        .await;
        let begun: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(begun.len(), 1);
        let stands = base.store.device(row.id).await.unwrap().unwrap();
        assert_eq!((stands.digest, stands.returned.unwrap().previous), (begun[0].0, row.digest));
        let sessions = base.store.sessions(Some(alice)).await.unwrap();
        let own: Vec<_> = sessions.iter().filter(|own| own.memory == Memory::Of(row.id)).map(|own| own.id).collect();
        assert_eq!(own, [begun[0].1]);
    }
    let returns = base.store.events(0, 1000).await.unwrap();
    assert_eq!(returns.iter().filter(|told| told.act == "device.returned").count(), 50);
}

async fn a_return_ends_the_devices_earlier_sessions_and_makes_room(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let elsewhere = session(alice);
    assert!(base.store.insert_session(&Entry::of(&elsewhere, 1), &[]).await.unwrap().is_in());
    let (row, first) = made(&base, alice).await;
    let (next, mut session) = (returned(&row), opened(&row));
    session.created_at = NOW.plus(minutes(1));
    let room = Room { maximum: 1, ended: event("session.ended") };
    let entry = Entry { room: Some(room), ..Entry::of(&session, 1) };
    let mut changes = base.store.follow_changes().await.unwrap();
    let ended = event("session.ended");
    assert!(base.store.begin_by_device(row.digest, &next, &entry, &ended, &[]).await.unwrap().is_in());
    let left: Vec<_> = base.store.sessions(Some(alice)).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(left, [session.id]);
    let marks = changes.next().await.unwrap();
    assert!(marks.contains(&Change::Session(first.id)) && marks.contains(&Change::Session(elsewhere.id)));
    let told = base.store.events(0, 10).await.unwrap();
    assert!([first.id, elsewhere.id].iter().all(|id| told.iter().any(|one| one.target == Some(id.to_string()))));
}

async fn sess_3_remember_a_return_that_overlaps_a_reset_does_not_survive_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (row, _) = made(&base, alice).await;
    let raise = UserChange { raise_epoch: true, ..UserChange::default() };
    assert!(base.store.change_user(alice, &raise, NOW, &[]).await.unwrap());
    let ended = event("session.ended");
    for epoch in [1, 2] {
        let session = opened(&row);
        let entry = Entry::of(&session, epoch);
        let entered = base.store.begin_by_device(row.digest, &returned(&row), &entry, &ended, &[]).await.unwrap();
        assert_eq!(entered, Entered::Overtaken, "as read at epoch {epoch}");
    }
    assert!(base.store.devices(Some(alice), NOW).await.unwrap().is_empty(), "it is worth nothing any more");
}

async fn sess_3_remember_whatever_ends_all_sessions_forgets_the_devices(base: Arc<Base>) {
    for (number, what) in ["password", "factors", "disabled", "all", "enrolled"].into_iter().enumerate() {
        let user = store_user(&base.store, &format!("user{number}")).await;
        let (row, session) = made(&base, user).await;
        match what {
            "password" => {
                assert!(base.store.set_password(user, &NewPassword::of("$argon2id$new", NOW), &[]).await.unwrap());
            }
            "factors" => drop(base.store.remove_second_factors(user, &[], &[]).await.unwrap()),
            "disabled" => {
                let change =
                    UserChange { state: Some(UserState::Disabled), end_sessions: true, ..UserChange::default() };
                base.store.change_user(user, &change, NOW, &[]).await.unwrap();
            }
            "all" => assert_eq!(base.store.end_sessions_of(user, None, &[]).await.unwrap(), 1),
            _ => {
                let new = factor(user);
                base.store.put_second_factor(&new).await.unwrap();
                let next =
                    SessionRow { digest: crate::made::session(user).digest, memory: Memory::None, ..session.clone() };
                let code = Code::Enrols { factor: new.id, step: 5, at: NOW };
                let entry = Entry { code: Some(code), ..Entry::of(&next, 1) };
                assert!(base.store.rotate_session(session.digest, &entry, &[]).await.unwrap().is_in());
            }
        }
        let kept = what == "enrolled";
        assert_eq!(left(&base, row.id, session.id).await, (false, kept), "{what}");
    }
    let user = store_user(&base.store, "keeper").await;
    let ((own, keep), (other, gone)) = (made(&base, user).await, made(&base, user).await);
    assert_eq!(base.store.end_sessions_of(user, Some(keep.id), &[]).await.unwrap(), 1);
    assert_eq!(left(&base, own.id, keep.id).await, (true, true));
    assert_eq!(left(&base, other.id, gone.id).await, (false, false));
}

async fn sess_3_remember_a_device_and_its_sessions_end_together(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (row, session) = made(&base, alice).await;
    let (stays, with) = made(&base, alice).await;
    assert!(base.store.end_session(session.id, &[]).await.unwrap());
    assert_eq!(left(&base, row.id, session.id).await, (false, false));
    let (row, session) = made(&base, alice).await;
    let told = [event("device.forgotten")];
    let ended = base.store.forget_device(alice, row.id, &forgetting(&told)).await.unwrap();
    assert_eq!(ended, Some(vec![session.id]));
    assert_eq!(left(&base, row.id, session.id).await, (false, false));
    let (row, session) = made(&base, alice).await;
    assert_eq!(base.store.forget_devices_of(alice, Some(stays.id), &forgetting(&[])).await.unwrap(), 1);
    assert_eq!(left(&base, row.id, session.id).await, (false, false));
    assert_eq!(left(&base, stays.id, with.id).await, (true, true));
    assert_eq!(base.store.forget_devices_of(alice, None, &forgetting(&[])).await.unwrap(), 1);
    assert_eq!(left(&base, stays.id, with.id).await, (false, false));
}

async fn sess_4_of_many_that_end_a_device_one_tells_of_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (row, session) = made(&base, alice).await;
    let results = at_once(50, |_| {
        let (base, device) = (Arc::clone(&base), row.id);
        async move {
            let (told, mail) = ([event("device.reused")], [message(alice, None, false)]);
            let forgetting = Forgetting { forgotten: &told, ended: event("session.ended"), outbox: &mail };
            base.store.forget_device(alice, device, &forgetting).await.unwrap()
        }
    })
    .await;
    assert_eq!(results.into_iter().flatten().collect::<Vec<_>>(), [vec![session.id]]);
    let acts: Vec<_> = base.store.events(0, 100).await.unwrap().into_iter().map(|event| event.act).collect();
    assert_eq!(acts, ["device.reused", "session.ended"]);
    assert_eq!(base.store.due_messages(NOW, 100).await.unwrap().len(), 1);
}

async fn nobody_forgets_somebody_elses_device(base: Arc<Base>) {
    let (alice, bob) = (store_user(&base.store, "alice").await, store_user(&base.store, "bob").await);
    let (row, session) = made(&base, alice).await;
    assert_eq!(base.store.forget_device(bob, row.id, &forgetting(&[])).await.unwrap(), None);
    assert_eq!(base.store.forget_devices_of(bob, None, &forgetting(&[])).await.unwrap(), 0);
    assert_eq!(left(&base, row.id, session.id).await, (true, true));
}

async fn devices_are_forgotten_in_time_by_their_last_use(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (row, session) = made(&base, alice).await;
    let (now, idle) = (NOW.plus(minutes(120)), NOW.plus(minutes(60)));
    base.store.touch_sessions(&[(session.id, NOW.plus(minutes(90)))]).await.unwrap();
    assert_eq!(base.store.forget_dead_devices(now, Some(idle)).await.unwrap(), 0, "its session lives");
    let dead = base.store.delete_dead_sessions(now, Some(NOW.plus(minutes(100)))).await.unwrap();
    assert_eq!(dead, [session.id]);
    assert_eq!(left(&base, row.id, session.id).await, (true, false), "a session's idle end leaves its device");
    assert_eq!(base.store.device(row.id).await.unwrap().unwrap().last_seen, NOW.plus(minutes(90)));
    assert_eq!(base.store.forget_dead_devices(now, Some(idle)).await.unwrap(), 0, "used through its session");
    assert_eq!(base.store.forget_dead_devices(now, None).await.unwrap(), 0);
    assert_eq!(base.store.forget_dead_devices(now, Some(NOW.plus(minutes(91)))).await.unwrap(), 1);

    let (row, _) = made(&base, alice).await;
    assert_eq!(base.store.forget_dead_devices(row.expires_at, None).await.unwrap(), 1, "past its end");
    let (_, _) = made(&base, alice).await;
    let until = UserChange { valid_until: Some(Some(now)), ..UserChange::default() };
    base.store.change_user(alice, &until, NOW, &[]).await.unwrap();
    assert_eq!(base.store.forget_dead_devices(NOW, None).await.unwrap(), 0);
    assert_eq!(base.store.forget_dead_devices(now, None).await.unwrap(), 1, "past its user's end");
}

async fn what_a_return_left_for_others_is_wiped(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (row, _) = made(&base, alice).await;
    let session = opened(&row);
    let ended = event("session.ended");
    let entered = base.store.begin_by_device(row.digest, &returned(&row), &Entry::of(&session, 1), &ended, &[]).await;
    assert!(entered.unwrap().is_in());
    assert_eq!(base.store.wipe_returns(NOW).await.unwrap(), 0);
    assert!(base.store.device(row.id).await.unwrap().unwrap().returned.is_some());
    assert_eq!(base.store.wipe_returns(NOW.plus(minutes(1))).await.unwrap(), 1);
    assert!(base.store.device(row.id).await.unwrap().unwrap().returned.is_none());
    assert!(base.store.session_by_id(session.id).await.unwrap().is_some());
}

async fn a_changed_temporary_password_makes_a_device_that_is_worth_something(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let temporary = NewPassword { must_change: true, ..NewPassword::of("$argon2id$temporary", NOW) };
    assert!(base.store.set_password(alice, &temporary, &[]).await.unwrap());
    let begun = SessionRow { stage: Stage::ChangePassword, memory: Memory::Wished, ..session(alice) };
    assert!(base.store.insert_session(&Entry::of(&begun, 2), &[]).await.unwrap().is_in());
    let (row, _) = device(alice);
    let live =
        SessionRow { stage: Stage::Live, digest: session(alice).digest, memory: Memory::Of(row.id), ..begun.clone() };
    let entry = Entry { device: Some(row.clone()), ..Entry::of(&live, 2) };
    let own = NewPassword::of("$argon2id$own", NOW);
    assert!(base.store.change_password(begun.digest, &entry, &own, &[]).await.unwrap().is_in());
    let listed = base.store.devices(Some(alice), NOW).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].id, listed[0].epoch),
        (1, row.id, 3),
        "made at the epoch that is raised with it"
    );
}
