//! `/secure/operations/{id}`: exactly what will be sent, and what one may do about it.
//!
//! Opening it changes nothing (H3): a GET only looks.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue};

use super::here::{Here, OperationId};
use super::hold::{in_language, is_moving};
use super::page::{self, Page};
use super::reauthenticate::{self, Need};
use super::request::{ShownBody, ShownRequest};
use super::said;
use super::show::{Moment, span};
use super::texts::Texts;
use super::{Refused, Visit};
use crate::identity::{Amr, SignedIn};
use crate::operation::view::NoticeState;
use crate::operation::{MayNot, OperationError, State, View};

/// How soon the page asks again, without script, while a delivery is on its way, seconds.
const SOON: u32 = 3;

/// What the one who looks may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Type the token.
    Confirm,
    /// Prove themselves again first, at this address.
    ProveAgain(String),
    /// Not (yet) confirm, and why.
    Nothing(&'static str),
}

/// What else is offered.
#[derive(Debug)]
pub struct May {
    /// A new token.
    pub renew: bool,
    /// Denying.
    pub deny: bool,
    /// Cancelling.
    pub cancel: bool,
}

/// How telling somebody went.
#[derive(Debug)]
pub struct ShownNotice {
    /// To whom, by which channel.
    pub to: String,
    /// How it went, in words.
    pub state: &'static str,
    /// Whether somebody must look after it.
    pub is_bad: bool,
    /// What went wrong, in words.
    pub error: &'static str,
}

/// What is wrong with what was posted, and what is kept of it.
#[derive(Debug, Default)]
pub struct Fault {
    /// In words.
    pub error: Option<String>,
    /// The reason as it was typed.
    pub reason: String,
}

#[derive(Template)]
#[template(path = "operation.html")]
pub(super) struct OperationPage {
    pub page: Page,
    pub id: String,
    pub state: (&'static str, &'static str),
    pub why: Option<String>,
    pub who: String,
    pub who_more: String,
    pub site: String,
    pub rule: String,
    pub asked: Moment,
    pub expires: Moment,
    pub left: String,
    pub left_secs: u64,
    pub proof: String,
    /// What will be sent; absent once it is not kept any more.
    pub request: Option<ShownRequest>,
    pub quorum: String,
    pub confirmed: Vec<(String, Moment)>,
    pub notices: Vec<ShownNotice>,
    pub status: Option<i64>,
    pub act: Act,
    pub may: May,
    pub is_mine: bool,
    pub fault: Fault,
}

/// The operation, for those concerned; for everybody else there is none.
pub async fn show(here: Here, id: OperationId) -> Result<Response, Refused> {
    look(&here, &id, StatusCode::OK, Fault::default()).await
}

/// The body's bytes, as they will be sent.
pub async fn body(here: Here, id: OperationId) -> Result<Response, Refused> {
    let bytes = match here.portal.operations.body(&id.0, here.signed_in()?).await {
        Ok(bytes) => bytes,
        Err(OperationError::NotAllowed(why)) => {
            let error = Some(said::may_not(why, here.texts()).to_owned());
            return look(&here, &id, StatusCode::FORBIDDEN, Fault { error, ..Fault::default() }).await;
        }
        Err(error) => return Err(error.into()),
    };
    let response = page::text(StatusCode::OK, "application/octet-stream", bytes.into());
    let name = format!("attachment; filename=\"operation-{}.bin\"", id.0);
    let name = HeaderValue::try_from(name).expect("an id is eight digits");
    Ok(page::with(response, CONTENT_DISPOSITION, name).map(Into::into))
}

/// The page, with what was wrong with what was posted from it.
pub async fn look(here: &Here, id: &OperationId, status: StatusCode, fault: Fault) -> Result<Response, Refused> {
    let signed_in = here.signed_in()?;
    let view = here.portal.operations.view(&id.0, signed_in).await?;
    Ok(page::html(status, &OperationPage::of(&here.visit, here.csrf.value(), view, fault)))
}

// === impl OperationPage ===

