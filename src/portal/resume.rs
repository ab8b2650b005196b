//! `/secure/login/resume/{id}`: where a browser comes back to after a step-up, when what it sent lies aside.
//!
//! Proven enough, it is given a ticket and led to the address of its request, where the edge decides again and sends it, once,
//! and shows the answer: so relative links hold. Not proven enough, it is asked for what is missing.

use axum::extract::{FromRequestParts, Path};
use axum::response::Response;
use http::header::SET_COOKIE;
use http::request::Parts;

use super::here::Here;
use super::{Portal, Refused, cookies, page};
use crate::operation::{Detour, DetourError, DetourId, Detours};
use crate::session::Presented;

const FOLDER: &str = "/secure/login/resume/";

/// The address of the request laid aside as `id`.
pub fn address(id: &DetourId) -> String {
    format!("{FOLDER}{id}")
}

/// On to the address of the request, with a ticket; or to what is still to prove.
pub async fn show(here: Here, id: DetourId) -> Result<Response, Refused> {
    here.signed_in()?;
    let detour = found(&here, &id).await?.ok_or(Refused::NotKept)?;
    if detour.is_used {
        return Err(Refused::SentAlready);
    }
    if !is_enough(&here, &detour) {
        return Err(Refused::StepUp { step_up: detour.step_up, return_to: address(&id) });
    }
    let ticket = Detours::of(&here.portal.login.accounts).ticket(&id, &detour.target);
    let response = page::see_other(&detour.target);
    Ok(page::with(response, SET_COOKIE, cookies::resume(&here.visit, &id, &ticket)).map(Into::into))
}

/// Whether `return_to` is a request laid aside that waits for no proof any more: whoever proved it in another tab goes on at
/// once. One that is gone waits for none either, and its address says so.
pub async fn waits_for_nothing(here: &Here, return_to: &str) -> Result<bool, Refused> {
    let Some(id) = return_to.strip_prefix(FOLDER).and_then(DetourId::parse) else { return Ok(false) };
    if !matches!(here.visit.presented, Presented::Live(_)) {
        return Ok(false);
    }
    Ok(found(here, &id).await?.is_none_or(|detour| detour.is_used || is_enough(here, &detour)))
}

async fn found(here: &Here, id: &DetourId) -> Result<Option<Detour>, Refused> {
    let detours = Detours::of(&here.portal.login.accounts);
    match detours.find(id, here.signed_in()?, here.visit.now).await {
        Ok(found) => Ok(found),
        Err(DetourError::Store(error)) => Err(error.into()),
        Err(DetourError::SealBroken) => {
            tracing::error!(event = "portal.detour_unreadable", session = %here.signed_in()?.session);
            Err(Refused::NotKept)
        }
    }
}

fn is_enough(here: &Here, detour: &Detour) -> bool {
    here.visit.signed_in().is_some_and(|me| detour.step_up.is_met_by(me, here.visit.now))
}

impl FromRequestParts<Portal> for DetourId {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        let Path(text) = Path::<String>::from_request_parts(parts, portal).await.map_err(|_| Refused::NotKept)?;
        Self::parse(&text).ok_or(Refused::NotKept)
    }
}
