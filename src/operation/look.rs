//! Looking at operations: who is concerned, what they see, how they wait.

use std::collections::HashMap;
use std::time::Duration;

use super::capture::CapturedRequest;
use super::rights::{self, Capacity, has_fresh_second_factor, is_validator};
use super::standing::RuleToday;
use super::view::{Body, NoticeState, Redaction, View};
use super::{OperationError, Operations, State, seal, view};
use crate::identity::{Right, SignedIn, User, UserId};
use crate::store::StoreError;
use crate::store::operations::{Confirmation, OperationRow};
use crate::store::outbox::{Channel, OutboxRow};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// Somebody, and the operation that is their business.
#[derive(Debug)]
pub(super) struct Involved {
    pub(super) row: OperationRow,
    /// As they are now, whatever their session remembers.
    pub(super) me: UserRow,
    pub(super) requester: Option<UserRow>,
    pub(super) rule: Option<RuleToday>,
    pub(super) confirmations: Vec<Confirmation>,
    pub(super) now: Timestamp,
}

/// What a record tells, whoever looks.
struct Story<'a> {
    row: &'a OperationRow,
    requester: Option<&'a UserRow>,
    confirmations: &'a [Confirmation],
}

/// The most operations a list shows.
const LISTED: i64 = 500;
/// The longest time between two looks at an operation somebody waits for: change marks are faster.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

// === impl Involved ===

impl Involved {
    pub(super) fn is_requester(&self) -> bool {
        self.row.requester == self.me.user.id
    }

    pub(super) fn confirmed_by(&self, validator: UserId) -> bool {
        self.confirmations.iter().any(|given| given.validator == validator)
    }

    /// Whether it is their business: they asked, they are a validator of it, or they confirmed it.
    fn is_concerned(&self) -> bool {
        let hold = self.rule.as_ref().and_then(RuleToday::hold);
        self.is_requester()
            || hold.is_some_and(|hold| is_validator(&self.me, hold, self.now))
            || self.confirmed_by(self.me.user.id)
    }

    fn redaction(&self) -> Redaction {
        redaction(self.rule.as_ref())
    }
}

/// What is masked: what the rule that held it says. Another rule of that name says nothing about it.
fn redaction(rule: Option<&RuleToday>) -> Redaction {
    match rule {
        Some(today) if today.same => {
            today.hold().map_or_else(Redaction::everything, |hold| Redaction::of(&hold.redact))
        }
        _ => Redaction::everything(),
    }
}

// === impl Operations ===

impl Operations {
    /// As `viewer` may see it: the requester, or whoever may validate it; else `NotFound`.
    pub async fn view(&self, id: &str, viewer: &SignedIn) -> Result<View, OperationError> {
        let involved = self.involved(id, viewer).await?;
        let request = self.opened(&involved.row).await?;
        let mut view = self.listed(&involved, viewer).await?;
        view.notices = self.notices_of(id).await?;
        if let Some(request) = request {
            show(&mut view, &request, &involved.redaction());
        }
        Ok(view)
    }

    /// As an operator of the gateway may see it, from the command line: everything a validator sees.
    pub async fn inspect(&self, id: &str) -> Result<View, OperationError> {
        let row = self.store().operation(id).await?.ok_or(OperationError::NotFound)?;
        let requester = self.store().user(row.requester).await?;
        let confirmations = self.store().confirmations(id).await?;
        let story = Story { row: &row, requester: requester.as_ref(), confirmations: &confirmations };
        let redaction = redaction(self.rule_today(&row).as_ref());
        let mut view = View { masked: redaction.masks(), ..self.told(&story).await? };
        view.notices = self.notices_of(id).await?;
        // A command looks; it does not judge: a broken seal is the serving gateway's to act on.
        let request = seal::open(&self.parts.accounts.keyring, &row).map_err(|_| OperationError::SealBroken)?;
        if let Some(request) = request {
            show(&mut view, &request, &redaction);
        }
        Ok(view)
    }

    /// The body as it will be sent, for download by a validator (redacted rules: `NotAllowed`).
    pub async fn body(&self, id: &str, viewer: &SignedIn) -> Result<Vec<u8>, OperationError> {
        let involved = self.involved(id, viewer).await?;
        if involved.redaction().masks() {
            return Err(OperationError::NotAllowed("masked"));
        }
        let request = self.opened(&involved.row).await?;
        request.map(|request| request.body).ok_or(OperationError::NotWaiting(involved.row.state))
    }

