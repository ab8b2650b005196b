//! From pingora's session to the portal's router and back: the only place where the two meet.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use http::{Method, Request, Uri};
use pingora::protocols::http::ServerSession;
use tower::ServiceExt as _;

use super::body::{Bounds, Whole};
use super::inbound::Inbound;
use super::live::Line;
use super::path::owner;
use super::room::Extent;
use super::stop::Stop;
use super::{Gateway, Way, body, respond};
use crate::portal::Visit;

/// No form of the portal is longer.
const LONGEST_FORM: usize = 64 * 1024;
/// What forms may take at once. They have room of their own, and what people write to sign in, confirm or deny fits in what
/// is free: however much is held, and however many long forms never come to their end, they can.
const FORMS: Extent = Extent { all: 16 * 1024 * 1024, share: 2 * 1024 * 1024, free: 4 * 1024 };

impl Gateway {
    /// Hands the request to the portal and its answer to the client. From outside the networks that may see the portal,
    /// nothing is there (H4).
    pub(super) async fn portal(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
        line: &Arc<Line>,
    ) -> Result<Way, Stop> {
        if !inbound.grounds.shows_portal_to(visit.address, visit.site.as_deref()) {
            return Err(Stop::not_found("outside the networks that may see the portal"));
        }
        let coming = self.live.enter(line, &visit.presented, Instant::now());
        let (content, place) = match self.form(session, inbound, visit).await? {
            Some(Whole { bytes, place }) => (bytes.into(), Some(place)),
            None => (Body::empty(), None),
        };
        let request = portal_request(session, inbound, visit, content)?;
        // What ends a session, signing out above all, is told so.
        drop(coming);
        let router = self.parts.router.clone();
        let Ok(response) = router.oneshot(request).await;
        // The form is gone by now; the answer may take long.
        drop(place);
        let _going = self.live.enter(line, &visit.presented, Instant::now());
        Ok(Way::written(respond::streamed(session, response).await))
    }

    /// What was sent to the portal.
    async fn form(&self, session: &mut ServerSession, inbound: &Inbound, visit: &Visit) -> Result<Option<Whole>, Stop> {
        if matches!(inbound.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(None);
        }
        let bounds = Bounds { one: LONGEST_FORM, within: self.parts.deadlines.capture };
        body::read_whole(session, self.forms.place(owner(visit), FORMS), bounds).await.map(Some)
    }
}

fn portal_request(
    session: &ServerSession,
    inbound: &Inbound,
    visit: &Visit,
    content: Body,
) -> Result<Request<Body>, Stop> {
    let mut parts = session.req_header().as_owned_parts();
    parts.uri =
        Uri::try_from(inbound.target.as_sent()).map_err(|_| Stop::bad_request("a target that is no address"))?;
    parts.extensions.insert(visit.clone());
    parts.extensions.insert(Arc::clone(&visit.request_id));
    Ok(Request::from_parts(parts, content))
}
