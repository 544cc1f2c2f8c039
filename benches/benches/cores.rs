//! What the pure cores of one request cost: a limit's decision, the reading of a JSON body, the masking of a text. No
//! sockets, no files. `cargo bench -p benches`.
#![expect(clippy::expect_used, reason = "a measurement: a failure is the report")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use ratelimit::{Decision, Limit};
use validate::{Contract, Limits, Mode, RequestView};

/// Nanoseconds between two requests of the measured client.
const STEP_NS: u64 = 1_000_000;
/// Orders in the measured JSON body: about 10 KiB, far more than most requests have.
const ORDERS: usize = 100;

fn limit(criterion: &mut Criterion) {
    let limit = Limit::new(500, Duration::from_secs(1), 1000).expect("a sound limit");
    let (mut tat_ns, mut now_ns) = (None, 0_u64);
    criterion.bench_function("ratelimit/decide", |bencher| {
        bencher.iter(|| {
            now_ns = now_ns.wrapping_add(STEP_NS);
            let decision = limit.decide(black_box(tat_ns), now_ns, 1);
            if let Decision::Allowed { tat_ns: next, .. } = decision {
                tat_ns = Some(next);
            }
            decision
        });
    });
}

fn json(criterion: &mut Criterion) {
    let order = r#"{"id":"0b7a0f0e-1f5c-4f35-9a8b-6a7d0f3b9a10","amount":12.50,"note":"leave it at the door"}"#;
    let body = Bytes::from(format!("[{}]", vec![order; ORDERS].join(",")));
    let contract = Arc::new(Contract::prefix(Limits::default()));
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let request = RequestView {
        path_parameters: &[],
        query: Some("page=2"),
        headers: &headers,
        has_body: true,
    };
    let mut group = criterion.benchmark_group("validate");
    group.throughput(Throughput::Bytes(u64::try_from(body.len()).expect("a small body")));
    group.bench_function("json_without_schema", |bencher| {
        bencher.iter(|| {
            let opened = contract.open(black_box(&request), Mode::Enforce).expect("a good head");
            opened.finish(body.clone()).expect("a good body")
        });
    });
    group.finish();
}

fn mask(criterion: &mut Criterion) {
    let plain = "order 42 of the shop in the old town was shipped on Monday";
    let personal = "card 4111 1111 1111 1111 of jane.doe@example.com, again on Monday";
    for (name, text) in [("audit/mask_nothing", plain), ("audit/mask_card_and_email", personal)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| audit::mask(black_box(text)).len());
        });
    }
}

criterion_group!(cores, limit, json, mask);
criterion_main!(cores);
