//! Paths and rule matching: PATH-1 to PATH-7, and HOLD-14.

use crate::support::raw_h2::Outcome;
use crate::world::World;

/// Every spelling of the path cases by which `/admin/ops/1` might be reached unjudged.
const SPELLINGS: [&str; 34] = [
    "/public/../admin/ops/1",
    "/public/%2e%2e/admin/ops/1",
    "/public/.%2e/admin/ops/1",
    "/public/%2E./admin/ops/1",
    "/public/x/..%2f..%2fadmin/ops/1",
    "/public../admin/ops/1",
    "//admin/ops/1",
    "/admin//ops/1",
    "/./admin/ops/1",
    "/admin/./ops/1",
    "/admin/ops/1/",
    "/admin/ops/1/.",
    "/admin/ops//1",
    "/%61dmin/ops/1",
    "/adm%69n/ops/1",
    "/%61%64%6d%69%6e/ops/1",
    "/admin/%6fps/1",
    "/admin%2fops%2f1",
    "/admin%2Fops/1",
    "/public%5c..%5cadmin/ops/1",
    "/public\\..\\admin\\ops\\1",
    "/admin;a=1/ops/1",
    "/admin/ops;x/1",
    "/public/..;/admin/ops/1",
    "/public;/../admin/ops/1",
    "/public/%2e%2e;/admin/ops/1",
    "/admin/ops/1;jsessionid=2",
    "admin/ops/1",
    "?/admin/ops/1",
    "*x",
    "ftp://gw.test/admin/ops/1",
    "http://gw.test/admin/ops/1",
    "/admin/ops/1%00",
    "/admin/ops/1%zz",
];

async fn reaches_nothing(world: &World, method: &str, targets: &[&str]) {
    for target in targets {
        let answer = world.stranger().send(method, target, &[], b"").await;
        assert!(answer.is_not_forwarded(), "{method} {target}: {}", answer.status);
    }
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
}

#[tokio::test]
async fn path_1_no_dot_segment_leads_out_of_the_open_folder() {
    let world = World::start().await;
    reaches_nothing(&world, "GET", &SPELLINGS[..6]).await;
}

#[tokio::test]
async fn path_1_the_path_judged_is_the_path_sent() {
    let world = World::start().await;
    for (asked, sent) in [
        ("/public/a/../b", "/public/b"),
        ("/public//x/./y", "/public/x/y"),
        ("/public/%7euser/%c3%a9", "/public/~user/%C3%A9"),
        ("/public/x?y=%2e%2e/%2f", "/public/x?y=%2e%2e/%2f"),
    ] {
        assert_eq!(world.stranger().get(asked).await.status, 200, "{asked}");
        assert_eq!(world.backend.last().target, sent, "{asked}");
    }
}

#[tokio::test]
async fn path_2_every_spelling_of_a_held_path_is_held() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    for target in
        ["//admin/ops/1", "/admin//ops/1", "/./admin/ops/1", "/admin/./ops/1", "/admin/ops/1/", "/admin/ops/1/."]
    {
        alice.asks("POST", target, "{}").await;
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn path_3_encoded_letters_are_judged_as_the_letters() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    for target in ["/%61dmin/ops/1", "/adm%69n/ops/1", "/%61%64%6d%69%6e/ops/1", "/admin/%6fps/1"] {
        alice.asks("POST", target, "{}").await;
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn path_4_encoded_separators_are_refused() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    for target in ["/admin%2fops%2f1", "/admin%2Fops", "/public%5c..%5cadmin", "/public\\..\\admin", "/public/a%2fb"] {
        assert_eq!(alice.client.get(target).await.status, 400, "{target}");
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn path_4_a_listed_encoded_slash_stays_one_segment_and_goes_on_unchanged() {
    let world = World::builder().site("encoded_slash = [\"/public/files/**\"]").start().await;
    assert_eq!(world.stranger().get("/public/files/a%2Fb").await.status, 200);
    assert_eq!(world.backend.last().target, "/public/files/a%2Fb");
    assert_eq!(world.stranger().get("/public/other/a%2Fb").await.status, 400);
    let out = world.stranger().get("/public/files/..%2f..%2fadmin/ops/1").await;
    assert!(out.is_not_forwarded() || world.backend.last().target.contains("..%2F..%2F"), "{}", out.status);
}

#[tokio::test]
async fn path_5_rules_look_at_the_path_alone() {
    let world = World::start().await;
    for target in ["/app/p?x=/public/health", "/app/p?/public/health", "/app/p%23/public/health"] {
        assert!(world.stranger().get(target).await.asks_for_sign_in(), "{target}");
    }
    assert_eq!(world.stranger().get("/app/p#/public/health").await.status, 400);
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn path_6_a_path_with_a_semicolon_gets_the_stricter_answer() {
    let world = World::start().await;
    let targets = ["/admin;a=1/ops/1", "/admin/ops;x/1", "/public/..;/admin/ops", "/public;/../admin/ops"];
    reaches_nothing(&world, "GET", &targets).await;
    reaches_nothing(&world, "POST", &targets).await;
    let alice = world.signed_in("alice").await;
    for target in targets {
        let answer = alice.client.send("POST", target, &[], b"").await;
        assert!(answer.status == 303 || answer.is_not_forwarded(), "{target}: {}", answer.status);
    }
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
}

#[tokio::test]
async fn path_7_strange_target_forms_are_refused() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    for target in ["admin/ops", "?/admin", "*x", "ftp://gw.test/admin/ops", "http://other.test/public/x"] {
        assert_eq!(alice.client.get(target).await.status, 400, "{target}");
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn path_7_the_absolute_form_is_judged_and_sent_on_in_origin_form() {
    let world = World::start().await;
    assert!(world.stranger().get("http://gw.test/admin/ops").await.asks_for_sign_in());
    assert_eq!(world.stranger().get("http://gw.test/public/x?y=1").await.status, 200);
    assert_eq!(world.backend.last().target, "/public/x?y=1");
}

#[tokio::test]
async fn hold_14_every_spelling_is_held_or_refused() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    for method in ["POST", "DELETE"] {
        for target in SPELLINGS {
            for extra in [
                &[][..],
                &[("X-Forwarded-Prefix", "/public"), ("X-Original-URL", "/public/x"), ("X-Forwarded-Uri", "/public/x")],
            ] {
                let answer = alice.client.send(method, target, extra, b"").await;
                assert_ne!(answer.status, 429, "{method} {target}: not asked with a free place");
                world.cancel_all().await;
                let held = answer.status == 303 && answer.location().contains("/wait");
                assert!(held || answer.is_not_forwarded(), "{method} {target}: {} {}", answer.status, answer.text());
            }
        }
    }
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
}

#[tokio::test]
async fn hold_14_every_spelling_is_held_or_refused_over_http_2() {
    let world = World::builder().tls().start().await;
    let alice = world.signed_in("alice").await;
    let cookie = format!("__Host-vantail={}", alice.client.cookie("vantail").unwrap());
    for target in SPELLINGS.iter().filter(|target| target.starts_with('/')) {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "gw.test"),
            (":path", *target),
            ("cookie", cookie.as_str()),
            ("content-length", "0"),
        ];
        // A connection each: on a used one answers refer to earlier ones, which a client of raw frames does not keep.
        if let Outcome::Answered(status) = world.h2().await.ask(&fields, Some(b"")).await {
            assert!(status == 202 || (400..500).contains(&status) && status != 429, "{target}: {status}");
            world.cancel_all().await;
        }
    }
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
}