    /// What waits for `validator`, newest first (titles, requester, when; not the bodies).
    pub async fn waiting_for(&self, validator: &SignedIn) -> Result<Vec<View>, OperationError> {
        let me = self.person(validator).await?;
        let mut requesters = HashMap::new();
        let mut views = Vec::new();
        for row in self.store().operations(&[State::Waiting], LISTED).await? {
            let Some(rule) = self.rule_today(&row) else { continue };
            let now = self.now();
            if !rule.hold().is_some_and(|hold| is_validator(&me, hold, now)) || super::sweep::over(&row, now).is_some()
            {
                continue;
            }
            let requester = match requesters.get(&row.requester) {
                Some(known) => Clone::clone(known),
                None => self.store().user(row.requester).await?,
            };
            requesters.insert(row.requester, requester.clone());
            let confirmations = if row.quorum > 1 { self.store().confirmations(&row.id).await? } else { Vec::new() };
            let involved = Involved { row, me: me.clone(), requester, rule: Some(rule), confirmations, now };
            views.push(self.listed(&involved, validator).await?);
        }
        Ok(views)
    }

    /// The state alone, for the requester (polling; wait page; status URL).
    pub async fn state(
        &self,
        id: &str,
        viewer: &SignedIn,
    ) -> Result<(State, Option<String>, Timestamp), OperationError> {
        let row = self.involved(id, viewer).await?.row;
        Ok((row.state, row.reason, row.expires_at))
    }

    /// Waits until the operation has reached a final state or `most` is over; the state then.
    pub async fn wait(&self, id: &str, viewer: &SignedIn, most: Duration) -> Result<State, OperationError> {
        let row = self.involved(id, viewer).await?.row;
        if row.state.is_final() {
            return Ok(row.state);
        }
        self.until_moved(id, most, State::is_final).await
    }

    /// Waits until `enough` of the state, or `most` is over; the state then.
    pub(super) async fn until_moved(
        &self,
        id: &str,
        most: Duration,
        enough: impl Fn(State) -> bool,
    ) -> Result<State, OperationError> {
        let moves = self.parts.hub.moves_of(id);
        let over = tokio::time::sleep(most);
        tokio::pin!(over);
        loop {
            // Registered before the state is read: a move in between is not missed.
            let moved = moves.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let state = self.store().operation(id).await?.ok_or(OperationError::NotFound)?.state;
            if enough(state) {
                return Ok(state);
            }
            tokio::select! {
                () = &mut over => return Ok(state),
                () = moved => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// The operation, when it is the business of `viewer`.
    pub(super) async fn involved(&self, id: &str, viewer: &SignedIn) -> Result<Involved, OperationError> {
        if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(OperationError::NotFound);
        }
        let me = self.person(viewer).await?;
        let row = self.store().operation(id).await?.ok_or(OperationError::NotFound)?;
        let involved = Involved {
            me,
            requester: self.store().user(row.requester).await?,
            rule: self.rule_today(&row),
            confirmations: self.store().confirmations(id).await?,
            now: self.now(),
            row,
        };
        if involved.is_concerned() { Ok(involved) } else { Err(OperationError::NotFound) }
    }

    /// In what capacity they may confirm; else the stable word why not.
    pub(super) async fn capacity(&self, involved: &Involved) -> Result<Result<Capacity, &'static str>, StoreError> {
        let Some(hold) = involved.rule.as_ref().and_then(RuleToday::hold) else { return Ok(Err("rule-changed")) };
        let Some(requester) = &involved.requester else { return Ok(Err("requester-gone")) };
        let holders = self.store().holders(Right::TokenValidator).await?;
        Ok(rights::capacity(&involved.me, requester, hold, &holders, involved.now))
    }

    /// Whether the session has the second factor that the policy asks of such a person.
    pub(super) fn second_factor_given(&self, involved: &Involved, session: &SignedIn) -> Result<(), OperationError> {
        let required = self.parts.policy.load().security.second_factor.is_required(&involved.me.user);
        if required && session.factors() < 2 {
            return Err(OperationError::NotAllowed("needs-second-factor"));
        }
        Ok(())
    }

    /// The user names of `people`, in their order; those whose account is gone are left out.
    pub(super) async fn names(&self, people: impl Iterator<Item = UserId>) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for person in people {
            names.extend(self.store().user(person).await?.map(|row| row.user.name));
        }
        Ok(names)
    }

    async fn person(&self, viewer: &SignedIn) -> Result<UserRow, OperationError> {
        self.store().user(viewer.user.id).await?.ok_or(OperationError::NotFound)
    }