impl OperationPage {
    /// From what the operation lets the visitor see.
    pub fn of(visit: &Visit, csrf: &str, view: View, fault: Fault) -> Self {
        let t = Texts::of_language(visit.language);
        let me = visit.signed_in();
        let title = in_language(t.language(), &view.title_en, &view.title_fr).to_owned();
        let refresh = (is_moving(view.state) && view.state != State::Waiting).then_some(SOON);
        let left = view.expires_at.since(visit.now);
        let (who, who_more) = requester(&view, t);
        let act = Act::of(visit, &view);
        Self {
            page: Page::new(visit, Some(csrf), title).refreshing(refresh),
            state: (view.state.as_str(), said::state(view.state, t)),
            why: view.reason.as_deref().map(|reason| said::reason(view.state, reason, t)),
            who,
            who_more,
            asked: Moment::of(view.created_at, t),
            expires: Moment::of(view.expires_at, t),
            left: span(left),
            left_secs: left.as_secs(),
            proof: proof(&view, t),
            quorum: quorum(view.quorum, view.confirmed_by.len(), t),
            confirmed: view.confirmed_by.iter().map(|(name, at)| (name.clone(), Moment::of(*at, t))).collect(),
            notices: view.notices.iter().map(|notice| ShownNotice::of(notice, t)).collect(),
            status: view.status,
            may: May::of(&view, &act),
            act,
            is_mine: is_requester(&view, me),
            id: view.id.clone(),
            site: view.site.clone(),
            rule: view.rule.clone(),
            request: view.kept.then(|| ShownRequest::of(view, me, t)),
            fault,
        }
    }
}

// === impl Act ===

impl Act {
    fn of(visit: &Visit, view: &View) -> Self {
        let t = Texts::of_language(visit.language);
        let is_recent = visit.signed_in().is_some_and(|me| reauthenticate::is_recent(visit, me));
        let page = format!("/secure/operations/{}", view.id);
        match view.may_confirm {
            _ if view.state != State::Waiting => Self::Nothing(""),
            Err(why) => Self::Nothing(said::may_not(why, t)),
            Ok(()) if view.needs_fresh_second_factor => {
                Self::ProveAgain(reauthenticate::address(Need::SecondFactor, &page))
            }
            Ok(()) if !is_recent => Self::ProveAgain(reauthenticate::address(Need::SignIn, &page)),
            Ok(()) => Self::Confirm,
        }
    }
}

// === impl May ===

impl May {
    /// A new token is offered where one could be typed, or where only a token is missing.
    fn of(view: &View, act: &Act) -> Self {
        let lacks_token = matches!(view.may_confirm, Err(MayNot::NoToken | MayNot::TokenExpired));
        Self {
            renew: view.may_renew.is_ok() && (lacks_token || *act == Act::Confirm),
            deny: view.may_deny.is_ok(),
            cancel: view.may_cancel,
        }
    }
}

// === impl ShownNotice ===

impl ShownNotice {
    /// With the outcome in words.
    pub fn of(notice: &NoticeState, t: Texts) -> Self {
        Self {
            to: format!("{} ({})", notice.to, said::channel(notice.channel, t)),
            state: said::notice(notice.state, t),
            is_bad: notice.is_amiss(),
            error: notice.error.map_or("", |failure| said::failure(failure, t)),
        }
    }
}

/// Whether whoever looks is the one who asked.
pub fn is_requester(view: &View, me: Option<&SignedIn>) -> bool {
    matches!((&view.requester, me), (Some(requester), Some(me)) if requester.id == me.user.id)
}

/// Who asked: the name that is read first, and what tells two of that name apart.
fn requester(view: &View, t: Texts) -> (String, String) {
    let Some(user) = &view.requester else { return (t.say("operation.nobody").to_owned(), String::new()) };
    if user.full_name.is_empty() {
        return (user.name.clone(), user.email.clone());
    }
    (user.full_name.clone(), format!("{} · {}", user.name, user.email))
}

/// How surely the requester was known when asking.
fn proof(view: &View, t: Texts) -> String {
    let how = match (view.amr.contains(&Amr::Rmb), view.amr.contains(&Amr::Otp)) {
        (false, false) => t.say("operation.proof-one"),
        (false, true) => t.say("operation.proof-two"),
        (true, false) => t.say("operation.proof-remembered"),
        (true, true) => t.say("operation.proof-remembered-two"),
    };
    t.say_with("operation.proof", &[("how", how), ("at", &Moment::of(view.auth_time, t).text)])
}

fn quorum(needed: i64, given: usize, t: Texts) -> String {
    if needed <= 1 {
        return String::new();
    }
    t.say_with("operation.quorum", &[("given", &given.to_string()), ("needed", &needed.to_string())])
}
