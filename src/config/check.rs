//! What the file means: every value checked, every fault told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::HeaderName;
use ipnet::IpNet;

use super::document::{Document, Mistake, child, schema_of};
use super::file::{ConfigFile, KeysFile, Language, ListenFile, MailFile, PortalFile, SmsFile, SmsMethod, TlsFile};
use super::{Config, ConfigFault, Keys, Listen, Mail, Portal, Sms, Store, Tls, environment, units};
use crate::secret::SecretText;

/// Checks `text`, the content of `file`, with the environment's `variables` over it.
pub(super) fn check(
    file: &Path,
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<ConfigFault>> {
    let (mut document, mut mistakes) = Document::parse(text);
    mistakes.extend(environment::overlay(&mut document, &schema_of::<ConfigFile>(), variables));
    let (said, more) = document.read::<ConfigFile>();
    mistakes.extend(more);
    let mut checker = Checker { document, mistakes, base: base_of(file) };
    let config = checker.config(said);
    checker.mistakes.sort_by_key(|mistake| mistake.place.order());
    if checker.mistakes.is_empty() {
        Ok(config)
    } else {
        Err(checker.mistakes.iter().map(|mistake| ConfigFault::of(file, mistake)).collect())
    }
}

/// Where relative paths start: the file's folder, or what holds it when it is called `config`.
fn base_of(file: &Path) -> PathBuf {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = whole.parent().unwrap_or(Path::new("/"));
    let base = if folder.ends_with("config") { folder.parent().unwrap_or(folder) } else { folder };
    base.to_owned()
}

struct Checker {
    document: Document,
    mistakes: Vec<Mistake>,
    base: PathBuf,
}

// === impl Checker ===

impl Checker {
    fn config(&mut self, said: ConfigFile) -> Config {
        Config {
            listen: self.listen(&said.listen),
            portal: self.portal(&said.portal),
            store: self.store(said.store.database),
            keys: self.keys(&said.keys),
            mail: said.mail.map(|mail| self.mail(mail)),
            sms: said.sms.map(|sms| self.sms(sms)),
            policies: self.path(said.policies.directory.as_deref().unwrap_or("policies")),
        }
    }

    fn fault(&mut self, pointer: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let mistake = self.document.fault(pointer, what, remedy);
        self.mistakes.extend(mistake);
    }

    fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    fn listen(&mut self, said: &ListenFile) -> Listen {
        let default = ["0.0.0.0:8080".to_owned()];
        let http = match (&said.http, &said.https) {
            (Some(http), _) => http.as_slice(),
            (None, None) => &default,
            (None, Some(_)) => &[],
        };
        let http: Vec<SocketAddr> = http
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.address(&format!("/listen/http/{index}"), text))
            .collect();
        let https: Vec<Tls> =
            said.https.iter().flatten().enumerate().filter_map(|(index, tls)| self.tls(index, tls)).collect();
        if said.http.as_ref().is_none_or(Vec::is_empty) && said.https.as_ref().is_some_and(Vec::is_empty) {
            self.fault("/listen", "the gateway would listen nowhere", "add an address to `http` or `https`");
        }
        let trusted = |(index, text): (usize, &String)| self.network(&format!("/listen/trusted_proxies/{index}"), text);
        let trusted_proxies: Vec<IpNet> = said.trusted_proxies.iter().enumerate().filter_map(trusted).collect();
        if said.proxy_protocol && said.trusted_proxies.is_empty() {
            let what = "`proxy_protocol` believes trusted proxies only, and there are none, so every connection would be refused";
            self.fault("/listen/proxy_protocol", what, "name the proxies in `trusted_proxies`");
        }
        let operations = said.operations.as_deref().and_then(|text| self.address("/listen/operations", text));
        let listen = Listen {
            http,
            https,
            proxy_protocol: said.proxy_protocol,
            trusted_proxies,
            operations,
            drop_strangers: said.drop_strangers,
        };
        self.doubles(&listen);
        listen
    }

    fn doubles(&mut self, listen: &Listen) {
        let all: Vec<SocketAddr> = listen
            .http
            .iter()
            .copied()
            .chain(listen.https.iter().map(|tls| tls.address))
            .chain(listen.operations)
            .filter(|address| address.port() != 0)
            .collect();
        for (index, address) in all.iter().enumerate() {
            if all[..index].contains(address) {
                self.fault("/listen", format!("{address} is listed twice"), "give each listener an address of its own");
            }
        }
    }

    fn address(&mut self, at: &str, text: &str) -> Option<SocketAddr> {
        let address = units::socket_address(text);
        address.map_err(|expected| self.fault(at, format!("`{text}` is not an address to listen on"), expected)).ok()
    }

    fn network(&mut self, at: &str, text: &str) -> Option<IpNet> {
        let network = units::network(text).map_err(|(what, remedy)| self.fault(at, what, remedy)).ok()?;
        if network.prefix_len() == 0 {
            self.fault(
                at,
                format!("`{text}` would believe everybody about who they are"),
                "name the proxies' own addresses",
            );
        }
        Some(network)
    }

    fn tls(&mut self, index: usize, said: &TlsFile) -> Option<Tls> {
        let at = format!("/listen/https/{index}");
        let certificate = self.readable(&child(&at, "certificate"), &said.certificate, "the certificate");
        let key = self.readable(&child(&at, "key"), &said.key, "the private key");
        let address = self.address(&child(&at, "address"), &said.address)?;
        Some(Tls { address, certificate, key })
    }

    fn readable(&mut self, at: &str, text: &str, name: &str) -> PathBuf {
        let path = self.path(text);
        if let Err(error) = std::fs::File::open(&path) {
            let what = format!("{name} {} cannot be read: {error}", path.display());
            self.fault(at, what, "name a PEM file that the gateway's user can read");
        }
        path
    }

    fn portal(&mut self, said: &PortalFile) -> Portal {
        let url = said.url.as_deref().and_then(origin);
        if let (Some(text), None) = (&said.url, &url) {
            let what = format!("`{text}` is not an address of the portal");
            self.fault("/portal/url", what, "write scheme and host, like \"https://gate.example.org\", without a path");
        }
        if said.networks.as_ref().is_some_and(Vec::is_empty) {
            self.fault(
                "/portal/networks",
                "nobody could ever see the portal",
                "name networks, or leave `networks` out",
            );
        }
        let language = if said.language == Language::Fr { "fr" } else { "en" };
        Portal { url, networks: said.networks.clone(), language: language.to_owned() }
    }

    fn store(&mut self, said: Option<String>) -> Store {
        let said = said.unwrap_or_else(|| "sqlite:var/vantail.db".to_owned());
        let database = match said.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() && !path.starts_with(':') && !path.contains('?') => {
                format!("sqlite:{}", self.path(path.strip_prefix("//").unwrap_or(path)).display())
            }
            None if said.starts_with("postgres://") || said.starts_with("postgresql://") => said,
            _ => {
                let remedy = "write \"sqlite:PATH\" or \"postgres://user@host/database\"";
                self.fault("/store/database", "this is not an address of a database", remedy);
                said
            }
        };
        Store { database }
    }

    fn keys(&mut self, said: &KeysFile) -> Keys {
        match (&said.directory, &said.sealing_key_file) {
            (Some(_), Some(_)) => {
                let what = "the sealing key is given twice: by `directory` and by `sealing_key_file`";
                self.fault("/keys/sealing_key_file", what, "keep one of the two");
                Keys::Directory(self.base.clone())
            }
            (None, Some(file)) => Keys::SealingKeyFile(self.path(file)),
            (directory, None) => Keys::Directory(self.path(directory.as_deref().unwrap_or("var/keys"))),
        }
    }

    fn mail(&mut self, said: MailFile) -> Mail {
        let password = self.secret("/mail/password", said.password, said.password_file.as_deref());
        let url = said.url.parse::<http::Uri>().ok();
        if let Some(url) = url.filter(|url| matches!(url.scheme_str(), Some("smtp" | "smtps"))) {
            self.mail_user(&url, password.is_some());
        } else {
            let remedy = "write it like \"smtp://mail.example.org:25\" or \"smtps://user@mail.example.org\"";
            self.fault("/mail/url", "this is not the address of a mail server", remedy);
        }
        let address = said.from.rsplit('<').next().unwrap_or_default().trim_end_matches('>');
        if !address.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()) {
            self.fault("/mail/from", "the sender has no mail address", "write it like \"Gate <gate@example.org>\"");
        }
        Mail { url: said.url, password, from: said.from }
    }

    fn mail_user(&mut self, url: &http::Uri, password: bool) {
        let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':')) {
            self.fault("/mail/url", "the address holds a password", "write it in `password_file`");
        } else if user.is_some() && !password && !self.is_given("/mail/password") {
            self.fault("/mail/url", "the address names a user, and there is no password", "add `password_file`");
        } else if user.is_none() && password {
            self.fault(
                "/mail/url",
                "there is a password, and the address names no user",
                "write \"smtps://user@host\"",
            );
        }
    }

    fn is_given(&self, pointer: &str) -> bool {
        self.document.get(pointer).is_some() || self.document.get(&format!("{pointer}_file")).is_some()
    }

    fn sms(&mut self, said: SmsFile) -> Sms {
        let secret = self.secret("/sms/secret", said.secret, said.secret_file.as_deref());
        let plain = said.url.replace("${to}", "to").replace("${text}", "text").replace("${secret}", "secret");
        let url = plain.parse::<http::Uri>().ok().filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
        if url.is_none_or(|url| url.host().is_none()) {
            self.fault("/sms/url", "this is not an http address", "write it like \"https://sms.example.org/send\"");
        }
        let has_secret = secret.is_some() || self.is_given("/sms/secret");
        let templates = Templates { url: &said.url, headers: &said.headers, body: &said.body, has_secret };
        templates.check(self);
        let get = said.method == SmsMethod::Get;
        let carrier = if get { &said.url } else { &said.body };
        for needed in ["${to}", "${text}"] {
            if !carrier.contains(needed) && !said.url.contains(needed) {
                let at = if get { "/sms/url" } else { "/sms/body" };
                self.fault(
                    at,
                    format!("{needed} is nowhere, so no SMS could arrive"),
                    format!("write {needed} where it belongs"),
                );
            }
        }
        let method = if get { http::Method::GET } else { http::Method::POST };
        Sms { url: said.url, method, headers: said.headers.into_iter().collect(), body: said.body, secret }
    }

    /// A secret written out or in a file, not both.
    fn secret(&mut self, at: &str, written: Option<SecretText>, file: Option<&str>) -> Option<SecretText> {
        let file_at = format!("{at}_file");
        let key = at.rsplit('/').next().unwrap_or_default();
        match (written, file) {
            (Some(_), Some(_)) => {
                self.fault(
                    &file_at,
                    format!("the secret is given twice: by `{key}` and by `{key}_file`"),
                    "keep one of the two",
                );
                None
            }
            (written, None) => written,
            (None, Some(file)) => self.secret_in(&file_at, &self.path(file)),
        }
    }

    fn secret_in(&mut self, at: &str, path: &Path) -> Option<SecretText> {
        let (what, remedy) = match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => return Some(SecretText::new(text.trim_end_matches(['\r', '\n']))),
            Ok(_) => (format!("{} is empty", path.display()), "write the secret into it"),
            Err(error) => {
                (format!("{} cannot be read: {error}", path.display()), "name a file that the gateway's user can read")
            }
        };
        self.fault(at, what, remedy);
        None
    }
}

