//! Certificates of clients that a proxy passes on (RFC 9440): from one that proved itself by its own certificate and from
//! nobody else, judged as if they had been shown here, on all protocols alike.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, request};
use crate::issuer::{claims, header};
use crate::parts::authority::{Authority, Issued, Usage};
use crate::parts::process::wait_until;
use crate::site::LIMIT;
use crate::world::{World, reason, service, usual, world};

const CLIENT_CERT: &str = "client-cert";
const CHAIN: &str = "client-cert-chain";

/// A world behind proxies that may pass certificates on.
fn behind(proxies: &Authority, clients: &Authority, revoked: &[&Issued]) -> World {
    let mut world = world(&usual());
    put(&world, clients, revoked);
    std::fs::write(world.site.path("proxies-ca.pem"), proxies.ca_pem()).unwrap();
    world.site.amend(
        "key: edge.key }] }",
        "key: edge.key }], client_certificates: { mode: optional, ca: proxies-ca.pem } }
    client_address: { trusted_proxies: [127.0.0.0/8] }
    forwarded_certificates: { proxies: ['dns:lb.internal'], ca: clients.pem, crl: clients.crl }",
    );
    world.service = service(&world.site, &[CLIENT_CERT, CHAIN]);
    let configuration = std::fs::read_to_string(world.site.path("gateway.yaml")).unwrap();
    let endpoint = configuration.split("endpoints: [").nth(1).unwrap().split(']').next().unwrap();
    world.site.amend(endpoint, &format!("https://{}", world.service.address()));
    world
}

fn put(world: &World, clients: &Authority, revoked: &[&Issued]) {
    for (name, text) in
        [("clients.pem", clients.ca_pem()), ("clients.crl", clients.revokes(revoked))]
    {
        std::fs::write(world.site.path("fresh"), text).unwrap();
        std::fs::rename(world.site.path("fresh"), world.site.path(name)).unwrap();
    }
}

fn thumbprint(issued: &Issued) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &issued.chain()[0]))
}

/// A leaf as a proxy writes it.
fn item(issued: &Issued) -> String {
    format!(":{}:", STANDARD.encode(&issued.chain()[0]))
}

