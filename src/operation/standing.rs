//! What an operation was asked with, and whether it still stands (H10).
//!
//! Looked at when asked, when confirmed, when sent, and by the sweep in between. Account state, groups, rights and the rule
//! are read again; address, factors and freshness are those of the asking. The rule's version covers its site's backends.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{CapturedRequest, Cause, Operations};
use crate::identity::SignedIn;
use crate::policy::{BodyFacts, CanonicalTarget, Changed, Facts, Hold, Permit, Policy, Rule, Site, decide_confirmed};
use crate::store::StoreError;
use crate::store::operations::OperationRow;
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// What an operation stands on.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) site: Arc<Site>,
    pub(super) rule: Arc<Rule>,
    pub(super) requester: UserRow,
}

/// What the rule of an operation says today about holding.
#[derive(Debug)]
pub(super) struct RuleToday {
    pub(super) site: Arc<Site>,
    pub(super) rule: Arc<Rule>,
    /// Whether it is the very rule that held the operation.
    pub(super) same: bool,
}

// === impl RuleToday ===

impl RuleToday {
    /// By the names in `row`; nothing when site or rule are gone.
    pub(super) fn of(policy: &Policy, row: &OperationRow) -> Option<Self> {
        let site = policy.site(&row.site)?;
        let rule = site.rules.iter().find(|rule| rule.name == row.rule)?;
        let same = rule.version == row.rule_version;
        Some(Self { site: site.clone(), rule: rule.clone(), same })
    }

    pub(super) fn hold(&self) -> Option<&Hold> {
        self.rule.hold.as_ref()
    }
}

/// Whether `row` still stands, for all that policy and requester say; else why not.
pub(super) fn stands(
    policy: &Policy,
    row: &OperationRow,
    requester: Option<UserRow>,
    now: Timestamp,
) -> Result<Standing, Cause> {
    let requester = requester.ok_or(Cause::RequesterGone)?;
    requester_stands(row, &requester, now)?;
    if policy.site(&row.site).is_none() {
        return Err(Cause::SiteGone);
    }
    let today = RuleToday::of(policy, row).filter(|today| today.same && today.hold().is_some());
    let RuleToday { site, rule, .. } = today.ok_or(Cause::RuleChanged)?;
    Ok(Standing { site, rule, requester })
}

fn requester_stands(row: &OperationRow, requester: &UserRow, now: Timestamp) -> Result<(), Cause> {
    if requester.user.state != crate::identity::UserState::Active {
        Err(Cause::RequesterDisabled)
    } else if !requester.user.may_act(now) {
        Err(Cause::RequesterExpired)
    } else if requester.epoch != row.requester_epoch {
        Err(Cause::RequesterChanged)
    } else {
        Ok(())
    }
}

// === impl Standing ===

impl Standing {
    /// The requester as they were signed in when asking, but with the groups and rights of today.
    fn signed_in(&self, row: &OperationRow, request: &CapturedRequest) -> Arc<SignedIn> {
        Arc::new(SignedIn {
            session: row.session,
            user: Arc::new(self.requester.user.clone()),
            amr: request.amr.clone(),
            auth_time: request.auth_time,
            second_factor_at: request.second_factor_at,
        })
    }

    /// Asks the policy again, as it is now, for the request as it was captured.
    pub(super) fn permit(
        &self,
        row: &OperationRow,
        request: &CapturedRequest,
        now: Timestamp,
    ) -> Result<Permit, Cause> {
        let changed = Cause::RuleChanged;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| changed)?;
        let target = CanonicalTarget::parse(request.target.as_bytes(), |path| self.site.allows_encoded_slash(path))
            .map_err(|_| changed)?;
        let headers = header_map(request).ok_or(changed)?;
        let facts = Facts {
            method: &method,
            target: &target,
            client: request.client,
            headers: &headers,
            body: BodyFacts::Read(&request.body),
        };
        decide_confirmed(&self.site, &facts, &self.signed_in(row, request), &row.rule_version, now).map_err(|why| {
            match why {
                Changed::RequesterNotAllowed => Cause::RightsLost,
                Changed::Rule => changed,
            }
        })
    }
}

fn header_map(request: &CapturedRequest) -> Option<HeaderMap> {
    let header = |(name, value): &(String, Vec<u8>)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    // Collecting appends: a header sent twice is there twice.
    request.headers.iter().map(header).collect()
}

// === impl Operations ===

impl Operations {
    /// Whether `row` still stands, everything read again.
    pub(super) async fn standing(
        &self,
        row: &OperationRow,
        now: Timestamp,
    ) -> Result<Result<Standing, Cause>, StoreError> {
        let requester = self.store().user(row.requester).await?;
        let standing = match stands(&self.parts.policy.load(), row, requester, now) {
            Ok(standing) => standing,
            Err(word) => return Ok(Err(word)),
        };
        let needs_session = standing.rule.hold.as_ref().is_some_and(|hold| hold.session_needed);
        if needs_session && !self.session_lives(row, now).await? {
            return Ok(Err(Cause::SessionEnded));
        }
        Ok(Ok(standing))
    }

    /// Whether the session it was asked in has neither ended nor timed out.
    async fn session_lives(&self, row: &OperationRow, now: Timestamp) -> Result<bool, StoreError> {
        let idle = self.parts.policy.load().security.sessions.idle;
        let session = self.store().session_by_id(row.session).await?;
        Ok(session.is_some_and(|session| {
            now < session.expires_at && idle.is_none_or(|idle| now.since(session.last_seen) < idle)
        }))
    }
}
