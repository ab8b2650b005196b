//! Browser pages, redirects, forgery: WEB-1 to WEB-4.

use std::net::IpAddr;

use crate::support::answer::Answer;
use crate::support::elsewhere::{KNOWN, corpus};
use crate::world::{PASSWORD, World};

/// `path` with `return_to` in its query.
fn returning(path: &str, return_to: &str) -> String {
    format!("{path}?{}", serde_urlencoded::to_string([("return_to", return_to)]).unwrap())
}

#[tokio::test]
async fn web_1_after_sign_in_nobody_is_sent_elsewhere() {
    let world = World::start().await;
    for hostile in KNOWN {
        let client = world.stranger();
        let csrf = client.get(&returning("/secure/login", hostile)).await.field("csrf");
        let fields = [("csrf", csrf.as_str()), ("username", "carol"), ("password", PASSWORD), ("return_to", hostile)];
        let answer = client.post_form("/secure/login", &fields).await;
        assert_eq!(answer.status, 303, "{hostile:?}: {}", answer.text());
        assert_eq!(answer.location(), if hostile.is_empty() { "/secure/" } else { "/" }, "{hostile:?}");
    }
}

#[tokio::test]
async fn web_1_whoever_is_signed_in_already_is_sent_nowhere_else_either() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let corpus = corpus();
    assert!(corpus.len() >= 500, "{} spellings", corpus.len());
    for hostile in corpus {
        let answer = carol.client.get(&returning("/secure/login", &hostile)).await;
        assert_eq!(answer.status, 303, "{hostile:?}: {}", answer.text());
        assert_eq!(answer.location(), if hostile.is_empty() { "/secure/" } else { "/" }, "{hostile:?}");
    }
}

#[tokio::test]
async fn web_1_after_sign_in_the_page_asked_for_is_shown() {
    let world = World::start().await;
    let carol = world.person("carol");
    let asked = carol.client.get("/app/page?x=1&y=2").await;
    assert!(asked.asks_for_sign_in());
    let login = asked.location().to_owned();
    let answer = carol.client.fill(&login, "/secure/login", &[("username", "carol"), ("password", PASSWORD)]).await;
    assert_eq!(answer.location(), "/app/page?x=1&y=2");
}

/// Posts with everything right but what a case changes.
async fn forged(world: &World, headers: &[(&str, &str)], csrf: Option<&str>) -> Answer {
    let person = world.person("carol");
    let page = person.client.get("/secure/login").await;
    let own = page.field("csrf");
    let body =
        serde_urlencoded::to_string([("csrf", csrf.unwrap_or(&own)), ("username", "carol"), ("password", PASSWORD)])
            .unwrap();
    let plain = crate::support::client::Client::new(world.gateway);
    for (name, value) in person.client.cookies() {
        plain.set_cookie(&name, &value);
    }
    let mut all = vec![];
    if !headers.iter().any(|(name, _)| *name == "Content-Type") {
        all.push(("Content-Type", "application/x-www-form-urlencoded"));
    }
    all.extend_from_slice(headers);
    plain.send("POST", "/secure/login", &all, body.as_bytes()).await
}

#[tokio::test]
async fn web_2_a_form_posted_from_elsewhere_changes_nothing() {
    let world = World::start().await;
    for headers in [
        &[("Origin", "https://evil.test")][..],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null")],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "multipart/form-data; boundary=x")],
    ] {
        let answer = forged(&world, headers, None).await;
        assert!(matches!(answer.status, 403 | 415), "{headers:?}: {}", answer.status);
        assert!(answer.all("set-cookie").iter().all(|cookie| !cookie.starts_with("vantail=")), "{headers:?}");
    }
    let strangers = world.stranger().get("/secure/login").await.field("csrf");
    assert_eq!(forged(&world, &[("Sec-Fetch-Site", "same-origin")], Some(&strangers)).await.status, 403);
    assert_eq!(forged(&world, &[("Sec-Fetch-Site", "same-origin")], Some("")).await.status, 403);
    assert_eq!(forged(&world, &[("Sec-Fetch-Site", "same-origin")], None).await.status, 303, "the honest form works");
}

