//! Sign-in, lockout, enumeration and the second factor: AUTH-2 to AUTH-7, MFA-1 to MFA-4. Many at once are in `floods`.

use std::time::Duration;

use crate::support::answer::Answer;
use crate::support::client::Client;
use crate::world::{PASSWORD, World};

/// Opens a login page of its own, ready to post.
pub async fn ready(world: &World) -> (Client, String) {
    let client = world.stranger();
    let csrf = client.get("/secure/login").await.field("csrf");
    (client, csrf)
}

pub async fn guess(world: &World, name: &str, password: &str) -> Answer {
    let (client, csrf) = ready(world).await;
    client.post_form("/secure/login", &[("csrf", &csrf), ("username", name), ("password", password)]).await
}

async fn guesses(world: &World, name: &str, count: usize) {
    for _ in 0..count {
        assert_eq!(guess(world, name, "not the password").await.status, 422);
    }
}

pub fn hashes(world: &World) -> u64 {
    world.tools.accounts.hashing.computed()
}

#[tokio::test]
async fn auth_2_every_spelling_of_a_name_is_counted_as_one() {
    let world = World::start().await;
    let before = hashes(&world);
    for spelling in
        ["carol", "Carol", " carol", "carol ", "carol\0", "ｃarol", "carol@gw.test", "CAROL@GW.TEST", "ca\u{200b}rol"]
    {
        assert_eq!(guess(&world, spelling, "not the password").await.status, 422, "{spelling:?}");
    }
    assert_eq!(hashes(&world) - before, 5);
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422);
}

#[tokio::test]
async fn auth_3_unknown_wrong_locked_expired_and_disabled_look_alike() {
    let world = World::start().await;
    guesses(&world, "bob", 5).await;
    let shape = |name: &'static str, password: &'static str| {
        let world = &world;
        async move {
            let answer = guess(world, name, password).await;
            let mut text = answer.text();
            for varying in
                [answer.hidden("csrf"), answer.header("x-request-id").map(str::to_owned), Some(name.to_owned())]
            {
                text = text.replace(&varying.unwrap_or_default(), "·");
            }
            let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            (answer.status, text, names)
        }
    };
    let unknown = shape("nobody", "x").await;
    assert_eq!(unknown.0, 422);
    for (name, password) in
        [("carol", "wrong"), ("bob", PASSWORD), ("erin", PASSWORD), ("dave", PASSWORD), ("dave", "wrong")]
    {
        assert_eq!(shape(name, password).await, unknown, "{name}");
    }
}

#[tokio::test]
async fn auth_1_strangers_lock_the_name_and_its_owner_comes_in_from_a_known_browser() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let known = carol.client.cookie("vantail-browser").unwrap();
    assert_eq!(carol.client.fill("/secure/logout", "/secure/logout", &[]).await.status, 303);
    guesses(&world, "carol", 5).await;
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422, "in a browser nobody knows");
    assert_eq!(carol.give_password(PASSWORD).await.status, 303);
    assert_eq!(carol.client.cookie("vantail-browser").unwrap(), known, "it stays the same browser");
    carol.client.get("/anything").await;
    let seen = String::from_utf8_lossy(world.backend.bytes().last().unwrap()).to_lowercase();
    assert!(!seen.contains("vantail-browser"), "{seen}");
}

#[tokio::test]
async fn load_4_an_address_that_was_wrong_too_often_waits_and_is_told_so() {
    let world = World::builder().security("[lockout]\naddress_attempts = 3\naddress_minutes = 10").start().await;
    for name in ["carol", "nobody", "alice"] {
        guesses(&world, name, 1).await;
    }
    let before = hashes(&world);
    let answer = guess(&world, "carol", PASSWORD).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("600")));
    assert!(answer.text().contains("too many wrong sign-ins"), "{}", answer.text());
    assert_eq!(hashes(&world), before, "nothing was checked");
    world.advance(Duration::from_mins(10));
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 303);
}

/// The work is compared, which is the same on every machine; `benches/timing.rs` compares the time.
#[tokio::test]
async fn auth_4_unknown_and_disabled_names_cost_the_same_work() {
    let world = World::start().await;
    let work = async || (hashes(&world), world.acts().await.len());
    for name in ["carol", "nobody", "dave", "erin"] {
        let (hashed, told) = work().await;
        for more in 1..=4_u8 {
            assert_eq!(guess(&world, name, "not the password").await.status, 422);
            assert_eq!(work().await, (hashed + u64::from(more), told + usize::from(more)), "{name}: hashes, lines");
        }
    }
}

