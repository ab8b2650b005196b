//! Holding a request: captured whole, stored, and answered before anything else happens to it. Who prefers to wait is told
//! how it stands when the wait is over: the backend's answer, or the operation as it ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName};
use pingora::protocols::http::ServerSession;

use super::body::Whole;
use super::inbound::{Inbound, site_of};
use super::stop::Stop;
use super::{Gateway, Way, cookies, identity, respond};
use crate::identity::{Caller, SignedIn};
use crate::operation::{Ask, Asked, CapturedRequest, State};
use crate::policy::{BodyFacts, Facts, Rule};
use crate::portal::{self, Visit};

/// A program's `Prefer: wait=N` (RFC 7240 section 4.3) is honoured up to here.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// Requests that are sealed and stored at once. Each stands in memory about four times meanwhile, only once of it counted as
/// room; who writes to the database comes one after the other anyway.
pub(super) const STORED_AT_ONCE: usize = 4;
const PREFER: HeaderName = HeaderName::from_static("prefer");

impl Gateway {
    /// Stores the request as an operation, and answers: the waiting page, `202`, or, where the program prefers to wait and
    /// the operation is done in time, the backend's own answer.
    pub(super) async fn hold(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
        rule: Arc<Rule>,
        content: Option<Whole>,
    ) -> Result<Way, Stop> {
        let requester = requester(visit)?;
        let Whole { bytes, place } = if let Some(content) = content {
            content
        } else {
            self.parts.portal.operations.may_ask(requester.user.id).await?;
            self.capture(session, inbound, visit).await?
        };
        let facts = Facts {
            method: &inbound.method,
            target: &inbound.target,
            client: visit.address,
            headers: &session.req_header().headers,
            body: BodyFacts::Read(&bytes),
        };
        let titles = titles(&rule, &facts);
        let request = captured(session, inbound, visit, &requester, bytes);
        let asked = self.ask(visit, (rule, titles), &requester, request).await?;
        // Stored: who waits for the answer takes no room.
        drop(place);
        let most = preferred_wait(&session.req_header().headers);
        self.answer_held(session, visit, &asked, &requester, most).await
    }

    /// Stores a request as an operation.
    pub(super) async fn ask(
        &self,
        visit: &Visit,
        (rule, (title_en, title_fr)): (Arc<Rule>, (String, String)),
        requester: &Arc<SignedIn>,
        request: CapturedRequest,
    ) -> Result<Asked, Stop> {
        let (site, requester) = (site_of(visit)?, Arc::clone(requester));
        let backend =
            self.parts.backends.choose(&site, &[]).ok_or_else(|| Stop::internal("the site has no backend"))?;
        let ask = Ask { site, rule, requester, request, title_en, title_fr, backend: backend.url().to_owned() };
        let _turn = self.storing.acquire().await.map_err(|error| Stop::internal(error.to_string()))?;
        let door = if visit.wants_page { "page" } else { "api" };
        Ok(self.parts.portal.operations.ask(ask, &visit.origin(door)).await?)
    }

    async fn answer_held(
        &self,
        session: &mut ServerSession,
        visit: &Visit,
        asked: &Asked,
        requester: &SignedIn,
        most: Option<Duration>,
    ) -> Result<Way, Stop> {
        let operations = &self.parts.portal.operations;
        let state = match most {
            Some(most) => operations.wait(&asked.id, requester, most).await?,
            None => State::Waiting,
        };
        if state == State::Done
            && let Some(answer) = operations.answer(&asked.id, requester).await?
            && answer.body.is_some()
        {
            return Ok(Way::written(respond::kept(session, answer, None).await));
        }
        let response = if state.is_final() && !visit.wants_page {
            portal::ended(visit, &operations.view(&asked.id, requester).await?)
        } else {
            portal::held(visit, asked, state)
        };
        Ok(Way::written(respond::whole(session, response).await))
    }
}

/// The operation's readable name, in English and French.
pub(super) fn titles(rule: &Rule, facts: &Facts<'_>) -> (String, String) {
    (rule.title("en", facts), rule.title("fr", facts))
}

pub(super) fn requester(visit: &Visit) -> Result<Arc<SignedIn>, Stop> {
    match super::path::caller(&visit.presented) {
        Caller::User(signed_in) => Ok(signed_in),
        Caller::Anonymous => Err(Stop::internal("a request to keep, of nobody")),
    }
}

/// Everything that will be sent: end-to-end headers without ours, the body, and how the requester was known.
pub(super) fn captured(
    session: &ServerSession,
    inbound: &Inbound,
    visit: &Visit,
    requester: &SignedIn,
    content: Bytes,
) -> CapturedRequest {
    let mut fields = session.req_header().headers.clone();
    identity::strip_hop_by_hop(&mut fields);
    cookies::strip_own(&mut fields);
    fields.remove(HOST);
    fields.remove(PREFER);
    CapturedRequest {
        method: inbound.method.to_string(),
        target: inbound.target.as_sent(),
        scheme: scheme(visit).into(),
        host: visit.host.clone(),
        headers: fields.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body: content.into(),
        client: visit.address,
        amr: requester.amr.clone(),
        auth_time: requester.auth_time,
        second_factor_at: requester.second_factor_at,
        request_id: visit.request_id.to_string(),
    }
}

/// The scheme as the client used it.
pub(super) fn scheme(visit: &Visit) -> &'static str {
    if visit.secure { "https" } else { "http" }
}

fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all(PREFER).iter().filter_map(|field| field.to_str().ok());
    let wait = preferences.flat_map(|field| field.split(',')).find_map(|one| {
        let preference = one.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then_some(value.trim())
    })?;
    let seconds: u64 = wait.trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_to_wait_is_read_and_bounded() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, text.parse().unwrap());
            preferred_wait(&headers)
        };
        assert_eq!(of("wait=30"), Some(Duration::from_secs(30)));
        assert_eq!(of("respond-async, wait=10"), Some(Duration::from_secs(10)));
        assert_eq!(of("Wait = \"10\"; for=me"), Some(Duration::from_secs(10)));
        assert_eq!(of("wait=100000"), Some(LONGEST_WAIT));
        assert_eq!(of("wait=soon"), None);
        assert_eq!(of("respond-async"), None);
    }
}
