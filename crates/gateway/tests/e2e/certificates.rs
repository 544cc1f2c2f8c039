//! Client certificates: the cells {h1, h2, h3} x {none, good, revoked, wrong CA} at the real binary; a revocation list and a
//! CA that are swapped on disk count from the next handshake on, with SIGHUP and without.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::{Client, PROTOCOLS, Protocol, request};
use crate::issuer::{claims, header};
use crate::parts::authority::{Authority, Issued, Usage};
use crate::parts::process::wait_until;
use crate::site::{Gateway, LIMIT};
use crate::world::{World, reason, usual, world};

/// A world whose gateway asks for certificates of this authority.
fn asking(mode: &str, ours: &Authority) -> World {
    let world = world(&usual());
    put(&world, ours, &[]);
    let clients = format!("{{ mode: {mode}, ca: client-ca.pem, crl: clients.crl }}");
    world.site.amend(
        "key: edge.key }] }",
        &format!("key: edge.key }}], client_certificates: {clients} }}"),
    );
    world
}

/// Puts the files of an authority and what it has revoked in place of those that are there.
fn put(world: &World, authority: &Authority, revoked: &[&Issued]) {
    for (name, text) in
        [("client-ca.pem", authority.ca_pem()), ("clients.crl", authority.revokes(revoked))]
    {
        std::fs::write(world.site.path("fresh"), text).unwrap();
        std::fs::rename(world.site.path("fresh"), world.site.path(name)).unwrap();
    }
}

/// The status of one request on a connection of its own; `None` where it got none.
async fn ask(
    world: &World,
    gateway: &Gateway,
    protocol: Protocol,
    shown: Option<&Issued>,
) -> Option<u16> {
    ask_with(world, gateway, (protocol, shown), &world.token()).await
}

async fn ask_with(
    world: &World,
    gateway: &Gateway,
    (protocol, shown): (Protocol, Option<&Issued>),
    token: &str,
) -> Option<u16> {
    try_ask(world, gateway, (protocol, shown), token).await.ok()
}

/// The status, or why there is none.
async fn try_ask(
    world: &World,
    gateway: &Gateway,
    (protocol, shown): (Protocol, Option<&Issued>),
    token: &str,
) -> Result<u16, String> {
    let client = Client::showing(shown, &world.site.authority.ca_pem(), gateway.address);
    let answer = client.try_send(protocol, request("GET", "/orders", Some(token), ""));
    // The client waits for ever, without a socket, where its connection is closed right behind the handshake.
    let answer = timeout(TRY_LIMIT, answer).await.unwrap_or_else(|_| Err("no answer".to_owned()));
    answer.map(|answer| answer.status.as_u16())
}

/// How long one try may take: a refused handshake is told at once.
const TRY_LIMIT: Duration = Duration::from_secs(20);

/// The events of broken connections that say so.
fn failures(world: &World, expected: &str) -> usize {
    let failed = |event: &Value| event["class_uid"] == 4001 && reason(event) == expected;
    world.site.events().into_iter().filter(failed).count()
}

