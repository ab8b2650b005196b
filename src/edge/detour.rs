//! What becomes of a request whose sender must first sign in, or prove more.
//!
//! What can be asked for again without harm is simply come back to. What a person's browser sent from a page of this very
//! origin, in a live session, is read whole and **laid aside**, as a held request is; [`resume`](super::resume) takes it up.
//! Of anything else nothing is kept, and a page asks the person to send it again. Programs are told what is missing, and send
//! it again by themselves.

use http::header::{COOKIE, REFERER};
use pingora::protocols::http::ServerSession;

use super::Gateway;
use super::body::Whole;
use super::hold::{captured, requester};
use super::inbound::{Inbound, site_of};
use super::stop::Stop;
use crate::operation::{Aside, DetourId, Detours};
use crate::policy::StepUp;
use crate::portal::{self, Visit};

impl Gateway {
    /// Where the browser comes back to when `step_up` is proven.
    pub(super) async fn detour(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
        step_up: StepUp,
        content: Option<Whole>,
    ) -> Result<String, Stop> {
        let may_be_laid_aside = !inbound.is_repeatable()
            && visit.wants_page
            && portal::is_from_own_page(visit, &session.req_header().headers);
        if may_be_laid_aside && let Some(id) = self.lay_aside(session, inbound, visit, step_up, content).await? {
            return Ok(portal::resume_address(&id));
        }
        Ok(return_to(session, inbound, visit))
    }

    /// Reads the request whole and stores it; nothing when too many of the same person lie aside already.
    async fn lay_aside(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
        step_up: StepUp,
        content: Option<Whole>,
    ) -> Result<Option<DetourId>, Stop> {
        let (sender, site) = (requester(visit)?, site_of(visit)?);
        let detours = self.detours();
        if !detours.may_lay_aside(&sender, visit.now).await? {
            return Ok(None);
        }
        let Whole { bytes, place: _until_stored } = match content {
            Some(content) => content,
            None => self.capture(session, inbound, visit).await?,
        };
        let mut request = captured(session, inbound, visit, &sender, bytes);
        // The application's cookies may be others by then; the browser brings them.
        request.headers.retain(|(name, _)| name != COOKIE.as_str());
        let aside = Aside { sender: &sender, site: &site.name, step_up, request };
        let _turn = self.storing.acquire().await.map_err(|error| Stop::internal(error.to_string()))?;
        let holding = &inbound.grounds.policy.security.holding;
        Ok(detours.lay_aside(aside, holding, &visit.origin("page")).await?)
    }

    pub(super) fn detours(&self) -> Detours<'_> {
        Detours::of(&self.parts.portal.login.accounts)
    }
}

/// Where to come back to when nothing lies aside. An address that was posted to is never opened.
pub(super) fn return_to(session: &ServerSession, inbound: &Inbound, visit: &Visit) -> String {
    if inbound.is_repeatable() {
        inbound.target.as_sent()
    } else if visit.wants_page {
        let referer = session.req_header().headers.get(REFERER).and_then(|referer| referer.to_str().ok());
        portal::not_kept_address(visit, referer)
    } else {
        "/".to_owned()
    }
}
