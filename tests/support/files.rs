//! The files of an installation: `vantail.toml`, policies, a certificate. Everything lies in one folder, what the gateway
//! writes under `data/`.

use std::net::SocketAddr;
use std::path::Path;

/// What `vantail.toml` says.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// The lines of `[listen]`.
    listen: String,
    /// `portal.url`.
    url: String,
    /// Where SMS are posted.
    sms: Option<SocketAddr>,
    /// Where mails are sent.
    mail: Option<SocketAddr>,
}

const SMS: &str = r#"method = "POST"
headers = { Content-Type = "application/json" }
body = '{"to":"${to}","text":"${text}"}'"#;

// === impl Configuration ===

impl Configuration {
    /// Of a gateway whose portal is at `url`.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }

    /// Of a gateway that listens on a port of this machine, in clear, as `localhost`.
    pub fn on(address: SocketAddr) -> Self {
        Self::at(&format!("http://localhost:{}", address.port())).listen(&format!("http = [\"{address}\"]"))
    }

    /// More lines of `[listen]`.
    pub fn listen(mut self, lines: &str) -> Self {
        self.listen.push_str(lines);
        self.listen.push('\n');
        self
    }

    /// Its SMS go there.
    pub fn sms(mut self, provider: SocketAddr) -> Self {
        self.sms = Some(provider);
        self
    }

    /// Its mails go there.
    pub fn mail(mut self, server: SocketAddr) -> Self {
        self.mail = Some(server);
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let Self { listen, url, sms, mail } = self;
        let sms = sms.map(|to| format!("[sms]\nprovider = \"http\"\nurl = \"http://{to}/send\"\n{SMS}\n"));
        let mail = mail.map(|to| format!("[mail]\nurl = \"smtp://{to}\"\nfrom = \"Gate <gate@gw.test>\"\n"));
        format!(
            "[listen]\n{listen}[portal]\nurl = \"{url}\"\n[store]\ndatabase = \"sqlite:data/vantail.db\"\n[keys]\ndirectory \
             = \"data/keys\"\n[policies]\ndirectory = \"policies\"\n{}{}",
            sms.unwrap_or_default(),
            mail.unwrap_or_default()
        )
    }
}

/// Writes a file below `folder`, and the folders it needs.
pub fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().expect("a name below a folder")).expect("a folder can be made");
    std::fs::write(file, text).expect("a file can be written");
}

/// Makes `certificate.pem`, to be trusted for `host`, and `key.pem`; the certificate.
pub fn write_certificate(folder: &Path, host: &str) -> String {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).expect("a certificate");
    write(folder, "certificate.pem", &made.cert.pem());
    write(folder, "key.pem", &made.signing_key.serialize_pem());
    made.cert.pem()
}
