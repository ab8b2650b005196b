//! One request sent by ourselves, on a connection of its own, and its answer: for confirmed operations, and for bodies that
//! were read whole and are longer than pingora would send again.
//!
//! It is sent once. What fails before the first byte was surely *not sent*; from then on nobody knows.

use bytes::Bytes;
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::v1::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::v1::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;

use super::Deadlines;

/// Makes connections that nothing else uses.
pub(super) struct Exchange {
    connector: Connector,
    deadlines: Deadlines,
}

/// A request that was sent, and whose answer has begun.
pub(super) type Answering = HttpSession;

// === impl Exchange ===

impl Exchange {
    pub fn new(deadlines: Deadlines) -> Self {
        // Nothing is ever given back to its pool, so every connection is fresh.
        Self { connector: Connector::new(Some(ConnectorOptions::new(1))), deadlines }
    }

    /// A fresh connection. An error means that nothing was sent.
    pub async fn connect(&self, peer: &HttpPeer) -> pingora::Result<HttpSession> {
        let (mut session, _reused) = self.connector.get_http_session(peer).await?;
        session.read_timeout = Some(self.deadlines.answer);
        session.write_timeout = Some(self.deadlines.write);
        Ok(session)
    }
}

/// Sends head and body whole.
pub(super) async fn send(session: &mut HttpSession, header: RequestHeader, body: &Bytes) -> pingora::Result<()> {
    session.write_request_header(Box::new(header)).await?;
    if !body.is_empty() {
        session.write_body(body).await?;
    }
    session.finish_body().await?;
    Ok(())
}

/// Waits for the answer's head, past any that only informs (RFC 9110 section 15.2).
pub(super) async fn answer(session: &mut HttpSession) -> pingora::Result<()> {
    loop {
        session.read_response().await?;
        if !session.get_status().is_some_and(|status| status.is_informational()) {
            return Ok(());
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("deadlines", &self.deadlines).finish_non_exhaustive()
    }
}
