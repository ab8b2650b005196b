//! How long anything may take. Nothing at the edge waits for ever.

use std::time::Duration;

/// Every bound in time that the edge applies. The defaults are what `vantail serve` uses; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a PROXY protocol header, from accept.
    pub proxy_header: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For a request's whole head, from its first byte (from accept for the first one).
    pub head: Duration,
    /// Between two requests on one connection.
    pub keep_alive: Duration,
    /// Between two pieces of a streamed request body.
    pub body: Duration,
    /// For a whole body that is read before anything is decided.
    pub capture: Duration,
    /// For a client to take a piece of an answer, and for a backend to take a piece of a request.
    pub write: Duration,
    /// For a connection to a backend, TLS included.
    pub connect: Duration,
    /// For a backend to begin its answer, and between two pieces of it.
    pub answer: Duration,
    /// The same for WebSockets and event streams, which may be silent for long.
    pub long_lived: Duration,
    /// For the whole delivery of a confirmed operation, once connected.
    pub delivery: Duration,
    /// For requests in flight when the gateway stops.
    pub drain: Duration,
}

/// The slowest upload that is waited for, in bytes per second: a backend may begin its answer only when it has it all.
const SLOWEST_UPLOAD: u64 = 64 * 1024;

// === impl Deadlines ===

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            proxy_header: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            body: Duration::from_mins(1),
            capture: Duration::from_mins(1),
            write: Duration::from_mins(1),
            connect: Duration::from_secs(5),
            answer: Duration::from_mins(1),
            long_lived: Duration::from_hours(1),
            delivery: Duration::from_mins(5),
            drain: Duration::from_secs(30),
        }
    }
}

impl Deadlines {
    /// How long a backend may be silent on a request whose body has `length` bytes (none: not known before its end).
    /// The upload's own time is added, because the backend is listened to from the first byte on.
    pub fn answer_to(&self, length: Option<u64>) -> Duration {
        match length {
            Some(length) => (self.answer + Duration::from_secs(length / SLOWEST_UPLOAD)).min(self.long_lived),
            None => self.long_lived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_body_is_answered_within_the_bound_and_an_upload_gets_its_own_time() {
        let deadlines = Deadlines::default();
        assert_eq!(deadlines.answer_to(Some(0)), Duration::from_mins(1));
        assert_eq!(deadlines.answer_to(Some(64 * 1024 * 100)), Duration::from_secs(160));
        assert_eq!(deadlines.answer_to(Some(u64::MAX)), deadlines.long_lived);
    }
}
