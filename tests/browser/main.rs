//! The demo, used by people: real browsers on the real program, its telephone page and its application.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::browser::{Browser, Setup};

/// A phone's width and height.
const PHONE: (u32, u32) = (360, 740);

/// `vantail demo` on free ports, ended when dropped.
struct Demo {
    child: Child,
    gateway: String,
    telephone: String,
}

impl Demo {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vantail"))
            .args(["demo", "--listen", "127.0.0.1:0", "--inbox", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || loop {
            let line = said.next().expect("the demo prints its addresses").unwrap();
            if let Some(at) = line.find("http://localhost:") {
                break line[at..].trim().trim_end_matches('/').to_owned();
            }
        };
        let (gateway, telephone) = (address(), address());
        std::thread::spawn(move || said.for_each(drop));
        Self { child, gateway, telephone }
    }

    fn password(name: &str) -> &'static str {
        vantail::demo::people().iter().find(|person| person.name == name).unwrap().password
    }

    /// The code `name`'s authenticator shows on the telephone page, one that has some seconds left.
    async fn code(&self, name: &str) -> String {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let page = reqwest::get(format!("{}/", self.telephone)).await.unwrap().text().await.unwrap();
            let entry = page.split("<li>").find(|entry| entry.contains(&format!(">{name}<"))).unwrap().to_owned();
            let digits: String = entry
                .split("<output>")
                .nth(1)
                .unwrap()
                .chars()
                .take_while(|c| *c != '<')
                .filter(char::is_ascii_digit)
                .collect();
            let left: String =
                entry.split("class=\"left\">").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
            if left.parse::<u32>().unwrap() > 4 {
                return digits;
            }
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The newest SMS about an operation, as its receiver reads it: (token, link).
    async fn sms(&self) -> (String, String) {
        let end = Instant::now() + support::PATIENCE;
        loop {
            let messages: serde_json::Value =
                reqwest::get(format!("{}/messages.json", self.telephone)).await.unwrap().json().await.unwrap();
            let all = messages.as_array().or_else(|| messages["messages"].as_array()).unwrap();
            let bobs = vantail::demo::people().iter().find(|person| person.name == "bob").unwrap().phone.unwrap();
            let text = all
                .iter()
                .filter(|message| message["to"] == bobs)
                .filter_map(|message| message["text"].as_str())
                .find(|text| text.contains("oken"));
            if let Some(text) = text {
                let link = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
                return (text.rsplit('#').next().unwrap().trim().to_owned(), link);
            }
            assert!(Instant::now() < end, "no SMS: {messages}");
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where pictures go, to be looked at.
fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The Enter key, in WebDriver's alphabet.
const ENTER: char = '\u{e007}';

async fn picture(browser: &Browser, name: &str) {
    browser.screenshot(&pictures().join(format!("{name}.png"))).await;
    assert!(!browser.is_wider_than_the_window().await, "{name}: wider than the window");
}

async fn sign_in(browser: &Browser, name: &str) {
    browser.fill("username", name).await;
    browser.fill("password", Demo::password(name)).await;
    browser.click("form button[type=submit]:not([name=show])").await;
}

/// Waits until the page says `text`.
async fn reads(browser: &Browser, text: &str) {
    let end = Instant::now() + support::PATIENCE;
    loop {
        let page = browser.page_text().await;
        if page.contains(text) {
            return;
        }
        assert!(Instant::now() < end, "{text:?} is not on the page:\n{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn from_asking_to_the_answer(language: &'static str, scripts: bool, dark: bool) {
    support::install_crypto();
    let demo = Demo::start();
    let kind = format!("{language}{}{}", if scripts { "" } else { "-plain" }, if dark { "-dark" } else { "" });

    let alice = Browser::start(Setup { language, dark, scripts, ..Setup::default() }).await;
    alice.open(&format!("{}/admin", demo.gateway)).await;
    picture(&alice, &format!("{kind}-1280-login")).await;
    sign_in(&alice, "alice").await;
    reads(&alice, "Customers").await;
    alice.click("form[action='/admin/customers/42/delete'] button").await;
    reads(&alice, "42").await;
    picture(&alice, &format!("{kind}-1280-waiting")).await;

    let (token, link) = demo.sms().await;
    let bob = Browser::start(Setup { window: PHONE, language, scripts, dark }).await;
    bob.open(&format!("{}/?refresh=off", demo.telephone)).await;
    picture(&bob, &format!("{kind}-360-telephone")).await;
    bob.open(&link).await;
    picture(&bob, &format!("{kind}-360-login")).await;
    sign_in(&bob, "bob").await;
    bob.text("[name=code]").await;
    picture(&bob, &format!("{kind}-360-code")).await;
    let code = demo.code("bob").await;
    bob.fill("code", &code).await;
    if !scripts {
        bob.click("form button[type=submit]").await;
    }
    bob.text("[name=token]").await;
    picture(&bob, &format!("{kind}-360-operation")).await;
    assert_eq!(bob.attribute("html", "lang").await, language, "the page follows the browser");
    let shown = bob.page_text().await;
    for said in ["42", "alice", "/admin/customers/42/delete", "reason", "Account closed"] {
        assert!(shown.contains(said), "{said:?} is not shown:\n{shown}");
    }
    bob.fill("token", &token).await;
    bob.click("form[action$='/confirm'] button[type=submit]").await;

    reads(&alice, "Customer 42 deleted").await;
    assert!(alice.address().await.ends_with("/admin/customers/42/delete"), "{}", alice.address().await);
    picture(&alice, &format!("{kind}-1280-answer")).await;
    bob.open(&link).await;
    picture(&bob, &format!("{kind}-360-done")).await;
    bob.resize(support::browser::DESKTOP).await;
    bob.open(&link).await;
    picture(&bob, &format!("{kind}-1280-done")).await;
    alice.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_asked_for_confirmed_on_a_phone_and_answered() {
    from_asking_to_the_answer("en", true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_in_the_dark_without_scripts_for_a_french_browser() {
    from_asking_to_the_answer("fr", false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_signs_in_and_confirms_with_the_keyboard_alone() {
    support::install_crypto();
    let demo = Demo::start();
    let alice = Browser::start(Setup::default()).await;
    alice.open(&format!("{}/admin", demo.gateway)).await;
    sign_in(&alice, "alice").await;
    alice.click("form[action='/admin/customers/42/delete'] button").await;
    let (token, link) = demo.sms().await;

    let bob = Browser::start(Setup { window: PHONE, ..Setup::default() }).await;
    bob.open(&link).await;
    bob.tab_to("[name=username]").await;
    bob.keys("bob").await;
    bob.tab_to("[name=password]").await;
    bob.keys(&format!("{}{ENTER}", Demo::password("bob"))).await;
    bob.tab_to("[name=code]").await;
    bob.keys(&demo.code("bob").await).await;
    bob.tab_to("[name=token]").await;
    bob.keys(&format!("{token}{ENTER}")).await;
    reads(&alice, "Customer 42 deleted").await;
    alice.close().await;
    bob.close().await;
}
