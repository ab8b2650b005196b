//! Looking at operations: what those concerned see, one by one and as a list.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::capture::CapturedRequest;
use super::involved::{Involved, redaction};
use super::rights::{Capacity, has_fresh_second_factor, is_validator};
use super::standing::RuleToday;
use super::view::{Body, NoticeState, Redaction, View};
use super::{MayNot, OperationError, Operations, State, seal, sweep, view};
use crate::identity::{Right, SignedIn};
use crate::store::StoreError;
use crate::store::operations::{Confirmation, OperationRow};
use crate::store::outbox::OutboxRow;
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// What a record tells, whoever looks.
struct Story<'a> {
    row: &'a OperationRow,
    requester: Option<&'a UserRow>,
    confirmations: &'a [Confirmation],
}

/// The most operations a list shows.
const LISTED: usize = 500;
/// The most waiting operations that are looked through for a list.
const LOOKED_THROUGH: i64 = 5_000;

// === impl Operations ===

impl Operations {
    /// As `viewer` may see it: the requester, or whoever may validate it; else `NotFound`.
    pub async fn view(&self, id: &str, viewer: &SignedIn) -> Result<View, OperationError> {
        let involved = self.involved(id, viewer).await?;
        let request = self.opened(&involved.row).await?;
        let capacity = self.capacity(&involved).await?;
        let view = self.listed(&involved, viewer, capacity).await?;
        let mut view = self.with_token(&involved, view).await?;
        view.notices = self.notices_of(id, &[]).await?;
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
        view.notices = self.notices_of(id, &[]).await?;
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
            return Err(OperationError::NotAllowed(MayNot::Masked));
        }
        let request = self.opened(&involved.row).await?;
        request.map(|request| request.body).ok_or(OperationError::NotWaiting(involved.row.state))
    }

    /// What waits for `validator`, newest first (titles, requester, when, how telling went; not the
    /// bodies).
    pub async fn waiting_for(&self, validator: &SignedIn) -> Result<Vec<View>, OperationError> {
        let me = self.person(validator).await?;
        let now = self.now();
        // Read once for all of them: who may confirm, and who asked.
        let holders = self.store().holders(Right::TokenValidator).await?;
        let mut requesters: HashMap<_, Option<UserRow>> = HashMap::new();
        let mut views = Vec::new();
        for (row, rule) in self.waiting_in_time_for(&me, now).await? {
            let requester = match requesters.entry(row.requester) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(unknown) => unknown.insert(self.store().user(row.requester).await?).clone(),
            };
            let confirmations = if row.quorum > 1 { self.store().confirmations(&row.id).await? } else { Vec::new() };
            let involved = Involved { row, me: me.clone(), requester, rule: Some(rule), confirmations, now };
            let capacity = involved.capacity(&holders);
            let notices = self.notices_of(&involved.row.id, &holders).await?;
            views.push(View { notices, ..self.listed(&involved, validator, capacity).await? });
        }
        Ok(views)
    }

    /// The newest that wait, are in time, and are the business of `me` as a validator.
    async fn waiting_in_time_for(
        &self,
        me: &UserRow,
        now: Timestamp,
    ) -> Result<Vec<(OperationRow, RuleToday)>, StoreError> {
        let waiting = self.store().operations(&[State::Waiting], LOOKED_THROUGH).await?;
        let in_time = waiting.into_iter().filter(|row| sweep::over(row, now).is_none());
        let ruled = in_time.filter_map(|row| self.rule_today(&row).map(|rule| (row, rule)));
        let theirs = ruled.filter(|(_, rule)| rule.hold().is_some_and(|hold| is_validator(me, hold, now)));
        Ok(theirs.take(LISTED).collect())
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
    async fn listed(
        &self,
        involved: &Involved,
        viewer: &SignedIn,
        capacity: Result<Capacity, MayNot>,
    ) -> Result<View, StoreError> {
        let story = Story {
            row: &involved.row,
            requester: involved.requester.as_ref(),
            confirmations: &involved.confirmations,
        };
        let own = capacity == Ok(Capacity::OwnOperation);
        Ok(View {
            masked: involved.redaction().masks(),
            may_deny: self.may_act_on(involved, viewer, capacity),
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
            may_confirm: Err(MayNot::Machine),
            may_deny: Err(MayNot::Machine),
            may_renew: Err(MayNot::Machine),
            may_cancel: false,
            needs_fresh_second_factor: false,
        })
    }

    /// Whether they may do anything about it: what denying asks for. The freshness of a second factor apart.
    fn may_act_on(
        &self,
        involved: &Involved,
        viewer: &SignedIn,
        capacity: Result<Capacity, MayNot>,
    ) -> Result<(), MayNot> {
        capacity?;
        if involved.row.state != State::Waiting || sweep::over(&involved.row, involved.now).is_some() {
            return Err(MayNot::NotWaiting);
        }
        self.second_factor_given(involved, viewer)
    }

    /// Whether a token of theirs would be taken, and whether they may have a new one.
    async fn with_token(&self, involved: &Involved, view: View) -> Result<View, StoreError> {
        let may_act = match view.may_deny {
            Ok(()) => self.not_confirmed_by_them(involved).await?,
            Err(why) => Err(why),
        };
        let may_renew = may_act.and_then(|()| involved.me.phone.as_ref().map(drop).ok_or(MayNot::NoPhone));
        let may_confirm = match may_act {
            Ok(()) => self.token_lives(involved).await?.map_err(|why| may_renew.err().unwrap_or(why)),
            Err(why) => Err(why),
        };
        Ok(View { may_confirm, may_renew, ..view })
    }

    async fn token_lives(&self, involved: &Involved) -> Result<Result<(), MayNot>, StoreError> {
        let token = self.store().operation_token(&involved.row.id, involved.me.user.id).await?;
        Ok(match token {
            None => Err(MayNot::NoToken),
            Some(token) if involved.now >= token.expires_at => Err(MayNot::TokenExpired),
            Some(_) => Ok(()),
        })
    }

    /// How telling people went: to whom by user name, never by number or address. Names of `known` people are not looked up.
    async fn notices_of(&self, id: &str, known: &[UserRow]) -> Result<Vec<NoticeState>, StoreError> {
        let mut notices = Vec::new();
        for message in self.store().messages_of(id).await? {
            let name = match known.iter().find(|row| row.user.id == message.user) {
                Some(row) => Some(row.user.name.clone()),
                None => self.store().user(message.user).await?.map(|row| row.user.name),
            };
            notices.push(notice_state(&message, name));
        }
        Ok(notices)
    }
}

fn notice_state(message: &OutboxRow, name: Option<String>) -> NoticeState {
    NoticeState {
        channel: message.channel,
        to: name.unwrap_or_else(|| message.user.to_string()),
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