fn thumbprint(issued: &Issued) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &issued.chain()[0]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_certificates_are_asked_for_and_their_files_read_anew() {
    let (ours, other) = (Authority::new("clients"), Authority::new("other clients"));
    let issue = |authority: &Authority| authority.issue("a client", &[], &[], Usage::Client);
    let (good, goes, foreign) = (issue(&ours), issue(&ours), issue(&other));
    let world = asking("required", &ours);
    let gateway = world.site.start();
    for protocol in PROTOCOLS {
        for (shown, status) in [
            (None, None),
            (Some(&good), Some(200)),
            (Some(&goes), Some(200)),
            (Some(&foreign), None),
        ] {
            let found = ask(&world, &gateway, protocol, shown).await;
            assert_eq!(found, status, "{protocol:?}: {}", gateway.log());
        }
    }

    put(&world, &ours, &[&goes]);
    gateway.process.signal("HUP");
    wait_until("the reload", LIMIT, || gateway.metric(&["sallyport_reloads_total"]) >= 1.0);
    for protocol in PROTOCOLS {
        assert_eq!(ask(&world, &gateway, protocol, Some(&goes)).await, None, "{protocol:?}");
        assert_eq!(ask(&world, &gateway, protocol, Some(&good)).await, Some(200), "{protocol:?}");
    }

    put(&world, &other, &[]);
    // Nobody says so: the files are looked at.
    let deadline = tokio::time::Instant::now() + LIMIT;
    let (shown, token) = ((Protocol::H1, Some(&foreign)), world.token());
    while let Err(error) = try_ask(&world, &gateway, shown, &token).await {
        let told = || world.site.events().iter().rev().take(3).map(reason).collect::<Vec<_>>();
        let late = tokio::time::Instant::now() >= deadline;
        assert!(!late, "{error} {:?} {}", told(), gateway.log());
    }
    for protocol in PROTOCOLS {
        assert_eq!(
            ask(&world, &gateway, protocol, Some(&foreign)).await,
            Some(200),
            "{protocol:?}"
        );
        assert_eq!(ask(&world, &gateway, protocol, Some(&good)).await, None, "{protocol:?}");
    }

    for (reason, least) in [("missing", 3), ("revoked", 3), ("untrusted", 6)] {
        let reason = format!("client_certificate_{reason}");
        wait_until(&reason, LIMIT, || failures(&world, &format!("tls.{reason}")) >= least);
        assert!(
            gateway.metric(&["sallyport_connections_broken_total", &reason]) >= 3.0,
            "{reason}"
        );
    }
    let shown = thumbprint(&good);
    let told = |event: &Value| event["unmapped"]["tls_client_certificate"] == shown.as_str();
    wait_until("the requests of the good one", LIMIT, || {
        world.site.transactions().iter().filter(|event| told(event)).count() >= 6
    });
    let leaf = base64::engine::general_purpose::STANDARD.encode(&good.chain()[0]);
    assert!(world.site.events().iter().all(|event| !event.to_string().contains(&leaf)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_bound_to_a_certificate_comes_with_that_one_only() {
    let ours = Authority::new("clients");
    let issue = || ours.issue("a client", &[], &[], Usage::Client);
    let (holder, thief) = (issue(), issue());
    let world = asking("optional", &ours);
    let gateway = world.site.start();
    let mut bound = claims("shop", "read:orders");
    bound["cnf"] = json!({ "x5t#S256": thumbprint(&holder) });
    let bound = world.issuer.sign(&header(), &bound);
    let holders = thumbprint(&holder);
    for protocol in PROTOCOLS {
        for (shown, status) in [(Some(&holder), 200), (Some(&thief), 401), (None, 401)] {
            let found = ask_with(&world, &gateway, (protocol, shown), &bound).await;
            assert_eq!(found, Some(status), "{protocol:?}: {}", gateway.log());
        }
        // One that is bound to nothing comes from anywhere.
        assert_eq!(ask(&world, &gateway, protocol, None).await, Some(200), "{protocol:?}");
    }
    wait_until("the refusals on record", LIMIT, || {
        let all = world.site.transactions();
        all.iter().filter(|event| reason(event) == "token.certificate_mismatch").count() == 6
    });
    // The record of who was let in says what the token is bound to, where it is.
    let told = |event: &Value, name: &str| event["unmapped"][name].as_str().map(str::to_owned);
    wait_until("the requests that passed", LIMIT, || {
        let all = world.site.transactions();
        let passed = |event: &&Value| event["http_response"]["code"] == 200;
        let bound = |event: &&Value| told(event, "bound_certificate").as_ref() == Some(&holders);
        let passed: Vec<_> = all.iter().filter(passed).collect();
        passed.len() == 6 && passed.iter().filter(|event| bound(event)).count() == 3
    });
}

/// Whether clients are asked at all changes at a reload, too, in both directions, and with an event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_certificates_are_turned_on_and_off_by_a_reload() {
    let ours = Authority::new("clients");
    let world = asking("required", &ours);
    let gateway = world.site.start();
    let shown = ours.issue("good", &[], &[], Usage::Client);
    assert_eq!(ask(&world, &gateway, Protocol::H2, None).await, None);
    for (from, to, alone) in [
        ("mode: required, ca: client-ca.pem, crl: clients.crl", "mode: off", true),
        ("mode: off", "mode: required, ca: client-ca.pem, crl: clients.crl", false),
    ] {
        world.site.amend(from, to);
        gateway.process.signal("HUP");
        for protocol in PROTOCOLS {
            // Over HTTP/3 the new terms hold once the old connections are gone.
            let deadline = Instant::now() + LIMIT;
            while ask(&world, &gateway, protocol, None).await.is_some() != alone {
                assert!(Instant::now() < deadline, "{protocol:?}: {}", gateway.log());
            }
            let status = ask(&world, &gateway, protocol, Some(&shown)).await;
            assert_eq!(status, Some(200), "{protocol:?}: {}", gateway.log());
        }
    }
    assert_eq!(gateway.metric(&["sallyport_reloads_total"]), 2.0);
}