fn passing(token: &str, lines: &[(&'static str, String)]) -> Request<Bytes> {
    let mut request = request("GET", "/orders", Some(token), "");
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    request
}

/// Who connects, what is passed on, what is answered, and why.
type Case<'a> = (Option<&'a Issued>, Vec<(&'static str, String)>, u16, &'a str);

#[expect(clippy::too_many_lines, reason = "a table")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_proved_itself_passes_certificates_on() {
    let (proxies, clients, others) =
        (Authority::new("proxies"), Authority::new("clients"), Authority::new("others"));
    let proxy = |name: &str| proxies.issue("a proxy", &[name], &[], Usage::Client);
    let client = |by: &Authority| by.issue("a client", &[], &[], Usage::Client);
    let (lb, other) = (proxy("lb.internal"), proxy("other.internal"));
    let (holder, thief, gone) = (client(&clients), client(&clients), client(&clients));
    let foreign = client(&others);
    let server = clients.issue("a server", &["a.example"], &[], Usage::Server);
    let world = behind(&proxies, &clients, &[&gone]);
    let gateway = world.site.start();
    gateway.await_all_up();
    let bind = |to: &Issued| {
        let mut bound = claims("shop", "read:orders");
        bound["cnf"] = json!({ "x5t#S256": thumbprint(to) });
        world.issuer.sign(&header(), &bound)
    };
    let (bound, own) = (bind(&holder), bind(&lb));
    let (free, mismatch) = (world.token(), "token.certificate_mismatch");
    let one = |issued: &Issued| vec![(CLIENT_CERT, item(issued))];
    let root = format!(":{}:", STANDARD.encode(&holder.chain()[1]));
    let cases: [(&str, Case<'_>); 17] = [
        (&bound, (Some(&lb), one(&holder), 200, "")),
        (&bound, (Some(&lb), [one(&holder), vec![(CHAIN, root)]].concat(), 200, "")),
        (&bound, (Some(&lb), one(&thief), 401, mismatch)),
        (&bound, (Some(&lb), vec![], 401, mismatch)),
        (&bound, (Some(&lb), one(&gone), 401, "edge.client_cert_revoked")),
        (&bound, (Some(&lb), one(&foreign), 401, "edge.client_cert_untrusted")),
        (&bound, (Some(&lb), one(&server), 401, "edge.client_cert_untrusted")),
        (&bound, (Some(&lb), vec![(CLIENT_CERT, "x".into())], 400, "edge.client_cert_syntax")),
        (&bound, (Some(&lb), vec![(CHAIN, item(&holder))], 400, "edge.client_cert_syntax")),
        (
            &bound,
            (Some(&lb), [one(&holder), one(&holder)].concat(), 400, "edge.client_cert_repeated"),
        ),
        // The word of a proxy without that name, and of a peer without a certificate, counts for nothing.
        (&bound, (Some(&other), one(&holder), 401, mismatch)),
        (&bound, (None, one(&holder), 401, mismatch)),
        // A token that is bound to nothing: a bad certificate is refused all the same, where it counts.
        (&free, (Some(&lb), vec![], 200, "")),
        (&free, (Some(&lb), one(&gone), 401, "edge.client_cert_revoked")),
        (&free, (Some(&other), one(&gone), 200, "")),
        (&free, (None, vec![(CLIENT_CERT, "x".into())], 200, "")),
        // The proxy's certificate is not its clients'.
        (&own, (Some(&lb), vec![], 401, mismatch)),
    ];
    let ca_pem = world.site.authority.ca_pem();
    for protocol in PROTOCOLS {
        for (number, (token, (shown, lines, status, why))) in cases.iter().enumerate() {
            let client = Client::showing(*shown, &ca_pem, gateway.address);
            let answer = client.send(protocol, passing(token, lines)).await;
            assert_eq!(answer.status, *status, "{protocol:?} {number}: {}", gateway.log());
            let event = world.site.await_event_of(answer.transaction());
            assert!(reason(&event).starts_with(why), "{protocol:?} {number}: {event}");
            assert_eq!(event["src_endpoint"]["ip"], "192.0.2.7", "{protocol:?} {number}");
            let challenged = answer.headers.contains_key("www-authenticate");
            assert_eq!(challenged, *status == 401, "{protocol:?} {number}");
            let recorded = match number {
                0 | 1 => Value::from(thumbprint(&holder)),
                2 => Value::from(thumbprint(&thief)),
                _ => Value::Null,
            };
            let told = &event["unmapped"]["tls_client_certificate"];
            assert_eq!(*told, recorded, "{protocol:?} {number}");
        }
    }
    // What proxies say stays here.
    let seen = world.service.await_seen(5 * PROTOCOLS.len());
    assert!(seen.iter().all(|seen| seen.fields[CLIENT_CERT].is_empty()), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.fields[CHAIN].is_empty()), "{seen:?}");

    // Nobody says so: the files are looked at, and count for requests of connections that are open, too.
    let client = Client::showing(Some(&lb), &ca_pem, gateway.address);
    let ask = async || {
        let mut found = Vec::new();
        for protocol in PROTOCOLS {
            found.push(client.send(protocol, passing(&bound, &one(&holder))).await.status.as_u16());
        }
        found
    };
    assert_eq!(ask().await, [200, 200, 200]);
    put(&world, &clients, &[&gone, &holder]);
    wait_until("the reload", LIMIT, || gateway.metric(&["sallyport_reloads_total"]) >= 1.0);
    assert_eq!(ask().await, [401, 401, 401]);
}

/// Where nobody may pass certificates on, the fields count for nothing, whoever says them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elsewhere_a_certificate_in_a_field_counts_for_nothing() {
    let (proxies, clients) = (Authority::new("proxies"), Authority::new("clients"));
    let lb = proxies.issue("a proxy", &["lb.internal"], &[], Usage::Client);
    let holder = clients.issue("a client", &[], &[], Usage::Client);
    let world = behind(&proxies, &clients, &[]);
    world.site.amend(
        "    forwarded_certificates: { proxies: ['dns:lb.internal'], ca: clients.pem, crl: clients.crl }",
        "",
    );
    let gateway = world.site.start();
    gateway.await_all_up();
    let mut bound = claims("shop", "read:orders");
    bound["cnf"] = json!({ "x5t#S256": thumbprint(&holder) });
    let bound = world.issuer.sign(&header(), &bound);
    let client = Client::showing(Some(&lb), &world.site.authority.ca_pem(), gateway.address);
    for protocol in PROTOCOLS {
        for line in [item(&holder), "x".to_owned()] {
            let lines = [(CLIENT_CERT, line)];
            let status = client.send(protocol, passing(&bound, &lines)).await.status;
            assert_eq!(status, 401, "{protocol:?}");
            let status = client.send(protocol, passing(&world.token(), &lines)).await.status;
            assert_eq!(status, 200, "{protocol:?}");
        }
    }
}
