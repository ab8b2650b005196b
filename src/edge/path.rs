//! The request's path, on one screen.

use std::sync::Arc;

use http::Method;
use pingora::protocols::http::ServerSession;

use super::access_log::Verdict;
use super::body::{Bounds, Whole};
use super::connection::Connection;
use super::detour::return_to;
use super::inbound::{Credential, Inbound, site_of};
use super::room::{Extent, Owner, Place};
use super::stop::Stop;
use super::{Context, Gateway, Way, body, respond};
use crate::identity::Caller;
use crate::operation::OperationError;
use crate::policy::decide::reports;
use crate::policy::{BodyFacts, Decision, Facts, Site, decide};
use crate::portal::{Language, Refused, Visit};
use crate::session::Presented;
use crate::store::StoreError;

impl Gateway {
    /// From a request's head to its forwarding, or to an answer of our own. Every way out that is no permit is an answer.
    ///
    /// Whatever few requests need is boxed: pingora copies what this future holds on every request, forwarded ones above
    /// all.
    pub(super) async fn walk(
        &self,
        session: &mut ServerSession,
        connection: &Connection,
        ctx: &mut Context,
    ) -> Result<Way, Stop> {
        let Some(visit) = ctx.visit.as_mut() else { return Err(Stop::internal("a request without a visit")) };
        let inbound = self.read(session, connection, visit)?;
        ctx.record.target(&inbound.target);
        let line = Context::line(ctx.stream.as_deref(), connection);

        if inbound.asks_portal() {
            ctx.record.decision = Verdict::Portal;
            self.authenticate(&inbound, visit).await?;
            return Box::pin(self.portal(session, &inbound, visit, line)).await;
        }

        let site = site_of(visit)?;
        let known = self.authenticate(&inbound, visit).await;
        ctx.entered = self.live.enter(line, &visit.presented, ctx.started);
        if inbound.ticket.is_some()
            && let Some(way) = Box::pin(self.show_kept_answer(session, &inbound, visit)).await?
        {
            ctx.record.decision = Verdict::KeptAnswer;
            return Ok(way);
        }
        if let Some(id) = self.resumed(&inbound) {
            known?;
            return Box::pin(self.resume(session, ctx, &inbound, &id)).await;
        }

        let (decision, content) = self.judge(session, &inbound, visit, &site).await?;
        ctx.record.decided(&decision);
        match decision {
            Decision::Forward(permit) => self.forward(session, ctx, permit, inbound.target.as_sent(), content).await,
            Decision::Refuse(refusal) => Err(refusal.into()),
            // What follows needs to know for sure who asks.
            _ if known.is_err() => known.map(|()| Way::Answered).map_err(Stop::from),
            Decision::SignIn => {
                let return_to = return_to(session, &inbound, visit);
                Err(Stop::new(Refused::SignIn { return_to }, "nobody is signed in"))
            }
            Decision::StepUp(step_up) => {
                let return_to = Box::pin(self.detour(session, &inbound, visit, step_up, content)).await?;
                Err(Stop::new(Refused::StepUp { step_up, return_to }, "not signed in surely or freshly enough"))
            }
            Decision::Hold(rule) => Box::pin(self.hold(session, &inbound, visit, rule, content)).await,
            Decision::ReadBody => Err(Stop::internal("a rule asks for a body that was read")),
        }
    }

    /// Decides, and decides again with the body where a rule looks into it. The body comes with the decision.
    async fn judge(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
        site: &Arc<Site>,
    ) -> Result<(Decision, Option<Whole>), Stop> {
        let caller = caller(&visit.presented);
        let policy = &inbound.grounds.policy;
        let first = facts(session, inbound, visit, BodyFacts::Unread);
        let decision = decide(policy, site, &first, &caller, visit.now);
        if !matches!(decision, Decision::ReadBody) {
            report(site, &first, &caller, visit);
            return Ok((decision, None));
        }
        let content = Box::pin(self.look_into(session, inbound, visit)).await?;
        let second = facts(session, inbound, visit, BodyFacts::Read(&content.bytes));
        let decision = decide(policy, site, &second, &caller, visit.now);
        report(site, &second, &caller, visit);
        Ok((decision, Some(content)))
    }

