//! `/secure/login/not-kept`: what a browser sent before it was signed in surely enough was not kept, and is to be sent again by
//! the person. Nothing is sent by itself, and an address that was posted to is not opened.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::here::{Here, Wanted};
use super::page::{self, Page};
use super::return_to::{safe_return, with_query};
use super::{Refused, Visit};

const NOT_KEPT: &str = "/secure/login/not-kept";
/// Longest address of a page that is led back to: it is carried through the sign-in, escaped.
const LONGEST: usize = 1024;

/// On which page it was sent.
#[derive(Debug, Deserialize)]
pub struct FromQuery {
    #[serde(default)]
    from: String,
}

#[derive(Template)]
#[template(path = "not_kept.html")]
pub(super) struct NotKeptPage {
    pub page: Page,
    pub back: String,
}

/// This page's address, for whoever sent something from the page that `referer` names: a page of this very origin is led back
/// to, anything else is not known here.
pub fn address(visit: &Visit, referer: Option<&str>) -> String {
    let from = referer.and_then(|referer| path_here(visit, referer)).filter(|path| path.len() <= LONGEST);
    with_query(NOT_KEPT, "from", from.unwrap_or_default())
}

/// What to do, with the way back.
pub async fn show(here: Here, Wanted(query): Wanted<FromQuery>) -> Result<Response, Refused> {
    let page = here.page(here.texts().say("not-kept.title"));
    Ok(page::html(StatusCode::OK, &NotKeptPage { page, back: safe_return(&query.from) }))
}

fn path_here<'r>(visit: &Visit, referer: &'r str) -> Option<&'r str> {
    let (scheme, rest) = referer.split_once("://")?;
    let (authority, _) = rest.split_at_checked(rest.find('/')?)?;
    let origin = referer.get(..scheme.len() + 3 + authority.len())?;
    let path = &rest[authority.len()..];
    (visit.is_own_origin(origin) && safe_return(path) == path).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::Language;
    use super::*;
    use crate::session::Presented;
    use crate::time::Timestamp;

    fn of(referer: Option<&str>) -> String {
        let visit = Visit {
            request_id: "r-1".into(),
            now: Timestamp::from_secs(1),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: true,
            loopback: false,
            host: "gw.test".into(),
            site: None,
            presented: Presented::Nothing,
            token: None,
            language: Language::En,
            wants_page: true,
        };
        address(&visit, referer)
    }

    #[test]
    fn a_page_of_this_origin_is_led_back_to_and_no_other() {
        assert_eq!(of(Some("https://gw.test/app/form?x=1")), "/secure/login/not-kept?from=/app/form%3Fx%3D1");
        let long = format!("https://gw.test/{}", "a".repeat(LONGEST));
        for other in [
            "https://evil.test/app/form",
            "http://gw.test/app/form",
            "https://gw.test.evil.test/app/",
            "https://gw.test@evil.test/app/",
            "https://gw.test",
            "https://gw.test//evil.test/",
            "/app/form",
            "",
            &long,
        ] {
            assert_eq!(of(Some(other)), "/secure/login/not-kept", "{other}");
        }
        assert_eq!(of(None), "/secure/login/not-kept");
    }
}