/// The texts of `[sms]` with placeholders in them.
struct Templates<'a> {
    url: &'a str,
    headers: &'a BTreeMap<String, String>,
    body: &'a str,
    has_secret: bool,
}

// === impl Templates ===

impl Templates<'_> {
    fn check(&self, checker: &mut Checker) {
        self.check_one(checker, "/sms/url", self.url);
        self.check_one(checker, "/sms/body", self.body);
        for (name, value) in self.headers {
            let at = child("/sms/headers", name);
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                checker.fault(&at, format!("`{name}` is not a header's name"), "use letters, digits and `-`");
            }
            self.check_one(checker, &at, value);
        }
    }

    fn check_one(&self, checker: &mut Checker, at: &str, text: &str) {
        for part in text.split("${").skip(1) {
            match part.split_once('}').map(|(name, _)| name) {
                Some("to" | "text") => {}
                Some("secret") if self.has_secret => {}
                Some("secret") => {
                    checker.fault(at, "${secret} stands for a secret that is not given", "add `secret_file`");
                }
                _ => checker.fault(at, "there is a placeholder of no meaning", "use ${to}, ${text} and ${secret}"),
            }
        }
    }
}

/// Scheme, host and port, without a final slash.
fn origin(text: &str) -> Option<String> {
    let url: http::Uri = text.parse().ok()?;
    let authority = url.authority()?.as_str();
    let sound = matches!(url.scheme_str(), Some("http" | "https"))
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && !authority.contains('@');
    sound.then(|| format!("{}://{}", url.scheme_str().unwrap_or("https"), authority.to_ascii_lowercase()))
}
