//! A real browser: Chromium, driven through its WebDriver, without a window and without a word to anybody but this machine.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use super::{PATIENCE, soon};

/// A desktop's window.
pub const DESKTOP: (u32, u32) = (1280, 900);
/// A small telephone's.
pub const TELEPHONE: (u32, u32) = (360, 740);

/// A running browser with a profile of its own. Both it and its driver end when this is dropped.
pub struct Browser {
    /// For whatever is not here.
    pub client: Client,
    _driver: Driver,
    profile: tempfile::TempDir,
}

/// The driver's process. Ended by a signal it would leave its browser behind: it is asked to shut down.
struct Driver {
    process: Child,
    port: u16,
}

/// How a browser is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Width and height in CSS pixels.
    pub window: (u32, u32),
    /// `en`, `fr`.
    pub language: &'static str,
    /// Whether it asks for dark pages.
    pub dark: bool,
    /// Whether pages may run scripts.
    pub scripts: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { window: DESKTOP, language: "en", dark: false, scripts: true }
    }
}

// === impl Browser ===

impl Browser {
    /// Starts one.
    pub async fn start(setup: Setup) -> Self {
        let profile = tempfile::Builder::new().prefix("vantail-browser-").tempdir().expect("a temporary folder");
        let driver = Driver::start(profile.path());
        let capabilities = capabilities(setup, profile.path());
        let address = format!("http://127.0.0.1:{}", driver.port);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(capabilities).connect(&address);
        let client = soon("starting the browser", connecting).await.expect("a browser");
        let browser = Self { client, _driver: driver, profile };
        browser.resize(setup.window).await;
        // Without a window system some versions give no page the focus, and nothing shows where it is.
        browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        browser
    }

    /// Sets the size of the page, in CSS pixels. A window would not become narrower than 500.
    pub async fn resize(&self, (width, height): (u32, u32)) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Opens `url`.
    pub async fn open(&self, url: &str) {
        soon("opening a page", self.client.goto(url)).await.expect("a page");
    }

    /// Waits for the element that `css` selects, and gives its text.
    pub async fn text(&self, css: &str) -> String {
        self.with(css, async |element| element.text().await).await
    }

    /// Waits for the element that `css` selects, and gives its attribute `name`, empty when it has none.
    pub async fn attribute(&self, css: &str, name: &str) -> String {
        self.with(css, async |element| element.attr(name).await).await.unwrap_or_default()
    }

    /// Waits for the field called `name` and types `value` into it.
    pub async fn fill(&self, name: &str, value: &str) {
        self.with(&format!("[name='{name}']"), async |element| element.send_keys(value).await).await;
    }

    /// Types `keys` wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        let typing = async { self.client.active_element().await?.send_keys(keys).await };
        soon("typing", typing).await.expect("something that takes keys");
    }

    /// Goes on with the Tab key until the focus is on the element that `css` selects; the element must show that it
    /// has it.
    pub async fn tab_to(&self, css: &str) {
        self.text(css).await;
        let there = format!("return document.activeElement?.matches({css:?}) ?? false");
        for _ in 0..40 {
            let answer = soon("looking for the focus", self.client.execute(&there, Vec::new())).await;
            if answer.expect("an answer") == json!(true) {
                let outline = "return getComputedStyle(document.activeElement).outlineStyle";
                let answer = soon("looking at the focus", self.client.execute(outline, Vec::new())).await;
                assert_ne!(answer.expect("an answer"), json!("none"), "{css} does not show that it has the focus");
                return;
            }
            self.keys("\u{e004}").await;
        }
        panic!("{css} cannot be reached with the Tab key");
    }

    /// Waits for the element that `css` selects and clicks it.
    pub async fn click(&self, css: &str) {
        self.with(css, async |element| element.click().await).await;
    }

    /// Waits for the element that `css` selects and does `act` with it: again when the page moved on in between.
    async fn with<T>(&self, css: &str, act: impl AsyncFn(Element) -> Result<T, CmdError>) -> T {
        let trying = async {
            loop {
                match act(self.client.wait().for_element(Locator::Css(css)).await?).await {
                    Err(error) if moved_on(&error) => {}
                    done => return done,
                }
            }
        };
        soon(css, trying).await.unwrap_or_else(|error: CmdError| panic!("{css}: {error}"))
    }

    /// The address shown.
    pub async fn address(&self) -> String {
        soon("reading the address", self.client.current_url()).await.expect("an address").to_string()
    }

    /// The page's text as a person reads it.
    pub async fn page_text(&self) -> String {
        self.text("body").await
    }

    /// Whether the page is wider than the window: then a person has to move it sideways to read it.
    pub async fn is_wider_than_the_window(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        let answer = soon("measuring", self.client.execute(script, Vec::new())).await;
        answer.expect("an answer").as_bool().expect("yes or no")
    }

    /// Saves a picture of the whole page, as PNG.
    pub async fn screenshot(&self, file: &Path) {
        // Whole pages have no scroll bar in the picture: the clip is the window's width, not what the bar left of it.
        let script = "return [window.innerWidth, document.documentElement.scrollHeight]";
        let size = soon("measuring", self.client.execute(script, Vec::new())).await.expect("an answer");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let parameters = json!({ "captureBeyondViewport": true, "clip": clip });
        let picture = self.devtools("Page.captureScreenshot", parameters).await;
        let data = picture["data"].as_str().expect("a picture");
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).expect("base64");
        std::fs::write(file, bytes).expect("a file that can be written");
    }

    /// The folder that is this browser's alone.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// Ends the browser. Dropping it does too, less politely.
    pub async fn close(self) {
        let client = self.client.clone();
        soon("closing the browser", client.close()).await.expect("the browser closes");
    }

    /// A command of Chromium's own.
    async fn devtools(&self, command: &'static str, parameters: serde_json::Value) -> serde_json::Value {
        let issued = self.client.issue_cmd(DevTools { command, parameters });
        let answer: Result<_, CmdError> = soon(command, issued).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }
}

// === impl Driver ===

impl Driver {
    /// Starts one on a port of its choice and reads which.
    fn start(home: &Path) -> Self {
        let mut process = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home)
            .env("XDG_CACHE_HOME", home)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: apt-get install chromium-driver");
        let port = port_said(process.stdout.take().expect("piped above"));
        Self { process, port }
    }

    /// Asks it to end every browser and itself, and waits for its answer.
    fn shut_down(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.shut_down().is_err() {
            let _killed = self.process.kill();
        }
        let _ended = self.process.wait();
    }
}

/// chromedriver's way to Chromium's own commands.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: serde_json::Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// `ChromeDriver was started successfully on port 41237.`
fn port_said(stdout: ChildStdout) -> u16 {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says its port")
}

/// Whether the page that was looked at is another one by now. Chromium has two words for it.
fn moved_on(error: &CmdError) -> bool {
    error.is_stale_element_reference() || error.to_string().contains("does not belong to the document")
}

fn capabilities(setup: Setup, profile: &Path) -> serde_json::Map<String, serde_json::Value> {
    let (width, height) = setup.window;
    let mut arguments = vec![
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-search-engine-choice-screen".to_owned(),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1".to_owned(),
        format!("--lang={}", setup.language),
        format!("--window-size={width},{height}"),
        format!("--user-data-dir={}", profile.join("profile").display()),
    ];
    if setup.dark {
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut preferences = json!({ "intl.accept_languages": setup.language });
    if !setup.scripts {
        preferences["profile.managed_default_content_settings.javascript"] = json!(2);
    }
    let capabilities = json!({
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": { "args": arguments, "prefs": preferences },
    });
    capabilities.as_object().cloned().expect("an object")
}
