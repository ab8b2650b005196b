//! What holding a request costs beside the database: encoding, digest, sealing, and back.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vantail::identity::Amr;
use vantail::operation::CapturedRequest;
use vantail::secret::{Keyring, Place, Sealed, SystemRandom};
use vantail::store::operations::Captured;
use vantail::time::Timestamp;

const HERE: Place<'static> = Place { table: "operations", column: "captured", row: "48271935" };
const SIZES: [usize; 3] = [1 << 10, 64 << 10, 1 << 20];

fn request(size: usize) -> CapturedRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    CapturedRequest {
        method: "POST".to_owned(),
        target: "/admin/customers/42/delete?force=1".to_owned(),
        scheme: "https".to_owned(),
        host: "crm.example.org".to_owned(),
        headers: vec![
            header("content-type", "application/json"),
            header("accept", "text/html,application/xhtml+xml"),
            header("accept-language", "fr,en;q=0.5"),
            header("cookie", "legacy=7f1c5a0e2b9d4c38"),
        ],
        body: vec![b'x'; size],
        client: [192, 0, 2, 7].into(),
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: Timestamp::from_secs(1_772_366_400),
        second_factor_at: Some(Timestamp::from_secs(1_772_366_410)),
        request_id: "0195f0a2".to_owned(),
    }
}

/// From the request in hand to what is stored.
fn keeping(c: &mut Criterion) {
    let keyring = Keyring::new(&[7; 32]);
    let mut group = c.benchmark_group("keep");
    for size in SIZES {
        let request = request(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                let digest = black_box(&request).digest();
                let sealed: Sealed<Captured> = keyring.seal(&SystemRandom, HERE, &request.encode());
                black_box((digest, sealed))
            });
        });
    }
    group.finish();
}

/// From what is stored to the request in hand.
fn opening(c: &mut Criterion) {
    let keyring = Keyring::new(&[7; 32]);
    let mut group = c.benchmark_group("open");
    for size in SIZES {
        let sealed: Sealed<Captured> = keyring.seal(&SystemRandom, HERE, &request(size).encode());
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                let bytes = keyring.open(HERE, black_box(&sealed)).expect("it was sealed here");
                black_box(CapturedRequest::decode(&bytes).expect("it was encoded here"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, keeping, opening);
criterion_main!(benches);
