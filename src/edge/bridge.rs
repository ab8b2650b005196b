//! From pingora's session to the portal's router and back: the only place where the two meet.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, Uri};
use pingora::protocols::http::ServerSession;
use tower::ServiceExt as _;

use super::body::Bounds;
use super::inbound::Inbound;
use super::stop::Stop;
use super::{Gateway, Way, body, respond};
use crate::portal::Visit;

/// No form of the portal is longer.
const LONGEST_FORM: usize = 64 * 1024;
/// All forms that are being read at once. They have room of their own: however much is held, people can sign in and confirm.
const ALL_FORMS: usize = 16 * 1024 * 1024;

impl Gateway {
    /// Hands the request to the portal and its answer to the client. From outside the networks that may see the portal,
    /// nothing is there (H4).
    pub(super) async fn portal(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
    ) -> Result<Way, Stop> {
        if !inbound.grounds.shows_portal_to(visit.address, visit.site.as_deref()) {
            return Err(Stop::not_found("outside the networks that may see the portal"));
        }
        let request = self.portal_request(session, inbound, visit).await?;
        let router = self.parts.router.clone();
        let Ok(response) = router.oneshot(request).await;
        Ok(Way::written(respond::streamed(session, response).await))
    }

    async fn portal_request(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
    ) -> Result<Request<Body>, Stop> {
        let content = match inbound.method {
            Method::GET | Method::HEAD | Method::OPTIONS => Body::empty(),
            _ => {
                let bounds = Bounds { one: LONGEST_FORM, all: ALL_FORMS, within: self.parts.deadlines.capture };
                body::read_whole(session, self.forms.place(), bounds).await?.bytes.into()
            }
        };
        let mut parts = session.req_header().as_owned_parts();
        parts.uri =
            Uri::try_from(inbound.target.as_sent()).map_err(|_| Stop::bad_request("a target that is no address"))?;
        parts.extensions.insert(visit.clone());
        parts.extensions.insert(Arc::clone(&visit.request_id));
        Ok(Request::from_parts(parts, content))
    }
}
