//! `/secure/operations/{id}/answer`: the backend's answer, for the requester alone.
//!
//! A browser is given a ticket and led to the address of its original request, where the edge shows the kept answer once: so
//! relative links hold. A program gets the answer from here.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue, SET_COOKIE};
use http::{Method, StatusCode};

use super::here::{Here, OperationId};
use super::hold::{self, Told, in_language, is_moving};
use super::page::{self, Page};
use super::respond::Untouched;
use super::{Refused, cookies};
use crate::operation::{Answer, OperationError, State, View};

#[derive(Template)]
#[template(path = "answer.html")]
pub(super) struct AnswerPage {
    pub page: Page,
    pub status: i64,
    pub what: &'static str,
}

/// The answer, or what stands in its place: the waiting page while there is none, and why there is none to show.
pub async fn show(here: Here, id: OperationId, method: Method) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    let (state, _, _) = here.portal.operations.state(&id.0, me).await?;
    if state != State::Done {
        return not_there(&here, &id, state).await;
    }
    let kept = here.portal.operations.answer(&id.0, me).await?.filter(|answer| answer.body.is_some());
    match kept {
        None => gone(&here, &id).await,
        Some(_) if here.visit.wants_page && method == Method::GET => ticket(&here, &id).await,
        Some(answer) => Ok(as_it_came(answer)),
    }
}

/// On to the original address, with a cookie for one showing.
async fn ticket(here: &Here, id: &OperationId) -> Result<Response, Refused> {
    match here.portal.operations.answer_ticket(&id.0, here.signed_in()?).await {
        Ok((ticket, target)) => {
            let cookie = cookies::answer(&here.visit, &ticket);
            Ok(page::with(page::see_other(&target), SET_COOKIE, cookie).map(Into::into))
        }
        Err(OperationError::NotFound) => gone(here, id).await,
        Err(error) => Err(error.into()),
    }
}

/// Not done: a browser goes to the waiting page, a program gets the document.
async fn not_there(here: &Here, id: &OperationId, state: State) -> Result<Response, Refused> {
    if here.visit.wants_page {
        return Ok(page::see_other(&format!("{}/wait", id.path())).map(Into::into));
    }
    let view = here.portal.operations.view(&id.0, here.signed_in()?).await?;
    let status = if is_moving(state) { StatusCode::ACCEPTED } else { StatusCode::CONFLICT };
    Ok(document(here, status, &view))
}

/// Done, and the answer is not kept: it was longer than what is kept, or its time is over.
async fn gone(here: &Here, id: &OperationId) -> Result<Response, Refused> {
    let view = here.portal.operations.view(&id.0, here.signed_in()?).await?;
    if !here.visit.wants_page {
        return Ok(document(here, StatusCode::GONE, &view));
    }
    let t = here.texts();
    let title = in_language(t.language(), &view.title_en, &view.title_fr);
    let what = t.say("answer.not-kept");
    let page = AnswerPage { page: here.page(title), status: view.status.unwrap_or_default(), what };
    Ok(page::html(StatusCode::GONE, &page))
}

/// The operation document for `view`.
pub fn document(here: &Here, status: StatusCode, view: &View) -> Response {
    hold::document(status, &here.visit, &Told::of(view, here.visit.language)).map(Into::into)
}

/// Status, headers and body as the backend gave them; only cookies by our own names are not the backend's to set.
fn as_it_came(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = Response::new(Body::from(answer.body.unwrap_or_default()));
    *response.status_mut() = status;
    for (name, value) in answer.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&value)) else { continue };
        if !(name == SET_COOKIE && cookies::sets_own(value.as_bytes())) {
            response.headers_mut().append(name, value);
        }
    }
    response.extensions_mut().insert(Untouched);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backends_answer_leaves_as_it_came_but_for_our_own_cookies() {
        let answer = Answer {
            status: 201,
            headers: vec![
                ("set-cookie".into(), b"app=1".to_vec()),
                ("set-cookie".into(), b"__Host-vantail=vs_stolen; Path=/".to_vec()),
                ("set-cookie".into(), b"vantail-answer=x".to_vec()),
                ("set-cookie".into(), b"=__Host-vantail=vs_stolen".to_vec()),
                ("x-app".into(), b"caf\xe9".to_vec()),
            ],
            body: Some(b"<h1>Done</h1>".to_vec()),
        };
        let response = as_it_came(answer);
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["app=1"]);
        assert_eq!(response.headers()["x-app"].as_bytes(), b"caf\xe9");
        assert!(response.extensions().get::<Untouched>().is_some());
    }
}
