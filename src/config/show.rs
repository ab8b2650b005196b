//! The configuration as it is meant, for `config show`: what the file could have said, secrets masked.

use serde_json::{Map, Value, json};

use super::{Config, Keys, Mail, Sms};

/// Stands where a secret is.
const MASK: &str = "********";

/// See [`Config::shown`].
pub(super) fn show(config: &Config) -> Value {
    let mut all = Map::new();
    all.insert("listen".to_owned(), listen(config));
    let portal = [
        ("url", config.portal.url.clone().map(Value::from)),
        ("networks", config.portal.networks.clone().map(Value::from)),
        ("language", Some(json!(config.portal.language))),
    ];
    all.insert("portal".to_owned(), table(portal));
    all.insert("store".to_owned(), json!({ "database": masked_address(&config.store.database) }));
    let keys = match &config.keys {
        Keys::Directory(directory) => json!({ "directory": directory }),
        Keys::SealingKeyFile(file) => json!({ "sealing_key_file": file }),
    };
    all.insert("keys".to_owned(), keys);
    all.extend(config.mail.as_ref().map(|mail| ("mail".to_owned(), mail_table(mail))));
    all.extend(config.sms.as_ref().map(|sms| ("sms".to_owned(), sms_table(sms))));
    all.insert("policies".to_owned(), json!({ "directory": config.policies }));
    Value::Object(all)
}

/// `address` with the password between `:` and `@` masked, where it has one.
pub(super) fn masked_address(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@') else { return mask_parameters(address) };
    let user = rest[..at].split(':').next().unwrap_or_default();
    let masked = if rest[..at].contains(':') { format!("{user}:{MASK}") } else { user.to_owned() };
    mask_parameters(&format!("{scheme}://{masked}{}", &rest[at..]))
}

/// PostgreSQL takes a password as a parameter too.
fn mask_parameters(address: &str) -> String {
    let Some((base, query)) = address.split_once('?') else { return address.to_owned() };
    let masked = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    });
    format!("{base}?{}", masked.collect::<Vec<_>>().join("&"))
}

fn listen(config: &Config) -> Value {
    let listen = &config.listen;
    let https = listen
        .https
        .iter()
        .map(|tls| json!({ "address": tls.address.to_string(), "certificate": tls.certificate, "key": tls.key }));
    let texts = |items: Vec<String>| Some(Value::from(items));
    table([
        ("http", texts(listen.http.iter().map(ToString::to_string).collect())),
        ("https", Some(https.collect())),
        ("proxy_protocol", Some(json!(listen.proxy_protocol))),
        ("trusted_proxies", texts(listen.trusted_proxies.iter().map(ToString::to_string).collect())),
        ("operations", listen.operations.map(|address| json!(address.to_string()))),
        ("drop_strangers", Some(json!(listen.drop_strangers))),
    ])
}

fn mail_table(mail: &Mail) -> Value {
    let password = mail.password.as_ref().map(|_| json!(MASK));
    table([("url", Some(json!(mail.url))), ("password", password), ("from", Some(json!(mail.from)))])
}

fn sms_table(sms: &Sms) -> Value {
    let headers: Map<String, Value> =
        sms.headers.iter().map(|(name, value)| (name.clone(), json!(masked_header(value)))).collect();
    table([
        ("provider", Some(json!("http"))),
        ("url", Some(json!(masked_address(&sms.url)))),
        ("method", Some(json!(sms.method.as_str()))),
        ("headers", Some(Value::Object(headers))),
        ("body", Some(json!(sms.body))),
        ("secret", sms.secret.as_ref().map(|_| json!(MASK))),
    ])
}

/// A header that does not use `${secret}` may hold one written out.
fn masked_header(value: &str) -> &str {
    let harmless = value.contains("${secret}") || value.contains('/') && !value.contains(' ');
    if harmless { value } else { MASK }
}

fn table<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>().into()
}
