//! Users with the hashes of other programs: imported, signed in once, and then like everybody.

use vantail::account::import::{Format, Found, Newcomer, Options, read};
use vantail::account::{AccountError, HashPool, Strength};
use vantail::identity::Right;
use vantail::secret::SecretText;
use vantail::session::Step;
use vantail::store::StoreError;

use super::world::{PASSWORD, World, is_refused};

/// Hashes of [`PASSWORD`]. Their origins: `src/account/password/foreign/tests.rs`.
const HASHES: [(&str, &str); 12] = [
    ("bcrypt-a", "$2a$04$./ABCDEFGHIJKLMNOPQRSu6.CoYiC9xmBMtak65s8wI8OcmeqR65K"),
    ("bcrypt-b", "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS"),
    ("bcrypt-y", "$2y$04$Ie9UT1CBmXV.QCeJbu3fPu6XrTpcAwG..4oggPyCgGpCz2yTDET4."),
    ("sha256-crypt", "$5$rounds=1000$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC"),
    (
        "sha512-crypt",
        "{CRYPT}$6$rounds=1000$abcdefgh$V9yg9CDircrFWO79QHX15LDFbL.3X3FUMs1Ly1PFTq2bjDEvewR0qQTaYLbAkZFGt4LXLyA7KgHzYWniYsQXZ0",
    ),
    ("django", "pbkdf2_sha256$1000$djangosalt$aX1Qi394+UFj0FScT2DL29ff7Z2hVGgCTFAQ5VTBv6w="),
    (
        "passlib",
        "$pbkdf2-sha512$1000$cGFzc2xpYi1zYWx0$MuRfp8XHlWxHghE.pVh8l1QtvMU8sVsM/2qu5hLgl9UH0.ghvOE4dvjprbPxZhjYGd38WqxNw51Ul7jYQAOaUg",
    ),
    ("ssha", "{SSHA}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA=="),
    (
        "ssha512",
        "{SSHA512}+PLxmo+ngsPz+SHBy1jGP/7/SlxKVpp+2PkNSkHC2se/AAR1HQQ8ol55umxc2k1iAfJCX/tzT/Fk5eyAm7OQU2FiY2RlZmdo",
    ),
    ("argon2i", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$RAquK13ermzOjNSOG3E5+qbxCgyCUqgHKHV2D6E4/IY"),
    ("argon2id", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$zyGkcknq0tngfkqn9yjGnrZeJOb3Za8uvhBvofDKuoE"),
    ("openldap", "{ARGON2}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$zyGkcknq0tngfkqn9yjGnrZeJOb3Za8uvhBvofDKuoE"),
];

/// What a new hash looks like with the strength of these tests.
const OWN: &str = "$argon2id$v=19$m=64,t=1,p=1$";

fn newcomers(file: &str) -> Vec<Newcomer> {
    let options = Options { email_domain: Some("example.org".into()), ..Options::default() };
    let Found { newcomers, faults, .. } = read(Format::Csv, file.as_bytes(), &options);
    assert!(faults.is_empty(), "{faults:?}");
    newcomers
}

/// Everybody of [`HASHES`].
fn everybody() -> String {
    let rows = HASHES.iter().map(|(name, hash)| format!("{name},,\"{hash}\"\n"));
    ["name,email,password_hash\n".to_owned()].into_iter().chain(rows).collect()
}

async fn import(world: &World, file: &str) {
    world.accounts().import(newcomers(file), &world.command(), &mut |_| {}).await.unwrap();
}

async fn stored(world: &World, name: &str) -> String {
    world.accounts().find(name).await.unwrap().password_hash.unwrap()
}

/// The same store, hashing with another strength.
async fn with_strength(world: &World, memory: u32, passes: u32) -> vantail::session::Login {
    let mut login = world.another_process().await;
    let strength = Strength { memory, passes, lanes: 1 };
    login.accounts.hashing = HashPool::start(1, 8, strength, login.accounts.random.clone()).unwrap();
    login
}

#[tokio::test]
async fn every_foreign_hash_lets_its_owner_in_once_and_is_our_own_then() {
    let world = World::new().await;
    import(&world, &everybody()).await;
    for (name, hash) in HASHES {
        let before = stored(&world, name).await;
        assert!(before.contains(hash.trim_start_matches("{CRYPT}")), "{name}: {before}");
        assert!(world.accounts().hashing.is_outdated(&before), "{name}");
        let user = world.accounts().find(name).await.unwrap().user;
        assert!(is_refused(&world.try_password(name, "correct horse batterz").await), "{name}");
        assert_eq!(world.tries(user.id).await, 1, "{name}: a wrong password counts");
        assert_eq!(stored(&world, name).await, before, "{name}: a wrong password changes nothing");
        assert!(matches!(world.try_password(name, PASSWORD).await, Ok(Step::SignedIn(..))), "{name}");
        let after = stored(&world, name).await;
        assert!(after.starts_with(OWN), "{name}: {after}");
        assert!(matches!(world.try_password(name, PASSWORD).await, Ok(Step::SignedIn(..))), "{name}: again");
        assert_eq!(stored(&world, name).await, after, "{name}: it is not made twice");
        assert!(is_refused(&world.try_password(name, "correct horse batterz").await), "{name}");
    }
}

#[tokio::test]
async fn auth_4_a_foreign_hash_costs_what_an_unknown_name_costs() {
    let world = World::new().await;
    world.user("native").await;
    import(&world, &everybody()).await;
    for name in HASHES.iter().map(|(name, _)| *name).chain(["native", "nobody-at-all"]) {
        let before = world.computed();
        assert!(is_refused(&world.try_password(name, "wrong").await));
        assert_eq!(world.computed(), before + 1, "{name}");
    }
    let now = world.acts().await;
    assert_eq!(now.iter().filter(|act| *act == "login.refused").count(), HASHES.len() + 2);
}

#[tokio::test]
async fn a_foreign_hash_locks_and_unlocks_like_any_other() {
    let world = World::new().await;
    import(&world, &everybody()).await;
    for _ in 0..5 {
        assert!(is_refused(&world.try_password("ssha", "wrong").await));
    }
    let before = world.computed();
    assert!(is_refused(&world.try_password("ssha", PASSWORD).await), "locked");
    assert_eq!(world.computed(), before, "nothing is computed for a locked name");
    world.wait(30 * 60);
    world.signed_in("ssha").await;
}

#[tokio::test]
async fn a_hash_of_a_decomposed_password_is_replaced_by_one_of_the_composed() {
    let world = World::new().await;
    // Python 3.11, crypt.crypt of "cafe", U+0301, " au lait".
    let hash = "$6$rounds=1000$saltstring$NhksWvQF.ilrGxNq7fU6jSUHYt/9On8k/UFZhIKct3xoQLLM4QOweWKjguhZ4Ofb6ShYZ.WV6gxbk6zQ4Rwpx.";
    import(&world, &format!("name,email,password_hash\nalice,,{hash}\n")).await;
    let (decomposed, composed) = ("cafe\u{301} au lait", "caf\u{e9} au lait");
    assert!(is_refused(&world.try_password("alice", composed).await), "its owner has never typed it so");
    for typed in [decomposed, composed, decomposed] {
        assert!(matches!(world.try_password("alice", typed).await, Ok(Step::SignedIn(..))), "{typed:?}");
    }
}

#[tokio::test]
async fn a_raised_strength_makes_the_hash_anew_and_a_lowered_one_leaves_it() {
    let world = World::new().await;
    world.user("alice").await;
    let before = stored(&world, "alice").await;
    assert!(before.starts_with(OWN));
    for (memory, passes, expected) in [
        (128, 1, "$argon2id$v=19$m=128,t=1,p=1$"),
        (128, 2, "$argon2id$v=19$m=128,t=2,p=1$"),
        (64, 1, "$argon2id$v=19$m=128,t=2,p=1$"),
        (64, 3, "$argon2id$v=19$m=128,t=2,p=1$"),
        (128, 1, "$argon2id$v=19$m=128,t=2,p=1$"),
        (64, 5, "$argon2id$v=19$m=64,t=5,p=1$"),
    ] {
        let login = with_strength(&world, memory, passes).await;
        let before = stored(&world, "alice").await;
        for _ in 0..2 {
            let act = login.act(&world.security, super::world::browser(), world.origin());
            let wrong = act.password("alice", SecretText::new("wrong")).await;
            assert!(is_refused(&wrong));
            let step = act.password("alice", SecretText::new(PASSWORD)).await.unwrap();
            assert!(matches!(step, Step::SignedIn(..)), "m={memory},t={passes}");
        }
        let after = stored(&world, "alice").await;
        assert!(after.starts_with(expected), "m={memory},t={passes}: {after}");
        assert_eq!(
            after == before,
            before.starts_with(expected),
            "m={memory},t={passes}: it changes once or not at all"
        );
    }
    world.signed_in("alice").await;
}

#[tokio::test]
async fn an_import_adds_everybody_with_a_line_of_the_trail_and_no_hash_in_it() {
    let world = World::new().await;
    import(
        &world,
        "name,email,full_name,phone,language,groups,rights,password_hash,valid_until,state\n\
         alice,a@x.org,Alice Martin,+33 6 39 98 00 11,fr,staff;admins;staff,auditor;administrator,{SSHA}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA==,2027-01-31,\n\
         bob,b@x.org,,,,,,,,disabled\n\
         carol,c@x.org,,,,,,!,,\n",
    )
    .await;
    let alice = world.accounts().find("A@x.org").await.unwrap();
    assert_eq!(alice.user.groups, ["admins", "staff"]);
    assert_eq!(alice.user.rights, [Right::Administrator, Right::Auditor]);
    assert_eq!(world.accounts().phone(&alice).unwrap().unwrap().as_str(), "+33639980011");
    assert_eq!(alice.user.valid_until.unwrap().to_string(), "2027-01-31T00:00:00Z");
    assert!(is_refused(&world.try_password("bob", PASSWORD).await));
    assert!(is_refused(&world.try_password("carol", PASSWORD).await));
    assert!(is_refused(&world.try_password("carol", "!").await));
    assert!(world.accounts().find("carol").await.unwrap().password_hash.is_none());

    let trail = world.trail().await;
    let added: Vec<_> = trail.iter().filter(|event| event.act == "user.added").collect();
    assert_eq!(added.len(), 3);
    let details: serde_json::Value = serde_json::from_str(&added[0].details).unwrap();
    assert_eq!((added[0].user, added[0].door.as_str()), (Some(alice.user.id), "command"));
    assert_eq!(
        details,
        serde_json::json!({
            "because": "import", "groups": ["admins", "staff"], "rights": ["administrator", "auditor"], "password": "ssha",
        })
    );
    let told = serde_json::to_string(&trail).unwrap();
    assert!(!told.contains("SSHA}") && !told.contains("639980011"), "{told}");
}

#[tokio::test]
async fn a_temporary_password_of_another_program_must_be_changed() {
    let world = World::new().await;
    let options = Options { email_domain: Some("example.org".into()), ..Options::default() };
    let shadow = "alice:$5$rounds=1000$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC:0:0:99999:7:::\n";
    let found = read(Format::Shadow, shadow.as_bytes(), &options);
    world.accounts().import(found.newcomers, &world.command(), &mut |_| {}).await.unwrap();
    assert!(matches!(world.try_password("alice", PASSWORD).await, Ok(Step::ChangePassword(_))));
}

#[tokio::test]
async fn whoever_is_there_already_is_told_apart_and_one_of_them_stops_all() {
    let world = World::new().await;
    world.user("alice").await;
    let file =
        "name,email\nnew,new@example.org\nALICE,other@example.org\nother,Alice@Example.org\nalice.two,x@example.org\n";
    let mut all = newcomers(file);
    let known = world.accounts().set_apart_known(&mut all).await.unwrap();
    assert_eq!(all.iter().map(|newcomer| newcomer.name.as_str()).collect::<Vec<_>>(), ["new", "alice.two"]);
    let told: Vec<_> = known.iter().map(|(_, fault)| fault.to_string()).collect();
    assert!(told[0].starts_with("line 3: there is a user “ALICE” already"), "{told:?}");
    assert!(told[1].starts_with("line 4: there is a user with the address “Alice@Example.org” already"), "{told:?}");

    let before = world.trail().await.len();
    let refused = world.accounts().import(newcomers(file), &world.command(), &mut |_| {}).await;
    assert!(matches!(refused, Err(AccountError::Store(StoreError::Taken(_)))), "{refused:?}");
    assert_eq!(world.store.count_users().await.unwrap(), 1, "half of them were added");
    assert_eq!(world.trail().await.len(), before);
}
