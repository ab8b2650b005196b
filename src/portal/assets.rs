//! Stylesheet, script and logo: compiled in, named by their content, kept by browsers for a year.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::{Refused, page};
use crate::secret::sha256;

const STYLE: &str = include_str!("assets/vantail.css");
const SCRIPT: &str = include_str!("assets/vantail.js");
const LOGO: &str = include_str!("assets/logo.svg");

/// The addresses pages name.
#[derive(Debug)]
pub struct Addresses {
    /// Of the stylesheet.
    pub style: String,
    /// Of the script.
    pub script: String,
    /// Of the logo.
    pub logo: String,
}

static ADDRESSES: LazyLock<Addresses> = LazyLock::new(|| Addresses {
    style: named("vantail", "css", STYLE),
    script: named("vantail", "js", SCRIPT),
    logo: named("logo", "svg", LOGO),
});

/// The addresses of this build.
pub fn addresses() -> &'static Addresses {
    &ADDRESSES
}

/// An asset by its content name; another build's name is not found.
pub async fn serve(Path(name): Path<String>) -> Result<Response, Refused> {
    let addresses = addresses();
    let wanted = format!("/secure/assets/{name}");
    let (content_type, content) = match wanted {
        style if style == addresses.style => ("text/css; charset=utf-8", STYLE),
        script if script == addresses.script => ("text/javascript; charset=utf-8", SCRIPT),
        logo if logo == addresses.logo => ("image/svg+xml", LOGO),
        _ => return Err(Refused::NotFound),
    };
    let response = page::text(StatusCode::OK, content_type, Bytes::from_static(content.as_bytes()));
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    Ok(page::with(response, CACHE_CONTROL, kept).map(Into::into))
}

fn named(stem: &str, extension: &str, content: &str) -> String {
    format!("/secure/assets/{stem}-{}.{extension}", &hex::encode(sha256(content.as_bytes()))[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stylesheet_stays_small_and_asks_nobody_else_for_anything() {
        assert!(STYLE.len() < 15 * 1024, "the stylesheet has {} bytes", STYLE.len());
        for asset in [STYLE, SCRIPT] {
            assert!(!asset.contains("http"), "an asset names another place");
        }
    }
}
