use futures_util::StreamExt as _;

use super::*;

async fn app() -> (LegacyApp, reqwest::Client) {
    // Another test of this process may have installed it first; either way it is there.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    (LegacyApp::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap(), reqwest::Client::new())
}

fn url(app: &LegacyApp, path: &str) -> String {
    format!("http://{}{path}", app.addr())
}

#[tokio::test]
async fn it_believes_whoever_the_headers_name() {
    let (app, client) = app().await;
    let page = client.get(url(&app, "/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("User: <b>unknown</b>"));
    let request = client.get(url(&app, "/staff")).header("Remote-User", "alice").header("Remote-Groups", "staff");
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("User: <b>alice</b>") && page.contains("Groups: staff"));
}

#[tokio::test]
async fn a_deleted_customer_is_gone_and_the_answer_has_a_cookie_and_relative_links() {
    let (app, client) = app().await;
    let delete = client.post(url(&app, "/admin/customers/42/delete")).header("X-Vantail-Operation", "48271935");
    let answer = delete.send().await.unwrap();
    assert_eq!(answer.headers()["set-cookie"], "legacy-last-deleted=42; Path=/; HttpOnly; SameSite=Lax");
    let page = answer.text().await.unwrap();
    assert!(page.contains(r#"href="../../""#) && page.contains("48271935"));
    assert!(app.customers().iter().all(|customer| customer.id != 42));
    let again = client.post(url(&app, "/admin/customers/42/delete")).send().await.unwrap();
    assert_eq!(again.status(), 404);
}

#[tokio::test]
async fn programs_delete_too() {
    let (app, client) = app().await;
    let answer = client.delete(url(&app, "/api/customers/17")).send().await.unwrap();
    let deleted: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(deleted["deleted"]["name"], "Marguerite Vasseur");
    let answer = client.get(url(&app, "/api/customers")).send().await.unwrap();
    let left: Vec<serde_json::Value> = answer.json().await.unwrap();
    assert_eq!(left.len(), 5);
}

#[tokio::test]
async fn it_shows_every_header_it_received() {
    let (app, client) = app().await;
    let text = client.get(url(&app, "/headers")).header("X-Odd", "one").send().await.unwrap().text().await.unwrap();
    assert!(text.lines().any(|line| line == "x-odd: one"), "{text}");
    let claims = "e30.eyJzdWIiOiJhbGljZSJ9.c2ln";
    let request = client.get(url(&app, "/headers")).header("Accept", "text/html").header("X-Vantail-Assertion", claims);
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&#34;sub&#34;: &#34;alice&#34;"), "{page}");
}

#[tokio::test]
async fn downloads_and_uploads_are_counted() {
    let (app, client) = app().await;
    let answer = client.get(url(&app, "/download?bytes=100001")).send().await.unwrap();
    assert_eq!(answer.content_length(), Some(100_001));
    assert_eq!(answer.bytes().await.unwrap().len(), 100_001);
    let answer = client.post(url(&app, "/upload")).body("abc").send().await.unwrap();
    let counted: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(counted["bytes"], 3);
    assert_eq!(counted["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[tokio::test]
async fn events_come_one_after_the_other() {
    let (app, client) = app().await;
    let mut events = client.get(url(&app, "/events?every=5")).send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while !text.contains("data: 3") {
        text.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.starts_with("event: tick\n"), "{text}");
}