#[tokio::test]
async fn auth_5_nothing_but_the_owners_own_sign_in_resets_the_count() {
    let world = World::start().await;
    guesses(&world, "carol", 4).await;
    world.signed_in("alice").await;
    let other = world.signed_in("bob").await;
    other.client.fill("/secure/logout", "/secure/logout", &[]).await;
    world.advance(Duration::from_mins(1));
    guesses(&world, "carol", 1).await;
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422, "the fifth wrong guess locks");
}

#[tokio::test]
async fn auth_6_in_a_known_browser_one_count_is_for_every_door() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let before = hashes(&world);
    for _ in 0..3 {
        let fields = [("password", "not the password")];
        assert_eq!(carol.client.fill("/secure/login/confirm", "/secure/login/confirm", &fields).await.status, 422);
    }
    assert_eq!(carol.client.fill("/secure/logout", "/secure/logout", &[]).await.status, 303);
    for _ in 0..4 {
        assert_eq!(carol.give_password("not the password").await.status, 422);
    }
    assert_eq!(hashes(&world) - before, 5);
    assert_eq!(carol.give_password(PASSWORD).await.status, 422);
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 303, "strangers have a count of their own");
}

#[tokio::test]
async fn auth_6_signing_in_again_counts_like_signing_in() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    // The session was carried off to a browser that nobody knows.
    carol.client.set_cookie("vantail-browser", "another");
    let before = hashes(&world);
    for _ in 0..3 {
        let fields = [("password", "not the password")];
        let answer = carol.client.fill("/secure/login/confirm", "/secure/login/confirm", &fields).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
    guesses(&world, "carol", 4).await;
    assert_eq!(hashes(&world) - before, 5);
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422);
}

#[tokio::test]
async fn auth_7_the_lock_ends_when_it_said_and_harms_no_live_session() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    guesses(&world, "carol", 5).await;
    assert_eq!(carol.client.get("/app/x").await.status, 200, "the owner's session goes on");
    world.advance(Duration::from_secs(15 * 60 - 2));
    assert_eq!(carol.client.get("/app/x").await.status, 200);
    guesses(&world, "carol", 3).await;
    world.advance(Duration::from_secs(15 * 60 + 1));
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422, "29:59");
    world.advance(Duration::from_secs(1));
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 303, "30:00");
}

#[tokio::test]
async fn auth_7_an_administrators_unlock_is_in_the_trail() {
    let world = World::start().await;
    guesses(&world, "carol", 5).await;
    let id = world.user("carol").await.id;
    assert!(world.tools.accounts.unlock(id, &world.operator()).await.unwrap());
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 303);
    let acts = world.acts().await;
    assert!(acts.iter().any(|act| act.starts_with("lockout.locked")), "{acts:?}");
    assert!(acts.iter().any(|act| act.starts_with("lockout.unlocked")), "{acts:?}");
}

/// Logins of alice that wait for a code, as many as asked.
pub async fn pending(world: &World, count: usize) -> Vec<(Client, String)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let person = world.person("alice");
        assert_eq!(person.give_password(PASSWORD).await.status, 303);
        let csrf = person.client.get("/secure/login/second-factor").await.field("csrf");
        all.push((person.client, csrf));
    }
    all
}

