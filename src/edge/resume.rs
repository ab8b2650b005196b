//! Taking up a request that was laid aside: the browser comes back to its address with a ticket.
//!
//! 1. It is decided again, as it is and as its sender is now: a rule may have changed, or a hold comes after the step-up.
//! 2. A connection is made. Until here nothing was sent, and the browser may come again.
//! 3. It is *used*: of however many who come with the ticket, one goes on.
//! 4. It leaves, once, by the same backends, header rules and identity as every forwarded request, and the answer is streamed.
//!
//! A visit with a ticket is answered here whatever happens: it never reaches the backend as what it looks like, a GET of an
//! address that was posted to.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, COOKIE, HeaderValue, SET_COOKIE};
use http::{Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::ServerSession;

use super::access_log::Verdict;
use super::deliver::captured_header;
use super::hold::titles;
use super::inbound::{Inbound, site_of};
use super::room::Place;
use super::stop::Stop;
use super::{Context, Gateway, Way, cookies, exchange, fields, identity, respond};
use crate::identity::SignedIn;
use crate::operation::{CapturedRequest, Detour, DetourId, State};
use crate::policy::{BodyFacts, Decision, Facts, Permit, Rule, decide};
use crate::portal::{self, Refused, Visit};
use crate::session::Presented;
use crate::test_points;

/// A request taken up, with all that is known of it.
struct Resumed {
    visit: Visit,
    sender: Arc<SignedIn>,
    detour: Detour,
    request: CapturedRequest,
    /// As it will be sent, but for who sends it.
    header: RequestHeader,
    /// What it takes of the room.
    place: Place,
}

impl Gateway {
    /// The detour whose request the browser comes back for, by a ticket for this very address.
    pub(super) fn resumed(&self, inbound: &Inbound) -> Option<DetourId> {
        if inbound.resuming.is_empty() {
            return None;
        }
        let (detours, target) = (self.detours(), inbound.target.as_sent());
        inbound
            .resuming
            .iter()
            .find_map(|(id, ticket)| DetourId::parse(id).filter(|id| detours.is_ticket(id, &target, ticket)))
    }

    /// Decides again, and does as decided.
    pub(super) async fn resume(
        &self,
        session: &mut ServerSession,
        ctx: &mut Context,
        inbound: &Inbound,
        id: &DetourId,
    ) -> Result<Way, Stop> {
        let visit = ctx.visit.clone().ok_or_else(|| Stop::internal("a request without a visit"))?;
        let spent = portal::spent_resume(&visit, id);
        let resumed = match self.open_aside(session, inbound, visit, id).await {
            Ok(resumed) => resumed,
            Err(stop) => {
                let is_over = matches!(stop.told, Refused::NotKept | Refused::SentAlready);
                ctx.spent = is_over.then_some(spent);
                return Err(stop);
            }
        };
        let site = site_of(&resumed.visit)?;
        let method = resumed.method()?;
        let facts = resumed.facts(inbound, &method);
        let caller = super::path::caller(&resumed.visit.presented);
        let decision = decide(&inbound.grounds.policy, &site, &facts, &caller, resumed.visit.now);
        ctx.record.decided(&decision);
        match decision {
            Decision::Forward(permit) => {
                ctx.record.decision = Verdict::Resume;
                self.send_resumed(session, ctx, permit, resumed, spent).await
            }
            Decision::Hold(rule) => {
                let titles = titles(&rule, &facts);
                self.hold_resumed(session, ctx, (rule, titles), resumed, spent).await
            }
            Decision::StepUp(step_up) => {
                self.detours().raise(&resumed.detour, step_up).await?;
                ctx.spent = Some(spent);
                let return_to = portal::resume_address(id);
                Err(Stop::new(Refused::StepUp { step_up, return_to }, "still not signed in surely or freshly enough"))
            }
            Decision::Refuse(refusal) => {
                self.detours().forget(&resumed.detour).await?;
                ctx.spent = Some(spent);
                Err(refusal.into())
            }
            Decision::SignIn | Decision::ReadBody => Err(Stop::internal("a request laid aside of nobody, or unread")),
        }
    }

    /// Finds and opens it, for the session it came in.
    async fn open_aside(
        &self,
        session: &ServerSession,
        inbound: &Inbound,
        visit: Visit,
        id: &DetourId,
    ) -> Result<Resumed, Stop> {
        let site = site_of(&visit)?;
        let sender = match &visit.presented {
            Presented::Live(sender) => Arc::clone(sender),
            _ => return Err(Stop::new(Refused::NotKept, "its session ended")),
        };
        let (detours, now) = (self.detours(), visit.now);
        let found = detours.find(id, &sender, now).await?.filter(|detour| detour.site == site.name);
        let detour =
            found.ok_or_else(|| Stop::new(Refused::NotKept, "nothing of this session lies aside by this id"))?;
        if detour.is_used {
            return Err(sent_already());
        }
        let mut place = self.place(inbound, &visit);
        place.reach(detour.length.min(inbound.grounds.policy.security.holding.body_limit))?;
        let mut request = detours.request(&detour, &sender, now).await?.ok_or_else(sent_already)?;
        request.headers.extend(cookies_of_now(session));
        let mut header = captured_header(&request).map_err(|error| Stop::internal(error.to_string()))?;
        fields::change(&mut header, |fields| identity::strip(fields, Some(&site)));
        Ok(Resumed { visit, sender, detour, request, header, place })
    }

    /// Sends it once, and streams the answer back.
    async fn send_resumed(
        &self,
        session: &mut ServerSession,
        ctx: &mut Context,
        permit: Permit,
        resumed: Resumed,
        spent: HeaderValue,
    ) -> Result<Way, Stop> {
        let mut forward = self.prepare(permit, resumed.detour.target.clone())?;
        let mut header = resumed.header.clone();
        forward.outgoing(&resumed.visit).write(&mut header)?;
        let mut answering = self.connect(ctx, &mut forward).await?;
        self.use_up(ctx, &resumed, spent).await?;
        test_points::reach("detour-used");
        let body = Bytes::from(resumed.request.body);
        exchange::send(&mut answering, header, &body).await.map_err(|error| no_answer(&error))?;
        // Sent: its place is for another.
        drop((body, resumed.place));
        exchange::answer(&mut answering).await.map_err(|error| no_answer(&error))?;
        if answering.get_status().is_some_and(asks_to_send_it_elsewhere) {
            return Err(Stop::new(Refused::NoAnswer, "the backend asks for it to be sent to another address"));
        }
        let spent = ctx.spent.take();
        Ok(Way::written(self.pass_on(session, ctx, &mut answering, |header| shown_once(header, spent)).await))
    }

    /// It is held: the waiting page.
    async fn hold_resumed(
        &self,
        session: &mut ServerSession,
        ctx: &mut Context,
        (rule, titles): (Arc<Rule>, (String, String)),
        resumed: Resumed,
        spent: HeaderValue,
    ) -> Result<Way, Stop> {
        self.parts.portal.operations.may_ask(resumed.sender.user.id).await?;
        self.use_up(ctx, &resumed, spent).await?;
        let Resumed { visit, sender, request, place: _until_stored, .. } = resumed;
        let request = CapturedRequest {
            client: visit.address,
            amr: sender.amr.clone(),
            auth_time: sender.auth_time,
            second_factor_at: sender.second_factor_at,
            request_id: visit.request_id.to_string(),
            ..request
        };
        let asked = self.ask(&visit, (rule, titles), &sender, request).await?;
        let response = respond::taking_back(portal::held(&visit, &asked, State::Waiting), ctx.spent.take());
        Ok(Way::written(respond::whole(session, response).await))
    }

    /// From here on it is sent, or held, or lost; and the ticket goes with whatever is answered.
    async fn use_up(&self, ctx: &mut Context, resumed: &Resumed, spent: HeaderValue) -> Result<(), Stop> {
        let Resumed { visit, sender, detour, request, .. } = resumed;
        let is_ours = self.detours().take(detour, request, sender, &visit.origin("page")).await?;
        ctx.spent = Some(spent);
        if is_ours {
            return Ok(());
        }
        match self.detours().find(&detour.id, sender, visit.now).await? {
            Some(detour) if detour.is_used => Err(sent_already()),
            _ => Err(Stop::new(Refused::NotKept, "its session ended meanwhile")),
        }
    }
}

// === impl Resumed ===

impl Resumed {
    fn method(&self) -> Result<Method, Stop> {
        Method::from_bytes(self.request.method.as_bytes()).map_err(|error| Stop::internal(error.to_string()))
    }

    /// What it says, asked from where its sender is now.
    fn facts<'a>(&'a self, inbound: &'a Inbound, method: &'a Method) -> Facts<'a> {
        Facts {
            method,
            target: &inbound.target,
            client: self.visit.address,
            headers: &self.header.headers,
            body: BodyFacts::Read(&self.request.body),
        }
    }
}

/// The application's cookies, as the browser has them now.
fn cookies_of_now(session: &ServerSession) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut fields = session.req_header().headers.clone();
    cookies::strip_own(&mut fields);
    let cookies: Vec<_> = fields.get_all(COOKIE).iter().map(|value| value.as_bytes().to_vec()).collect();
    cookies.into_iter().map(|value| (COOKIE.as_str().to_owned(), value))
}

fn sent_already() -> Stop {
    Stop::new(Refused::SentAlready, "what lay aside was used")
}

fn no_answer(error: &pingora::Error) -> Stop {
    Stop::new(Refused::NoAnswer, format!("{} {}", error.esource().as_str(), error.etype().as_str()))
}

/// With the method and the body it had, which the browser does not have any more: it would ask with GET, silently.
fn asks_to_send_it_elsewhere(status: StatusCode) -> bool {
    matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
}

/// The browser asked with GET: what answers another method must not be kept as the answer to that one.
fn shown_once(header: &mut ResponseHeader, spent: Option<HeaderValue>) -> pingora::Result<()> {
    header.insert_header(CACHE_CONTROL, "no-store")?;
    if let Some(spent) = spent {
        header.append_header(SET_COOKIE, spent)?;
    }
    Ok(())
}
