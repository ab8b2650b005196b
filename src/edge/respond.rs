//! Writing an answer of our own to the client.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, SET_COOKIE, TRANSFER_ENCODING};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;

use super::{body, identity};
use crate::operation::Answer;

/// Writes a whole answer.
pub(super) async fn whole(session: &mut ServerSession, response: Response<Bytes>) -> pingora::Result<()> {
    body::settle(session).await;
    let (parts, content) = response.into_parts();
    let mut header = ResponseHeader::from(parts);
    frame(&mut header, Some(content.len() as u64))?;
    begin(session, header).await?;
    let content = if has_content(session) { content } else { Bytes::new() };
    session.write_response_body(content, true).await
}

/// Writes an answer as it is made.
pub(super) async fn streamed(session: &mut ServerSession, response: Response<axum::body::Body>) -> pingora::Result<()> {
    body::settle(session).await;
    let (parts, mut content) = response.into_parts();
    let mut header = ResponseHeader::from(parts);
    frame(&mut header, http_body::Body::size_hint(&content).exact())?;
    begin(session, header).await?;
    if has_content(session) {
        while let Some(frame) = content.frame().await {
            let frame = frame.map_err(|error| {
                pingora::Error::because(pingora::ErrorType::InternalError, "while a page was made", error)
            })?;
            if let Ok(data) = frame.into_data() {
                session.write_response_body(data, false).await?;
            }
        }
    }
    session.write_response_body(Bytes::new(), true).await
}

/// Writes a backend's answer that was kept for the requester. `ticket` says that it was asked for with a one-use cookie,
/// and whether over https: the cookie is taken back.
pub(super) async fn kept(session: &mut ServerSession, answer: Answer, ticket: Option<bool>) -> pingora::Result<()> {
    let mut response = Response::new(Bytes::from(answer.body.unwrap_or_default()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in answer.headers {
        let pair = (HeaderName::try_from(name), HeaderValue::from_bytes(&value));
        if let (Ok(name), Ok(value)) = pair
            && !identity::is_hop_by_hop(&name)
            && name != CONTENT_LENGTH
            && !(name == SET_COOKIE && crate::portal::sets_own(value.as_bytes()))
        {
            response.headers_mut().append(name, value);
        }
    }
    if let Some(secure) = ticket {
        response.headers_mut().append(SET_COOKIE, spent_ticket(secure));
    }
    whole(session, response).await
}

/// The same answer, taking back a one-use cookie that was used up.
pub(super) fn taking_back<B>(mut response: Response<B>, spent: Option<HeaderValue>) -> Response<B> {
    if let Some(spent) = spent {
        response.headers_mut().append(SET_COOKIE, spent);
    }
    response
}

fn spent_ticket(secure: bool) -> HeaderValue {
    if secure {
        HeaderValue::from_static("__Host-vantail-answer=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax")
    } else {
        HeaderValue::from_static("vantail-answer=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
    }
}

/// Frames the answer by its length, or by chunks where the protocol needs them and the length is not known.
fn frame(header: &mut ResponseHeader, length: Option<u64>) -> pingora::Result<()> {
    header.remove_header(&TRANSFER_ENCODING);
    if header.status == StatusCode::NO_CONTENT
        || header.status == StatusCode::NOT_MODIFIED
        || header.status.is_informational()
    {
        header.remove_header(&CONTENT_LENGTH);
        return Ok(());
    }
    match length {
        Some(length) => header.insert_header(CONTENT_LENGTH, length.to_string()),
        None => header.insert_header(TRANSFER_ENCODING, "chunked"),
    }
}

/// Writes an answer's head.
pub(super) async fn begin(session: &mut ServerSession, mut header: ResponseHeader) -> pingora::Result<()> {
    if session.is_http2() {
        header.remove_header(&TRANSFER_ENCODING);
    }
    session.write_response_header(Box::new(header)).await
}

/// Whether bytes follow the head: not after HEAD, nor with statuses that have none.
pub(super) fn has_content(session: &ServerSession) -> bool {
    let status = session.response_written().map(|header| header.status);
    session.req_header().method != Method::HEAD
        && !matches!(status, Some(StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED))
}