#[tokio::test]
async fn mfa_2_only_exactly_six_digits_are_a_code() {
    let world = World::builder().security("[lockout]\nattempts = 0\naddress_attempts = 0").start().await;
    let code = world.next_code("alice");
    let arabic: String =
        code.chars().map(|digit| char::from_u32('٠' as u32 + digit.to_digit(10).unwrap()).unwrap()).collect();
    let (client, csrf) = pending(&world, 1).await.remove(0);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    for wrong in [
        format!(" {code}"),
        spaced,
        format!("{code}\n"),
        format!("0{code}"),
        arabic,
        code[..5].to_owned(),
        format!("{code}0"),
        String::new(),
    ] {
        let answer = client.post_form("/secure/login/second-factor", &[("csrf", &csrf), ("code", &wrong)]).await;
        assert_eq!(answer.status, 422, "{wrong:?}");
    }
    let answer = client.post_form("/secure/login/second-factor", &[("csrf", &csrf), ("code", &code)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[tokio::test]
async fn mfa_3_wrong_codes_are_counted_on_the_account_not_on_the_login() {
    let world = World::start().await;
    let mut wrong = 0;
    'logins: for _ in 0..4 {
        let person = world.person("alice");
        if person.give_password(PASSWORD).await.status != 303 {
            break;
        }
        for _ in 0..4 {
            let answer = person.give_code("000000").await;
            assert_eq!(answer.status, 422);
            wrong += 1;
            if wrong == 5 {
                break 'logins;
            }
        }
    }
    assert_eq!(wrong, 5);
    let person = world.person("alice");
    assert_eq!(person.give_password(PASSWORD).await.status, 422, "five wrong codes lock the account");
}

#[tokio::test]
async fn mfa_4_the_password_alone_opens_nothing() {
    let world = World::start().await;
    let alice = world.person("alice");
    let answer = alice.give_password(PASSWORD).await;
    assert!(answer.location().contains("second-factor"), "{}", answer.location());
    assert!(answer.all("set-cookie").iter().all(|cookie| !cookie.contains("remember")));
    for target in ["/app/x", "/admin/x", "/secure/operations", "/secure/account", "/secure/api/operations/12345678"] {
        let answer = alice.client.get(target).await;
        assert!(answer.is_not_forwarded(), "{target}: {}", answer.status);
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn mfa_4_somebody_disabled_in_between_does_not_come_in() {
    let world = World::start().await;
    let alice = world.person("alice");
    alice.give_password(PASSWORD).await;
    let page = alice.client.get("/secure/login/second-factor").await;
    let id = world.user("alice").await.id;
    world.tools.accounts.disable(id, &world.operator()).await.unwrap();
    let code = world.next_code("alice");
    let answer =
        alice.client.post_form("/secure/login/second-factor", &[("csrf", &page.field("csrf")), ("code", &code)]).await;
    assert!(matches!(answer.status, 403 | 422) || answer.asks_for_sign_in(), "{}", answer.status);
    assert!(alice.client.get("/app/x").await.is_not_forwarded());
}

#[tokio::test]
async fn whoever_must_have_a_second_factor_enrols_one_before_anything_else() {
    let world = World::start().await;
    let origin = world.operator();
    crate::world::add(
        &world.tools,
        &origin,
        ("vera", &["staff"], &[vantail::identity::Right::TokenValidator], Some("+33639980019"), false),
    )
    .await;
    let vera = world.person("vera");
    let answer = vera.give_password(PASSWORD).await;
    assert!(answer.location().contains("/secure/login/enrol"), "{}", answer.location());
    assert!(vera.client.get("/app/x").await.is_not_forwarded());
    let page = vera.client.get("/secure/login/enrol").await;
    assert!(page.text().contains("data:image/svg+xml"), "a QR code is shown");
    let wrong = vera.client.fill("/secure/login/enrol", "/secure/login/enrol", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422);
    assert!(vera.client.get("/app/x").await.is_not_forwarded());
}

#[tokio::test]
async fn a_temporary_password_leads_to_a_change_of_password_and_nowhere_else() {
    let world = World::start().await;
    let id = world.user("carol").await.id;
    let temporary = world.tools.accounts.reset_password(&world.security(), id, &world.operator()).await.unwrap();
    let carol = world.person("carol");
    let answer = carol.give_password(temporary.expose()).await;
    assert_eq!(answer.location(), "/secure/login/password");
    assert!(carol.client.get("/app/x").await.is_not_forwarded());
    assert_eq!(guess(&world, "carol", temporary.expose()).await.status, 422, "it works once");
    let new = "a better password than that";
    let fields = [("new_password", new), ("new_password_again", new)];
    let answer = carol.client.fill("/secure/login/password", "/secure/login/password", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(carol.client.get("/app/x").await.status, 200);
    assert_eq!(guess(&world, "carol", new).await.status, 303);
    assert_eq!(guess(&world, "carol", temporary.expose()).await.status, 422);
}
