//! What a decision costs: canonicalisation, and rules from one to a thousand over one to a hundred sites.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method};
use vantail::policy::load::{Texts, check};
use vantail::policy::probe::{caller, person};
use vantail::policy::{BodyFacts, CanonicalTarget, Facts, Policy, decide};
use vantail::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);

/// A policy of so many sites with ten rules each, and so many networks.
fn policy(sites: usize, networks: u32) -> Policy {
    let mut office = String::from("office = [");
    for n in 0..networks {
        let address: IpAddr = std::net::Ipv4Addr::from(0x0a00_0000 + n * 4).into();
        write!(office, "\"{address}/31\",").expect("a string takes text");
    }
    office.push_str("]\n");
    let site = |n: usize| {
        let mut text = format!(
            "name = \"s{n}\"\nhosts = [\"s{n}.test\"]\nbackends = [\"http://127.0.0.1:9\"]\nnetworks = [\"office\"]\n"
        );
        for rule in 0..9 {
            let paths = format!("[\"/part{rule}/**\", \"/x/{{id}}/y{rule}\"]");
            write!(text, "[[rule]]\nname = \"r{rule}\"\npaths = {paths}\naccess = \"signed-in\"\nfactors = 2\n")
                .expect("a string takes text");
        }
        text.push_str("[[rule]]\nname = \"rest\"\naccess = \"signed-in\"\n");
        (format!("s{n}.toml").into(), text)
    };
    let texts = Texts {
        networks: Some(("networks.toml".into(), office)),
        sites: (0..sites).map(site).collect(),
        ..Texts::default()
    };
    check(&texts).expect("the policy is sound").0
}

fn canonicalisation(c: &mut Criterion) {
    let mut group = c.benchmark_group("canonical");
    for (name, raw) in [
        ("plain", "/customers/42/orders?page=2&sort=name"),
        ("escaped", "/caf%C3%A9/%7Euser/a%20b?q=%C3%A9"),
        ("untidy", "//a/./b/../c/%61dmin;x=1/d"),
    ] {
        group.bench_function(name, |b| b.iter(|| CanonicalTarget::parse(black_box(raw.as_bytes()), |_| false)));
    }
    group.finish();
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for (sites, networks) in [(1, 1), (100, 1), (100, 100_000)] {
        let policy = policy(sites, networks);
        let caller = caller(Some(person("alice", &["staff".to_owned()])), 2, Duration::ZERO, NOW);
        let host = format!("s{}.test", sites - 1);
        let target = CanonicalTarget::parse(b"/x/42/y8?page=2", |_| false).expect("the target is canonical");
        let headers = HeaderMap::new();
        let facts = Facts {
            method: &Method::GET,
            target: &target,
            client: "10.0.0.1".parse().expect("an address"),
            headers: &headers,
            body: BodyFacts::Unread,
        };
        let id = BenchmarkId::from_parameter(format!("{sites} sites, {networks} networks"));
        group.bench_function(id, |b| {
            b.iter(|| {
                let site = policy.site_for_host(black_box(&host)).expect("the site is there");
                black_box(decide(&policy, site, black_box(&facts), &caller, NOW))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, canonicalisation, decisions);
criterion_main!(benches);
