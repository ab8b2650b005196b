//! What is counted, in the OpenMetrics text that Prometheus reads (G9).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

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
        Self(Arc::new(Inner { registry: RwLock::new(registry), requests, durations }))
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
        let labels = Labels { site: site.to_owned(), decision: verdict.as_str(), status: status_class(outcome.status) };
        self.0.requests.get_or_create(&labels).inc();
        self.0.durations.get_or_create(&SiteLabel { site: site.to_owned() }).observe(outcome.took.as_secs_f64());
    }

    /// Everything, as text.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

fn status_class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "none",
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
        let text = metrics.text().unwrap();
        for line in [
            "vantail_requests_total{site=\"crm\",decision=\"refuse\",status=\"4xx\"} 1",
            "vantail_request_duration_seconds_bucket{le=\"0.005\",site=\"crm\"} 1",
            "vantail_sessions 7",
            "vantail_password_hashes_total 5",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