    fn rule_today(&self, row: &OperationRow) -> Option<RuleToday> {
        RuleToday::of(&self.parts.policy.load(), row)
    }

    /// The captured request. A broken seal is nobody's to look at: the operation dies.
    async fn opened(&self, row: &OperationRow) -> Result<Option<CapturedRequest>, OperationError> {
        match seal::open(&self.parts.accounts.keyring, row) {
            Ok(request) => Ok(request),
            Err(_) if matches!(row.state, State::Waiting | State::Confirmed) => {
                self.bury(row, &self.own_origin()).await?;
                Err(OperationError::SealBroken)
            }
            Err(_) => Err(OperationError::SealBroken),
        }
    }

    /// All but the request itself, as `viewer` may act on it.
    async fn listed(&self, involved: &Involved, viewer: &SignedIn) -> Result<View, StoreError> {
        let story = Story {
            row: &involved.row,
            requester: involved.requester.as_ref(),
            confirmations: &involved.confirmations,
        };
        let capacity = self.capacity(involved).await?;
        let own = capacity == Ok(Capacity::OwnOperation);
        Ok(View {
            masked: involved.redaction().masks(),
            may_confirm: self.may_confirm(involved, viewer, capacity),
            may_cancel: involved.is_requester() && involved.row.state == State::Waiting,
            needs_fresh_second_factor: own && !has_fresh_second_factor(viewer, involved.now),
            ..self.told(&story).await?
        })
    }

    /// What the record says, to somebody who may do nothing about it.
    async fn told(&self, story: &Story<'_>) -> Result<View, StoreError> {
        let row = story.row;
        let mut confirmed_by = Vec::new();
        for given in story.confirmations {
            let name = self.names([given.validator].into_iter()).await?.pop();
            confirmed_by.push((name.unwrap_or_else(|| given.validator.to_string()), given.at));
        }
        Ok(View {
            id: row.id.clone(),
            state: row.state,
            reason: row.reason.clone(),
            title_en: row.title_en.clone(),
            title_fr: row.title_fr.clone(),
            site: row.site.clone(),
            rule: row.rule.clone(),
            requester: story.requester.map(|requester| requester.user.clone()),
            client: String::new(),
            amr: Vec::new(),
            auth_time: row.created_at,
            method: row.method.clone(),
            scheme: String::new(),
            host: String::new(),
            target: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            body_length: 0,
            body_note: None,
            digest: row.digest.clone(),
            kept: false,
            masked: true,
            created_at: row.created_at,
            expires_at: row.expires_at,
            quorum: row.quorum,
            confirmed_by,
            notices: Vec::new(),
            status: row.status,
            may_confirm: Err("machine"),
            may_cancel: false,
            needs_fresh_second_factor: false,
        })
    }

    fn may_confirm(
        &self,
        involved: &Involved,
        viewer: &SignedIn,
        capacity: Result<Capacity, &'static str>,
    ) -> Result<(), &'static str> {
        capacity?;
        if involved.row.state != State::Waiting || super::sweep::over(&involved.row, involved.now).is_some() {
            return Err("not-waiting");
        }
        if involved.confirmed_by(viewer.user.id) {
            return Err("already-confirmed");
        }
        self.second_factor_given(involved, viewer).map_err(|_| "needs-second-factor")
    }

    /// How telling people went: to whom by user name, never by number or address.
    async fn notices_of(&self, id: &str) -> Result<Vec<NoticeState>, StoreError> {
        let mut notices = Vec::new();
        for message in self.store().messages_of(id).await? {
            let user = self.store().user(message.user).await?.map(|row| row.user);
            notices.push(notice_state(message, user));
        }
        Ok(notices)
    }
}

fn notice_state(message: OutboxRow, user: Option<User>) -> NoticeState {
    NoticeState {
        channel: match message.channel {
            Channel::Sms => "sms",
            Channel::Mail => "mail",
        },
        to: user.map_or_else(|| message.user.to_string(), |user| user.name),
        state: message.state,
        error: message.error,
    }
}

/// Puts what will be sent into a view.
fn show(view: &mut View, request: &CapturedRequest, redaction: &Redaction) {
    let (body, note) = view::body(request, redaction);
    view.kept = true;
    view.client = request.client.to_string();
    view.amr.clone_from(&request.amr);
    view.auth_time = request.auth_time;
    view.scheme.clone_from(&request.scheme);
    view.host.clone_from(&request.host);
    view.target = view::target(&request.target, redaction);
    view.headers = view::headers(request, redaction);
    view.body = body;
    view.body_length = request.body.len();
    view.body_note = note;
}