    /// What the session cookie stands for. Without the store nobody is known: open rules go on, the others cannot.
    async fn authenticate(&self, inbound: &Inbound, visit: &mut Visit) -> Result<(), StoreError> {
        let token = match &inbound.credential {
            Credential::Nothing => return Ok(()),
            Credential::Unreadable => {
                visit.presented = Presented::Dead;
                return Ok(());
            }
            Credential::Token(token) => token,
        };
        let portal = &self.parts.portal;
        let limits = &inbound.grounds.policy.security.sessions;
        visit.presented = portal.login.sessions.look_up(token, limits, visit.now, inbound.counts_as_use()).await?;
        visit.token = Some(token.clone());
        if let Presented::Live(signed_in) = &visit.presented
            && let Some(chosen) = &signed_in.user.language
        {
            visit.language = Language::choose(Some(chosen), None, visit.language);
        }
        Ok(())
    }

    /// The backend's answer to a confirmed operation, at the address of the original request, once.
    async fn show_kept_answer(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
    ) -> Result<Option<Way>, Stop> {
        let (Some(ticket), Presented::Live(viewer), &Method::GET) =
            (&inbound.ticket, &visit.presented, &inbound.method)
        else {
            return Ok(None);
        };
        let operations = &self.parts.portal.operations;
        match operations.redeem_ticket(ticket, &inbound.target.as_sent(), viewer).await {
            Ok(Some(answer)) if answer.body.is_some() => {
                let written = respond::kept(session, answer, Some(visit.secure)).await;
                Ok(Some(Way::written(written)))
            }
            Ok(_) | Err(OperationError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The body, for a rule that looks into it. Up to pingora's own bound it is forwarded from memory afterwards.
    async fn look_into(&self, session: &mut ServerSession, inbound: &Inbound, visit: &Visit) -> Result<Whole, Stop> {
        session.enable_retry_buffering();
        self.capture(session, inbound, visit).await
    }

    /// The body, as `[holding]` lets it be read. One user or address takes a quarter of the room at most, or one body.
    pub(super) async fn capture(
        &self,
        session: &mut ServerSession,
        inbound: &Inbound,
        visit: &Visit,
    ) -> Result<Whole, Stop> {
        let one = inbound.grounds.policy.security.holding.body_limit;
        let bounds = Bounds { one, within: self.parts.deadlines.capture };
        body::read_whole(session, self.place(inbound, visit), bounds).await
    }

    /// A place for a body in memory.
    pub(super) fn place(&self, inbound: &Inbound, visit: &Visit) -> Place {
        let holding = inbound.grounds.policy.security.holding;
        let share = (holding.memory / 4).max(holding.body_limit);
        self.held.place(owner(visit), Extent { all: holding.memory, share, free: 0 })
    }
}

fn facts<'a>(session: &'a ServerSession, inbound: &'a Inbound, visit: &Visit, body: BodyFacts<'a>) -> Facts<'a> {
    Facts {
        method: &inbound.method,
        target: &inbound.target,
        client: visit.address,
        headers: &session.req_header().headers,
        body,
    }
}

fn report(site: &Arc<Site>, facts: &Facts<'_>, caller: &Caller, visit: &Visit) {
    for report in reports(site, facts, caller, visit.now) {
        tracing::info!(request_id = %visit.request_id, rule = report.rule, would = report.would, "a rule that only reports");
    }
}

/// Only a live session is somebody.
pub(super) fn caller(presented: &Presented) -> Caller {
    match presented {
        Presented::Live(signed_in) => Caller::User(Arc::clone(signed_in)),
        Presented::Nothing | Presented::Dead | Presented::Pending { .. } => Caller::Anonymous,
    }
}

/// Whose share of the room a body takes.
pub(super) fn owner(visit: &Visit) -> Owner {
    match caller(&visit.presented) {
        Caller::User(signed_in) => Owner::User(signed_in.user.id),
        Caller::Anonymous => Owner::at(visit.address),
    }
}