#[tokio::test]
async fn web_2_logout_confirm_and_deny_need_their_own_forms() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", "/admin/ops/1", "{}").await;
    let token = val.token(&id).await;
    let foreign = alice
        .client
        .get(&format!("/secure/operations/{id}/wait"))
        .await
        .hidden("csrf")
        .unwrap_or_else(|| "x".repeat(43));
    for action in ["confirm", "deny", "new-token", "cancel"] {
        let target = format!("/secure/operations/{id}/{action}");
        let answer = val.client.post_form(&target, &[("csrf", &foreign), ("token", &token), ("reason", "no")]).await;
        assert_eq!(answer.status, 403, "{action}: {}", answer.text());
        let answer = val.client.post_form(&target, &[("token", &token), ("reason", "no")]).await;
        assert_eq!(answer.status, 403, "{action} without a value");
    }
    assert_eq!(val.client.post_form("/secure/logout", &[("csrf", &foreign)]).await.status, 403);
    assert_eq!(val.state(&id).await["state"], "waiting");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn web_3_cookies_are_as_locked_up_as_they_can_be() {
    let world = World::start().await;
    let https = |name: &'static str| {
        let mut person = world.person(name);
        person.client = person
            .client
            .twin()
            .coming_from(IpAddr::from([127, 0, 0, 9]))
            .with("X-Forwarded-For", "10.9.0.1")
            .with("X-Forwarded-Proto", "https");
        person
    };
    let carol = https("carol");
    let page = carol.client.get("/secure/login").await;
    let answer = carol.give_password(PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookies: Vec<_> =
        page.all("set-cookie").into_iter().chain(answer.all("set-cookie")).map(str::to_owned).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("__Host-vantail=")), "{cookies:?}");
    for cookie in &cookies {
        let lower = cookie.to_ascii_lowercase();
        assert!(cookie.starts_with("__Host-vantail"), "{cookie}");
        for attribute in ["; secure", "; httponly", "; samesite=lax", "; path=/"] {
            assert!(lower.contains(attribute), "{attribute} is missing: {cookie}");
        }
        assert!(!lower.contains("domain="), "{cookie}");
    }
}

#[tokio::test]
async fn web_3_two_different_session_cookies_are_refused_and_look_alikes_ignored() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let session = carol.client.cookie("vantail").unwrap();
    let ask = |cookie: String| {
        let client = world.program();
        async move {
            let request =
                format!("GET /app/x HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
            client.raw(request.as_bytes()).await.status
        }
    };
    assert_eq!(ask(format!("vantail={session}")).await, 200);
    assert_eq!(ask(format!("vantail={session}; vantail=vs_{}", "A".repeat(43))).await, 400);
    for look_alike in ["Vantail", "VANTAIL", "__host-vantail", "vantail-", "xvantail"] {
        assert_eq!(ask(format!("{look_alike}={session}")).await, 401, "{look_alike}");
    }
}

#[tokio::test]
async fn web_4_every_page_carries_its_protections() {
    let world = World::start().await;
    let val = world.signed_in("val").await;
    for target in [
        "/secure/",
        "/secure/login",
        "/secure/operations",
        "/secure/account",
        "/secure/nowhere",
        "/secure/operations/12345678",
        "/nowhere",
        "/admin/x%00",
    ] {
        for client in [&world.stranger(), &val.client] {
            let answer = client.get(target).await;
            let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            if answer.status == 303 {
                assert!(header("cache-control").contains("no-store"), "{target}");
                continue;
            }
            let csp = header("content-security-policy");
            for directive in ["frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"] {
                assert!(csp.contains(directive), "{target}: {csp}");
            }
            assert!(!csp.contains("unsafe-inline"), "{target}: {csp}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{target}");
            assert!(!header("referrer-policy").is_empty(), "{target}");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{target}");
            assert!(header("cache-control").contains("no-store"), "{target}");
            assert!(!answer.text().contains("<script>") && !answer.text().contains(" style="), "{target}");
            assert!(!header("x-request-id").is_empty(), "{target}");
        }
    }
    let https = world
        .stranger()
        .coming_from(IpAddr::from([127, 0, 0, 9]))
        .with("X-Forwarded-For", "10.9.0.1")
        .with("X-Forwarded-Proto", "https");
    let hsts = https.get("/secure/login").await.header("strict-transport-security").unwrap_or_default().to_owned();
    let age: u64 = hsts
        .split("max-age=")
        .nth(1)
        .and_then(|age| age.split(';').next())
        .and_then(|age| age.parse().ok())
        .unwrap_or(0);
    assert!(age >= 31_536_000, "{hsts}");
}

#[tokio::test]
async fn over_plain_http_from_elsewhere_nobody_is_signed_in() {
    let world = World::start().await;
    let far = world.stranger().coming_from(IpAddr::from([127, 0, 0, 9])).with("X-Forwarded-For", "203.0.113.5");
    let answer = far.get("/secure/login").await;
    assert!(answer.hidden("csrf").is_none() && answer.status >= 400, "{}: {}", answer.status, answer.text());
}

#[tokio::test]
async fn a_refusal_tells_its_request_id_and_what_to_do() {
    let world = World::start().await;
    let page = world.stranger().get("/nowhere").await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains(page.header("x-request-id").unwrap()), "{}", page.text());
    let document = world.program().get("/nowhere").await;
    assert_eq!(document.header("content-type"), Some("application/problem+json"));
    assert_eq!(document.json()["status"], 403);
}
