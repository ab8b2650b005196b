//! What a whole gateway shows on its operations port.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::PATIENCE;
use crate::support::answer::Answer;
use crate::support::client::Client;
use crate::support::soon;
use crate::world::World;

async fn world() -> World {
    World::builder().listen("operations = \"127.0.0.1:0\"").start().await
}

async fn told(world: &World, path: &str) -> Answer {
    Client::new(world.operations_address()).get(path).await
}

/// Asks until `/readyz` answers with `status`.
async fn answers_with(world: &World, status: u16) -> Answer {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let answer = told(world, "/readyz").await;
        if answer.status == status {
            return answer;
        }
        assert!(std::time::Instant::now() < end, "still {}: {}", answer.status, answer.text());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_gateway_whose_store_is_dead_lives_and_is_not_ready() {
    let world = world().await;
    assert_eq!(answers_with(&world, 200).await.text(), "ready\n");
    world.tools.store.close().await;
    assert_eq!(answers_with(&world, 503).await.text(), "the database does not answer\n");
    assert_eq!(told(&world, "/livez").await.status, 200);
    let page = world.stranger().get("/app/x").await;
    assert!(page.is_not_forwarded(), "{}", page.status);
    assert_eq!(world.stranger().get("/public/x").await.status, 200, "open routes go on");
}

#[tokio::test]
async fn a_gateway_whose_backends_are_gone_is_not_ready() {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let builder = World::builder().listen("operations = \"127.0.0.1:0\"").in_front_of(nobody);
    let world = builder.start().await;
    assert_eq!(answers_with(&world, 503).await.text(), "no backend answers for: gw\n");
}

/// What Prometheus reads: the type of each family, and every sample's name, labels and number.
#[derive(Default)]
struct Exposition {
    types: BTreeMap<String, String>,
    samples: Vec<(String, String, f64)>,
}

impl Exposition {
    /// Reads the OpenMetrics text; what is not of its form ends the test.
    fn read(text: &str) -> Self {
        let mut read = Self::default();
        let lines = text.strip_suffix("# EOF\n").expect("the end is marked").lines();
        for line in lines {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                match (words.next().unwrap(), words.next().unwrap(), words.next()) {
                    ("HELP" | "UNIT", _, Some(text)) => assert!(!text.is_empty(), "{line}"),
                    ("TYPE", family, Some(kind)) => {
                        assert!(read.types.insert(family.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
                    }
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (series, number) = line.rsplit_once(' ').expect("a sample has a number");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').expect("labels end");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            read.samples.push((name.to_owned(), labels.to_owned(), number.parse().expect("a number")));
        }
        read
    }

    fn value(&self, name: &str, labels: &str) -> Option<f64> {
        let found = self.samples.iter().find(|(own, own_labels, _)| own == name && own_labels == labels);
        found.map(|(_, _, number)| *number)
    }

    /// Of which family a sample is: without what its type adds to the name.
    fn family(&self, sample: &str) -> &str {
        let suffixes = ["_total", "_bucket", "_sum", "_count"];
        let stem = suffixes.iter().find_map(|suffix| sample.strip_suffix(suffix)).unwrap_or(sample);
        let found = self.types.keys().find(|family| *family == sample || *family == stem);
        found.unwrap_or_else(|| panic!("{sample} has no type"))
    }
}

#[tokio::test]
async fn prometheus_can_read_the_metrics_and_the_documentation_names_them() {
    let world = world().await;
    let alice = world.signed_in("alice").await;
    let computed = world.tools.accounts.hashing.computed();
    alice.asks("POST", "/admin/ops/1", "{}").await;
    assert_eq!(world.stranger().get("/public/x").await.status, 200);
    let answer = told(&world, "/metrics").await;
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let metrics = Exposition::read(&answer.text());
    let of_site = |decision, status| format!("site=\"gw\",decision=\"{decision}\",status=\"{status}\"");
    assert_eq!(metrics.value("vantail_requests_total", &of_site("forward", "2xx")), Some(1.0));
    assert_eq!(metrics.value("vantail_requests_total", &of_site("hold", "3xx")), Some(1.0));
    assert_eq!(metrics.value("vantail_password_hashes_total", ""), Some(f64::from(u32::try_from(computed).unwrap())));
    // What the sign-in changed is told to every process, this one too: the session may be forgotten, and known again.
    let known = async {
        loop {
            assert_eq!(alice.client.get("/secure/operations").await.status, 200);
            let metrics = Exposition::read(&told(&world, "/metrics").await.text());
            if metrics.value("vantail_sessions_known", "") == Some(1.0) {
                break;
            }
        }
    };
    soon("a session being known", known).await;
    let families: BTreeSet<_> = metrics.samples.iter().map(|(name, _, _)| metrics.family(name)).collect();
    assert_eq!(families, metrics.types.keys().map(String::as_str).collect(), "each family has a sample");
    assert_eq!(families.len(), 6, "{families:?}");
    let documentation = include_str!("../../docs/edge.md");
    for family in families {
        let shown = if metrics.types[family] == "counter" { format!("{family}_total") } else { family.to_owned() };
        assert!(documentation.contains(&format!("`{shown}`")), "{shown} is not documented");
    }
}
