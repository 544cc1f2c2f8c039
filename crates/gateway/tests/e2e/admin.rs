//! The admin listener, on loopback and on a Unix socket, and that the four kinds of listeners are never mixed.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::Value;

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::process::wait_until;
use crate::parts::{accepts, free_port};
use crate::plain::{Plain, ask, ask_socket};
use crate::site::{Gateway, LIMIT};
use crate::world::{World, reason, usual, world};

/// Methods and paths of each inner listener.
const ADMIN: [(&str, &str); 2] = [("GET", "/policy"), ("POST", "/reload")];
const STATUS: [(&str, &str); 3] = [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics")];
const IDENTITY: [(&str, &str); 1] = [("GET", "/.well-known/jwks.json")];

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A world whose gateway has an admin listener there.
fn with_admin(address: &str) -> World {
    world(&format!("{}admin: {{ address: '{address}' }}\n", usual()))
}

fn json(answer: &Plain) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

#[test]
fn admin_tells_the_policy_and_takes_reloads_on_loopback() {
    let admin = loopback(free_port());
    let world = with_admin(&admin.to_string());
    let gateway = world.site.start();

    let policy = ask(admin, "GET", "/policy");
    assert_eq!(policy.status, 200);
    assert!(policy.head.contains("application/json"), "{policy:?}");
    let policy = json(&policy);
    assert_eq!(policy["operations"], 4);
    assert!(policy["hash"].as_str().is_some_and(|hash| !hash.is_empty()), "{policy}");
    assert!(policy["weakenings"].is_array(), "{policy}");
    for (method, path, allowed) in [("POST", "/policy", "get"), ("GET", "/reload", "post")] {
        let answer = ask(admin, method, path);
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.head.contains(&format!("allow: {allowed}")), "{answer:?}");
    }
    assert_eq!(gateway.metric(&["sallyport_reloads_total"]), 0.0, "a GET reloads nothing");

    let asked = ask(admin, "POST", "/reload");
    assert_eq!((asked.status, &json(&asked)["reload"]), (202, &Value::from("asked")));
    wait_until("the reload", LIMIT, || gateway.metric(&["sallyport_reloads_total"]) == 1.0);
    assert_eq!(json(&ask(admin, "GET", "/policy"))["hash"], policy["hash"], "the same file");
}

/// Every path is served by one kind of listener only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_status_identity_and_public_are_never_mixed() {
    let admin = loopback(free_port());
    let world = with_admin(&admin.to_string());
    let gateway = world.site.start();
    let inner: [(SocketAddr, &[(&str, &str)]); 3] =
        [(admin, &ADMIN), (gateway.status, &STATUS), (loopback(world.site.identity), &IDENTITY)];
    for (address, own) in inner {
        for (method, path) in ADMIN.iter().chain(&STATUS).chain(&IDENTITY) {
            let status = ask(address, method, path).status;
            if own.contains(&(method, path)) {
                assert!(status == 200 || status == 202, "{method} {path} at its own: {status}");
            } else {
                assert_eq!(status, 404, "{method} {path} at another");
            }
        }
        assert_eq!(ask(address, "GET", "/orders").status, 404, "what is public is not inside");
    }
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    for (index, (method, path)) in ADMIN.iter().chain(&STATUS).chain(&IDENTITY).enumerate() {
        let asked = request(method, path, Some(&token), "");
        let answer = client.send(PROTOCOLS[index % 3], asked).await;
        assert_eq!(answer.status, 404, "{method} {path} in public");
        let event = world.site.await_event_of(answer.transaction());
        assert_eq!(reason(&event), "route.path_undeclared");
    }
    for protocol in PROTOCOLS {
        let answer = client.send(protocol, request("GET", "/orders", Some(&token), "")).await;
        assert_eq!(answer.status, 200, "{protocol:?}: {}", gateway.log());
    }
}

/// A reload through the socket: a good policy is in force, a bad one is refused and told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_reloads_through_a_socket_that_only_its_owner_may_open() {
    let world = with_admin("unix:admin.sock");
    let socket = world.site.path("admin.sock");
    let mut gateway = world.site.start();
    owner_only(&socket);
    let hash = || json(&ask_socket(&socket, "GET", "/policy"))["hash"].clone();
    let before = hash();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    let read = || client.send(PROTOCOLS[1], request("GET", "/orders", Some(&token), ""));
    assert_eq!(read().await.status, 200, "{}", gateway.log());

    world.site.amend("    access:\n", "    access:\n      - { clients: [nobody] }\n");
    assert_eq!(ask_socket(&socket, "POST", "/reload").status, 202);
    wait_until("the new policy", LIMIT, || hash() != before);
    assert_eq!(read().await.status, 403, "the new policy is in force");

    let narrow = hash();
    world.site.amend("version: 1", "version: 1\nunknown: 1");
    assert_eq!(ask_socket(&socket, "POST", "/reload").status, 202);
    wait_until("the refused reload", LIMIT, || {
        gateway.metric(&["sallyport_reloads_refused_total"]) == 1.0
    });
    assert_eq!(hash(), narrow, "the old policy goes on");
    assert_eq!(ask_socket(&socket, "GET", "/metrics").status, 404);

    // What a killed gateway leaves behind is not in the way of the next one.
    gateway.process.kill();
    assert!(socket.exists());
    world.site.amend("unknown: 1\n", "");
    let _gateway = world.site.start();
    owner_only(&socket);
    assert_eq!(hash(), narrow);
}

fn owner_only(socket: &Path) {
    let found = std::fs::symlink_metadata(socket).expect("a socket");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
}

/// Runs the gateway to its end, which has to come by itself: the exit status and what it told.
fn refused_start(world: &World) -> (Option<i32>, String) {
    let mut gateway: Gateway = world.site.launch(&mut world.site.run());
    let status = gateway.process.wait(LIMIT);
    assert!(!accepts(gateway.address) && !accepts(gateway.status), "nothing is served");
    (status.code(), gateway.log())
}

#[test]
fn admin_that_others_can_reach_stops_the_start() {
    let world = with_admin("127.0.0.1:1");
    let port = free_port();
    let mut written = "127.0.0.1:1".to_owned();
    let public = [format!("0.0.0.0:{port}"), format!("[::]:{port}"), "192.0.2.1:9900".to_owned()];
    for address in public.into_iter().chain(["localhost:9900".to_owned(), "unix:".to_owned()]) {
        world.site.amend(&format!("address: '{written}'"), &format!("address: '{address}'"));
        written = address;
        let (code, told) = refused_start(&world);
        assert_eq!(code, Some(2), "{written}: {told}");
        assert!(told.contains("gateway.yaml:") && told.contains("loopback"), "{written}: {told}");
        std::fs::remove_file(world.site.path("gateway.log")).unwrap();
    }
    // The near miss: another address of this machine alone.
    let near = format!("127.0.0.9:{port}");
    world.site.amend(&format!("address: '{written}'"), &format!("address: '{near}'"));
    let _gateway = world.site.start();
    assert_eq!(ask(near.parse().unwrap(), "GET", "/policy").status, 200);
    assert!(!accepts(loopback(port)), "and nowhere else");
}

/// A file that is no socket is not taken for one that was left behind.
#[test]
fn admin_socket_takes_no_file_away() {
    let world = with_admin("unix:ca.pem");
    let before = std::fs::read(world.site.path("ca.pem")).unwrap();
    let (code, told) = refused_start(&world);
    assert!(code.is_some_and(|code| code != 0), "{told}");
    assert!(told.contains("no socket"), "{told}");
    assert_eq!(std::fs::read(world.site.path("ca.pem")).unwrap(), before);
}
