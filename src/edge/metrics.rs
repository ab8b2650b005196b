//! What is counted, in the OpenMetrics text that Prometheus reads (G9).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use foldhash::fast::RandomState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::access_log::{Outcome, Verdict};

/// All counters. Cheap to clone: every request holds them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: RwLock<Registry>,
    requests: Family<Labels, Counter>,
    durations: Family<SiteLabel, Histogram, fn() -> Histogram>,
    meters: RwLock<HashMap<String, Arc<Meter>, RandomState>>,
}

/// Labels of a request. The site's name comes from the policy, so that clients cannot make new ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    site: String,
    decision: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SiteLabel {
    site: String,
}

/// What is counted of one site, at hand: looking each up by its labels would cost every request two copies of them.
#[derive(Debug)]
struct Meter {
    requests: [[OnceLock<Counter>; Class::COUNT]; Verdict::COUNT],
    durations: Histogram,
}

/// The first digit of a status (RFC 9110 section 15).
#[derive(Debug, Clone, Copy)]
enum Class {
    Informational,
    Successful,
    Redirection,
    ClientError,
    ServerError,
    /// The client was gone before.
    None,
}

/// A number that somebody else keeps, read when it is asked for.
struct Reading {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    read: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// Upper bounds of the durations, in seconds.
const DURATIONS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("vantail");
        let requests = Family::default();
        let durations = Family::new_with_constructor((|| Histogram::new(DURATIONS)) as fn() -> Histogram);
        registry.register("requests", "Requests by site, decision and class of status", requests.clone());
        registry.register(
            "request_duration_seconds",
            "From the request's head to the end of the answer",
            durations.clone(),
        );
        let (registry, meters) = (RwLock::new(registry), RwLock::default());
        Self(Arc::new(Inner { registry, requests, durations, meters }))
    }
}

impl Metrics {
    /// Shows a number that goes up and down and is kept elsewhere: sessions known, operations waiting.
    pub fn show_gauge(&self, name: &'static str, help: &'static str, read: impl Fn() -> i64 + Send + Sync + 'static) {
        self.show(Reading { name, help, kind: MetricType::Gauge, read: Box::new(read) });
    }

    /// Shows a number that only goes up and is kept elsewhere: hashes computed, SMS sent.
    pub fn show_counter(&self, name: &'static str, help: &'static str, read: impl Fn() -> i64 + Send + Sync + 'static) {
        self.show(Reading { name, help, kind: MetricType::Counter, read: Box::new(read) });
    }

    fn show(&self, reading: Reading) {
        self.0.registry.write().unwrap_or_else(PoisonError::into_inner).register_collector(Box::new(reading));
    }

    /// Counts a request.
    pub(super) fn count(&self, site: &str, verdict: Verdict, outcome: Outcome) {
        let meter = self.meter(site);
        let status = Class::of(outcome.status);
        let counter = meter.requests[verdict as usize][status as usize].get_or_init(|| {
            let labels = Labels { site: site.to_owned(), decision: verdict.as_str(), status: status.as_str() };
            self.0.requests.get_or_create_owned(&labels)
        });
        counter.inc();
        meter.durations.observe(outcome.took.as_secs_f64());
    }

    fn meter(&self, site: &str) -> Arc<Meter> {
        let known = self.0.meters.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned();
        known.unwrap_or_else(|| {
            let durations = self.0.durations.get_or_create_owned(&SiteLabel { site: site.to_owned() });
            let meter = Arc::new(Meter { requests: Default::default(), durations });
            let mut meters = self.0.meters.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(meters.entry(site.to_owned()).or_insert(meter))
        })
    }

    /// Everything, as text.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

// === impl Class ===

impl Class {
    const COUNT: usize = Self::None as usize + 1;

    fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Successful,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Successful => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::None => "none",
        }
    }
}

// === impl Reading ===

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let value = (self.read)();
        let metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        match self.kind {
            MetricType::Counter => ConstCounter::new(u64::try_from(value).unwrap_or(0)).encode(metric),
            _ => ConstGauge::new(value).encode(metric),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_and_readings_are_shown() {
        let metrics = Metrics::default();
        metrics.show_gauge("sessions", "Sessions known in process", || 7);
        metrics.show_counter("password_hashes", "Hashes computed", || 5);
        let outcome = Outcome { status: 403, received: 0, sent: 0, took: Duration::from_millis(3) };
        metrics.count("crm", Verdict::Refuse, outcome);
        metrics.count("crm", Verdict::Refuse, outcome);
        metrics.count("hr", Verdict::Error, Outcome { status: 0, ..outcome });
        let text = metrics.text().unwrap();
        for line in [
            "vantail_requests_total{site=\"crm\",decision=\"refuse\",status=\"4xx\"} 2",
            "vantail_requests_total{site=\"hr\",decision=\"error\",status=\"none\"} 1",
            "vantail_request_duration_seconds_bucket{le=\"0.005\",site=\"crm\"} 2",
            "vantail_sessions 7",
            "vantail_password_hashes_total 5",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
