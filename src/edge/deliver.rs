//! The delivery of a confirmed operation: the same backend, header rules and identity as every forwarded request, sent
//! once, on a fresh connection, and never again.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};
use tokio::time::timeout;

use super::backend::Target;
use super::exchange::{self, Answering, Exchange};
use super::identity::{self, Outgoing};
use super::{Backends, Deadlines, backend, fields};
use crate::identity::assertion::{Assertions, OperationClaim, Sent};
use crate::operation::{Answer, CapturedRequest, Deliver, Delivered};
use crate::policy::Permit;
use crate::test_points;
use crate::time::Clock;

/// Sends confirmed operations. Made once, by `app.rs`, and bound to the operations at their start.
#[derive(Debug)]
pub struct Delivery {
    exchange: Exchange,
    backends: Backends,
    assertions: Assertions,
    clock: Arc<dyn Clock>,
    deadlines: Deadlines,
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

// === impl Delivery ===

impl Delivery {
    /// Sending to `backends`, in the name of `assertions`.
    pub fn new(backends: Backends, assertions: Assertions, clock: Arc<dyn Clock>, deadlines: Deadlines) -> Self {
        Self { exchange: Exchange::new(deadlines), backends, assertions, clock, deadlines }
    }

    /// The sealed backend, if the site still has it.
    fn target(&self, permit: &Permit, sealed: &str) -> Option<Arc<Target>> {
        let backend = permit.site().backends.iter().find(|own| backend::url(own) == sealed)?;
        Some(self.backends.target(backend))
    }

    /// The head to be sent. What cannot be made is not sent.
    fn header(
        &self,
        permit: &Permit,
        request: &CapturedRequest,
        claim: &OperationClaim,
    ) -> Result<RequestHeader, String> {
        let mut header = captured_header(request).map_err(|error| error.to_string())?;
        fields::change(&mut header, |fields| identity::strip(fields, Some(permit.site())));
        let requester = permit.identity().ok_or("the permit names nobody")?;
        let site = permit.site();
        let sent = Sent { operation: claim, htm: &request.method, target: &request.target };
        let signed = self
            .assertions
            .for_operation(requester, &site.name, sent, self.clock.now())
            .map_err(|error| error.to_string())?;
        let outgoing = Outgoing {
            site,
            signed: Some(&signed),
            operation: Some(&claim.id),
            client: request.client,
            scheme: if request.scheme == "https" { "https" } else { "http" },
            host: &request.host,
            request_id: &request.request_id,
        };
        outgoing.write(&mut header).map_err(|stop| stop.because.into_owned())?;
        if !header.headers.contains_key(IDEMPOTENCY_KEY) {
            header.insert_header(IDEMPOTENCY_KEY, claim.id.as_str()).map_err(|error| error.to_string())?;
        }
        Ok(header)
    }

    async fn exchange(&self, mut session: Answering, header: RequestHeader, body: &Bytes, limit: usize) -> Delivered {
        match timeout(self.deadlines.delivery, converse(&mut session, header, body, limit)).await {
            Ok(Ok(answer)) => Delivered::Answered(answer),
            Ok(Err(error)) => Delivered::Unknown(error.to_string()),
            Err(_) => Delivered::Unknown("the backend did not finish its answer in time".into()),
        }
    }
}

#[async_trait]
impl Deliver for Delivery {
    async fn deliver(
        &self,
        permit: Permit,
        request: &CapturedRequest,
        claim: &OperationClaim,
        backend: &str,
        answer_limit: usize,
    ) -> Delivered {
        let Some(target) = self.target(&permit, backend) else {
            return Delivered::NotSent(format!("the site no longer has the backend {backend}"));
        };
        let header = match self.header(&permit, request, claim) {
            Ok(header) => header,
            Err(why) => return Delivered::NotSent(why),
        };
        let session = match target.peer(&self.deadlines).await {
            Ok(peer) => self.exchange.connect(&peer).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        match session {
            Ok(session) => {
                target.connected();
                self.exchange(session, header, &Bytes::copy_from_slice(&request.body), answer_limit).await
            }
            Err(why) => {
                target.failed();
                Delivered::NotSent(why)
            }
        }
    }
}

/// The head of a captured request, as it came.
pub(super) fn captured_header(request: &CapturedRequest) -> pingora::Result<RequestHeader> {
    let mut header = RequestHeader::build_no_case(
        request.method.as_str(),
        request.target.as_bytes(),
        Some(request.headers.len() + 16),
    )?;
    header.insert_header(HOST, request.host.as_str())?;
    for (name, value) in &request.headers {
        let value = HeaderValue::from_bytes(value)
            .map_err(|error| pingora::Error::because(pingora::ErrorType::InvalidHTTPHeader, "a kept header", error))?;
        header.append_header(name.clone(), value)?;
    }
    if !request.body.is_empty() || !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "DELETE") {
        header.insert_header(CONTENT_LENGTH, request.body.len().to_string())?;
    }
    Ok(header)
}

async fn converse(
    session: &mut Answering,
    header: RequestHeader,
    body: &Bytes,
    limit: usize,
) -> pingora::Result<Answer> {
    exchange::send(session, header, body).await?;
    test_points::reach("after-dispatch");
    exchange::answer(session).await?;
    let header =
        session.resp_header().ok_or_else(|| pingora::Error::explain(pingora::ErrorType::ReadError, "no answer"))?;
    let (status, headers) = (header.status.as_u16(), kept_headers(header));
    Ok(Answer { status, headers, body: kept_body(session, limit).await? })
}

/// End-to-end headers alone, without cookies that are ours to set.
fn kept_headers(header: &ResponseHeader) -> Vec<(String, Vec<u8>)> {
    let is_kept = |(name, value): &(&HeaderName, &HeaderValue)| {
        !identity::is_hop_by_hop(name)
            && *name != CONTENT_LENGTH
            && !(*name == http::header::SET_COOKIE && crate::portal::sets_own(value.as_bytes()))
    };
    header.headers.iter().filter(is_kept).map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

/// The body, or nothing when it is over the limit: the rest is then not read.
async fn kept_body(session: &mut Answering, limit: usize) -> pingora::Result<Option<Vec<u8>>> {
    let mut whole = Vec::new();
    while let Some(piece) = session.read_body_bytes().await? {
        if whole.len() + piece.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole))
}
