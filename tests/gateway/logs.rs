//! The audit trail and what is written anywhere: LOG-1 to LOG-3.

use std::path::Path;

use vantail::store::audit::ChainState;

use crate::world::{PASSWORD, World};

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[tokio::test]
async fn log_1_no_secret_is_written_in_clear() {
    let mut world = World::start().await;
    let mut secrets = vec![PASSWORD.to_owned(), "marked-wrong-password".to_owned()];
    {
        world.person("carol").give_password("marked-wrong-password").await;
        let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
        secrets.push(alice.client.cookie("vantail").unwrap());
        secrets.push(val.client.cookie("vantail").unwrap());
        let id = alice.asks("POST", "/admin/ops/1?name=1", r#"{"marked":"marked-body-secret"}"#).await;
        secrets.push("marked-body-secret".to_owned());
        let token = val.token(&id).await;
        secrets.push(token.replace('-', ""));
        secrets.push(token.clone());
        assert_eq!(val.confirms(&id, &token).await.status, 303);
        alice.sees(&id, "done").await;
        secrets.push(world.backend.last().header("x-vantail-assertion").unwrap().to_owned());
        secrets.push("+33639980013".to_owned());
        let page = world.stranger().get("/nowhere").await.text();
        assert!(secrets.iter().all(|secret| !page.contains(secret.as_str())));
    }
    world.stop().await;
    for file in files(&world.folder()) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret:?} is in {}", file.display());
        }
    }
}

#[tokio::test]
async fn log_2_one_event_is_one_bounded_line() {
    let world = World::start().await;
    let long = "x".repeat(30_000);
    for name in ["x\r\n{\"event\":\"login_ok\"}", "\u{1b}[31mred", &long] {
        let person = world.stranger();
        let csrf = person.get("/secure/login").await.field("csrf");
        let answer = person.post_form("/secure/login", &[("csrf", &csrf), ("username", name), ("password", "x")]).await;
        assert!(answer.status >= 400, "{}", answer.status);
    }
    let events = world.tools.store.events(0, 1000).await.unwrap();
    let mut refused = 0;
    for event in events {
        let line = serde_json::to_string(&event).unwrap();
        assert!(!line.contains('\n') && !line.contains('\u{1b}') && line.len() < 8192, "{line}");
        refused += usize::from(event.act == "login.refused");
    }
    assert_eq!(refused, 3);
}

#[tokio::test]
async fn log_3_every_act_has_its_event() {
    let world = World::start().await;
    world.person("carol").give_password("wrong").await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", "/admin/ops/1?name=1", "{}").await;
    assert_eq!(val.confirms(&id, &val.token(&id).await).await.status, 303);
    alice.sees(&id, "done").await;
    let denied = alice.asks("POST", "/admin/ops/1?name=1", "{}").await;
    val.denies(&denied, "no").await;
    alice.client.fill("/secure/logout", "/secure/logout", &[]).await;

    let events = world.tools.store.events(0, 1000).await.unwrap();
    let count = |act: &str| events.iter().filter(|event| event.act == act).count();
    for (act, times) in [
        ("login.refused", 1),
        ("login.signed-in", 2),
        ("operation.asked", 2),
        ("operation.confirmed", 1),
        ("operation.done", 1),
        ("operation.denied", 1),
        ("session.ended", 1),
    ] {
        let acts: Vec<_> = events.iter().map(|event| event.act.as_str()).collect();
        assert_eq!(count(act), times, "{act}: {acts:?}");
    }
    let confirmed = events.iter().find(|event| event.act == "operation.confirmed").unwrap();
    assert_eq!(confirmed.actor, Some(world.user("val").await.id));
    assert_eq!(confirmed.target.as_deref(), Some(id.as_str()));
    assert!(confirmed.address.is_some() && confirmed.request_id.is_some());
}

#[tokio::test]
async fn log_3_any_tampering_is_detected() {
    for (what, sql) in [
        ("edited", "UPDATE audit SET result = 'refused' WHERE seq = 3"),
        ("deleted", "DELETE FROM audit WHERE seq = 4"),
        ("the last one deleted", "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)"),
    ] {
        let world = World::start().await;
        world.signed_in("carol").await;
        assert!(matches!(world.tools.store.verify_chain().await.unwrap(), ChainState::Whole(count) if count > 4));
        world.tamper(sql).await;
        let state = world.tools.store.verify_chain().await.unwrap();
        assert!(matches!(state, ChainState::Broken { .. }), "{what}: {state:?}");
    }
}
