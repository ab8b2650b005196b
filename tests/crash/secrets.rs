//! LOG-1: what the program writes to its log, its metrics, its files and its messages, and what it leaves when it crashes.

use serde_json::Value;
use totp_rs::{Algorithm, Builder, Secret};
use vantail::time::{Clock as _, SystemClock};

use crate::HELD;
use crate::process::{Installation, PASSWORD, PHONE, Running};
use crate::support::client::Client;

/// What was given in confidence, and by what name a failed test calls it.
type Secrets = Vec<(&'static str, String)>;

const WRONG: &str = "marked-wrong-password";
const BODY: &str = "marked-body";
const QUERY: &str = "marked-query";
const HEADER: &str = "marked-header";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_1_no_secret_is_in_what_the_program_writes() {
    let mut installation = Installation::make().await;
    installation.sends_mail = true;
    installation.requires_second_factor_of("group:strict");
    installation.add("vera", &["--group", "strict"]);
    let gateway = installation.start_with(&[("RUST_LOG", "debug")]).await;
    let mut secrets = vec![("password", PASSWORD.to_owned()), ("phone number", PHONE.to_owned())];
    secrets.push(("sealing key", installation.sealing_key()));
    sign_in(&gateway, &mut secrets).await;
    hold_confirm_and_deny(&gateway, &installation, &mut secrets).await;
    let pages = refusals(&gateway, &installation).await;
    let metrics = gateway.metrics().await;
    gateway.ask_to_stop().await;

    let log = installation.log();
    assert!(log.contains("\"level\":\"DEBUG\"") && log.contains("\"target\":\"access\""), "a log of everything");
    for (name, secret) in &secrets {
        for (place, text) in [("the log", &log), ("the metrics", &metrics), ("a page", &pages)] {
            assert!(!text.contains(secret.as_str()), "the {name} is in {place}: {}", around(text, secret));
        }
        for message in installation.messages() {
            let its_own = matches!(*name, "operation token" | "operation token without its hyphen");
            assert!(its_own || !message.text.contains(secret.as_str()), "the {name} is in {message:?}");
        }
        for file in installation.files() {
            let belongs = file.ends_with("password") || (file.ends_with("sealing.key") && *name == "sealing key");
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(belongs || !found, "the {name} is in {}", file.display());
        }
    }
}

/// vera enrols a second factor: password, wrong password, seed, code, cookies.
async fn sign_in(gateway: &Running, secrets: &mut Secrets) {
    let vera = Client::new(gateway.address).host("localhost").browser().with("X-Own", HEADER);
    let wrong = [("username", "vera"), ("password", WRONG)];
    assert_eq!(vera.fill("/secure/login", "/secure/login", &wrong).await.status, 422);
    let right = [("username", "vera"), ("password", PASSWORD)];
    assert_eq!(vera.fill("/secure/login", "/secure/login", &right).await.location(), "/secure/login/enrol");
    secrets.push(("cookie of a sign-in on its way", vera.cookie("vantail").unwrap()));
    let page = vera.get("/secure/login/enrol").await.text();
    let letters = page.split_once("<p class=\"letters\"><code>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let seed = Secret::try_from_base32(letters.replace(' ', "")).unwrap();
    let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(seed).build().unwrap();
    let code = totp.generate(u64::try_from(SystemClock.now().as_secs()).unwrap()).to_string();
    let given = vera.fill("/secure/login/enrol", "/secure/login/enrol", &[("code", &code)]).await;
    assert_eq!(given.status, 200, "{}", given.text());
    let recovery = given.text().split_once("<li><code>").unwrap().1.split_once('<').unwrap().0.to_owned();
    secrets.push(("recovery code without its hyphen", recovery.replace('-', "")));
    secrets.push(("recovery code", recovery));
    secrets.push(("seed", letters.replace(' ', "")));
    secrets.push(("seed in groups", letters));
    secrets.push(("cookie", vera.cookie("vantail").unwrap()));
    secrets.extend([("wrong password", WRONG.to_owned()), ("header", HEADER.to_owned())]);
}

/// One operation is confirmed, another denied; both were asked with a body, a query and a header that nobody else is told.
async fn hold_confirm_and_deny(gateway: &Running, installation: &Installation, secrets: &mut Secrets) {
    let (alice, val) = (installation.client(gateway, "alice"), installation.client(gateway, "val"));
    let (target, body) = (format!("{HELD}&note={QUERY}"), format!("{{\"note\":\"{BODY}\"}}"));
    for act in ["confirm", "deny"] {
        let headers = [("Content-Type", "application/json"), ("Authorization", HEADER)];
        let asked = alice.send("POST", &target, &headers, body.as_bytes()).await;
        let id = asked.location().split('/').nth(3).unwrap().to_owned();
        let token = installation.token(gateway, &id).await.unwrap();
        let fields = [("token", token.as_str()), ("reason", "not today")];
        let page = format!("/secure/operations/{id}");
        let done = val.fill(&page, &format!("{page}/{act}"), &fields).await;
        assert_eq!(done.status, 303, "{act}: {}", done.text());
        secrets.push(("operation token without its hyphen", token.replace('-', "")));
        secrets.push(("operation token", token));
    }
    let delivered = installation.backend.wait_for(1).await.remove(0);
    secrets.push(("assertion", delivered.header("x-vantail-assertion").unwrap().to_owned()));
    installation.mail_about("denied").await;
    secrets.extend([("body", BODY.to_owned()), ("query", QUERY.to_owned())]);
    secrets.extend([("alice's cookie", alice.cookie("vantail").unwrap())]);
    secrets.extend([("val's cookie", val.cookie("vantail").unwrap())]);
}

/// Pages that say no, to somebody who gave secrets with what they asked.
async fn refusals(gateway: &Running, installation: &Installation) -> String {
    let alice = installation.client(gateway, "alice").with("X-Own", HEADER);
    let mut pages = String::new();
    for target in [format!("/nowhere?note={QUERY}"), format!("/secure/nowhere?note={QUERY}"), "/a%00".to_owned()] {
        let answer = alice.send("POST", &target, &[("Content-Type", "text/plain")], BODY.as_bytes()).await;
        assert!(answer.status >= 400, "{target}: {}", answer.status);
        pages.push_str(&answer.text());
    }
    pages
}

/// A secret, and where it was found.
fn around<'a>(text: &'a str, secret: &str) -> &'a str {
    text.lines().find(|line| line.contains(secret)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_1_a_crash_leaves_no_core_file() {
    let installation = Installation::make().await;
    let gateway = installation.start(None).await;
    let before = installation.files().len();
    assert!(!gateway.crash().await, "the machine was given a core file with every secret in memory");
    let core = |file: &std::path::PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("core");
    assert!(!installation.files().iter().any(core) && installation.files().len() <= before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_and_its_line_in_the_log_have_one_id() {
    let installation = Installation::make().await;
    let gateway = installation.start(None).await;
    let browser = Client::new(gateway.address).host("localhost").browser();
    let program = Client::new(gateway.address).host("localhost");
    let stranger = Client::new(gateway.address).host("elsewhere.test");
    let mut told = vec![];
    for (client, target, status) in [
        (&browser, "/nowhere", 403),
        (&browser, "/secure/nowhere", 404),
        (&browser, "/a%00b", 400),
        (&program, "/nowhere", 403),
        (&program, "/secure/operations", 401),
        (&program, "/secure/nowhere", 404),
        (&program, "/a//..%2f", 400),
        (&stranger, "/x", 421),
    ] {
        let answer = client.get(target).await;
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(answer.text().contains(&id), "{target} does not show its id: {}", answer.text());
        if answer.header("content-type") == Some("application/problem+json") {
            assert_eq!(answer.json()["request_id"], id.as_str(), "{target}");
        }
        told.push((id, target, status));
    }
    gateway.ask_to_stop().await;
    let lines: Vec<Value> = installation.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (id, target, status) in told {
        let own = lines.iter().filter(|line| line["request_id"] == id.as_str()).collect::<Vec<_>>();
        let access: Vec<_> = own.iter().filter(|line| line["target"] == "access").collect();
        assert_eq!(access.len(), 1, "{target}: {own:?}");
        assert_eq!(access[0]["status"], status, "{target}");
    }
}
