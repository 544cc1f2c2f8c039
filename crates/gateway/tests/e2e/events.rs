//! Requests sent are API Activity events, for each protocol version and outcome; what never became a request is counted in a
//! class of its own; and a 401, a blocked request, a reload and who asked for it have their events, joined by their uids.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use http::Request;
use serde_json::Value;

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::free_port;
use crate::parts::process::wait_until;
use crate::plain::ask;
use crate::site::LIMIT;
use crate::world::{reason, usual, world};

const GOOD: &str = r#"{"item":"pencil","quantity":3}"#;
const INJECTION: &str = r#"{"item":"pencil","quantity":3,"note":"1' OR '1'='1' --"}"#;
/// Connections that speak no TLS.
const STRANGERS: usize = 3;

/// Protocol version, status, `stage.reason`.
type Outcome = (String, u64, String);

fn of_class(events: &[Value], class: u64) -> Vec<&Value> {
    events.iter().filter(|event| event["class_uid"] == class).collect()
}

fn uid(event: &Value) -> &str {
    event["metadata"]["uid"].as_str().expect("a uid")
}

fn correlation(event: &Value) -> &str {
    event["metadata"]["correlation_uid"].as_str().unwrap_or_default()
}

/// What is sent on each protocol version: how often, and the reason of its record.
fn kinds(token: &str, narrow: &str) -> Vec<(usize, Request<bytes::Bytes>, &'static str)> {
    let token = Some(token);
    vec![
        (3, request("GET", "/orders?limit=5", token, ""), ""),
        (2, request("POST", "/orders", token, GOOD), ""),
        (2, request("GET", "/orders", None, ""), "token.absent"),
        (1, request("POST", "/orders", Some(narrow), GOOD), "scope.missing"),
        (1, request("GET", "/nothing", token, ""), "route.path_undeclared"),
        (2, request("POST", "/orders", token, INJECTION), "filter.sqli"),
    ]
}

fn again(request: &Request<bytes::Bytes>) -> Request<bytes::Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn outcomes(events: &[&Value]) -> BTreeMap<Outcome, usize> {
    let mut found = BTreeMap::new();
    for event in events {
        let version = event["http_request"]["version"].as_str().unwrap_or_default().to_owned();
        let code = event["http_response"]["code"].as_u64().unwrap_or_default();
        *found.entry((version, code, reason(event))).or_default() += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_as_many_as_the_requests_of_each_protocol_and_outcome() {
    let world = world(&usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let narrow = world.issuer.token("narrow", "read:orders");
    let mut sent = BTreeMap::new();
    for protocol in PROTOCOLS {
        for (times, request, reason) in kinds(&world.token(), &narrow) {
            for _ in 0..times {
                let answer = client.send(protocol, again(&request)).await;
                let version = format!("HTTP/{}", ["1.1", "2", "3"][protocol as usize]);
                let outcome = (version, u64::from(answer.status.as_u16()), reason.to_owned());
                *sent.entry(outcome).or_default() += 1;
            }
        }
    }
    for _ in 0..STRANGERS {
        let mut stranger = TcpStream::connect(gateway.address).expect("a connection");
        stranger.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    }
    let requests: usize = sent.values().sum();
    let mut events = Vec::new();
    wait_until("all events", LIMIT, || {
        events = world.site.events();
        of_class(&events, 6003).len() >= requests && of_class(&events, 4001).len() >= STRANGERS
    });
    assert_eq!(outcomes(&of_class(&events, 6003)), sent);
    assert_eq!(of_class(&events, 4001).len(), STRANGERS);
    let transactions: BTreeMap<&str, &Value> =
        of_class(&events, 6003).into_iter().map(|event| (uid(event), event)).collect();
    for (class, refused) in [(3002, "token.absent"), (2004, "filter.sqli")] {
        let beside = of_class(&events, class);
        let expected = sent.iter().filter(|((_, _, reason), _)| reason == refused);
        assert_eq!(beside.len(), expected.map(|(_, times)| times).sum::<usize>(), "{class}");
        for event in beside {
            assert_eq!(reason(transactions[correlation(event)]), refused, "{event:#}");
            assert!(!event.to_string().contains("OR '1'"), "{event:#}");
        }
    }
    let metric = |class: &str| {
        gateway.metric(&["sallyport_audit_events_total", &format!("class=\"{class}\"")]) as usize
    };
    for (class, count) in [("6003", requests), ("4001", STRANGERS), ("6002", 2)] {
        assert_eq!(metric(class), count, "{class}");
    }
    let own = of_class(&events, 6002);
    assert_eq!(
        own.iter().map(|event| reason(event)).collect::<Vec<_>>(),
        ["audit.log_begun", "gateway.started"]
    );
    let started = own[1];
    let secrets = started["unmapped"]["secrets"].as_array().expect("secrets");
    let names =
        |name: &str| secrets.iter().any(|s| s.as_str().unwrap_or_default().starts_with(name));
    assert!(names("audit.pseudonym=hm1:") && names("assertion:orders=hm1:"), "{secrets:?}");
}

#[test]
fn events_of_a_reload_name_the_event_of_who_asked() {
    let admin: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let world = world(&format!("{}admin: {{ address: '{admin}' }}\n", usual()));
    let gateway = world.site.start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.process.id()));
    let limits = limits.expect("the limits of a process");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    let core: Vec<_> = core.expect("a limit").split_whitespace().take(2).collect();
    assert_eq!(core, ["0", "0"], "no image of its memory is left by a process that breaks");
    assert_eq!(ask(admin, "POST", "/reload").status, 202);
    let mut events = Vec::new();
    let reloaded = |events: &[Value]| -> Option<Value> {
        events.iter().find(|event| reason(event) == "policy.reloaded").cloned()
    };
    wait_until("the reload", LIMIT, || {
        events = world.site.events();
        reloaded(&events).is_some()
    });
    let asked = of_class(&events, 3004);
    assert_eq!(asked.len(), 1);
    assert_eq!(reason(asked[0]), "admin.reload_asked");
    assert_eq!(correlation(&reloaded(&events).unwrap()), uid(asked[0]));
}

/// A rule of the operator holds in the texts of events; what it does not find stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_masked_by_the_rules_of_the_configuration_too() {
    let rest = usual().replace(
        "  sinks:",
        "  mask: { staff: { pattern: 'EMP-[0-9]{5}' }, plans: { pattern: 'plan [A-C]x', replacement: '***' } }\n  sinks:",
    );
    let world = world(&rest);
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let rows = [
        ("tool of EMP-12345, plan Bx", "tool of [staff], ***"),
        ("tool of EMP-1234, plan Dx", "tool of EMP-1234, plan Dx"),
        ("tool of EMP%2D12345", "[masked]"),
    ];
    for (agent, wanted) in rows {
        for protocol in PROTOCOLS {
            let mut asked = request("GET", "/orders", Some(&token), "");
            asked.headers_mut().insert("user-agent", agent.parse().expect("a value"));
            let answer = client.send(protocol, asked).await;
            let event = world.site.await_event_of(answer.transaction());
            assert_eq!(event["http_request"]["user_agent"], wanted, "{protocol:?}");
        }
    }
}
