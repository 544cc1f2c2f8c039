//! One process follows another: at SIGUSR2, by passed sockets, and not at all where the new one cannot start.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use command_fds::{CommandFdExt as _, FdMapping};
use http::Request;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::client::{Client, Protocol, request};
use crate::parts::process::wait_until;
use crate::site::{Gateway, LIMIT, Site};
use crate::world::{usual, world};

/// How often the gateway is followed under load: so often that spools are used again.
const TIMES: usize = 4;
/// Whole answers on each protocol between two successions.
const ANSWERS: usize = 30;
const TAKES_OVER: &str = "another process is to take over";

fn ask(token: &str) -> Request<Bytes> {
    request("GET", "/orders?limit=5", Some(token), "")
}

/// A gateway that is no child of this test. Dropped, it is killed; so it is when this process dies.
struct Successor {
    id: u32,
    guard: Child,
}

impl Successor {
    fn of(id: u32) -> Self {
        let guard = Command::new("sh")
            .args(["-c", "read -r _; kill -KILL \"$0\" 2>/dev/null", &id.to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { id, guard }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$0\"", &self.id.to_string(), name])
            .status()
            .expect("a shell");
        assert!(sent.success(), "signal {name}");
    }

    /// Gone, or dead and waiting for a parent that does not care.
    fn has_ended(&self) -> bool {
        let state = fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        state.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with('Z'))
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        // Its input ends: it kills.
        drop(self.guard.stdin.take());
        drop(self.guard.wait());
    }
}

fn log(site: &Site) -> String {
    fs::read_to_string(site.path("gateway.log")).unwrap_or_default()
}

/// The processes that were to take over so far, by the log.
fn successors(site: &Site) -> Vec<u32> {
    let log = log(site);
    // What a child that cannot start says stands between the lines; the last one may be in the making.
    let lines = log.lines().filter(|line| line.starts_with('{') && line.ends_with('}'));
    let logged = lines.map(|line| serde_json::from_str::<Value>(line).expect("a log line"));
    let told = logged.filter(|line| line.to_string().contains(TAKES_OVER));
    told.filter_map(|line| {
        let process = line.get("process").or_else(|| line["fields"].get("process"));
        process?.as_u64()?.try_into().ok()
    })
    .collect()
}

/// What clients were told: transactions of whole answers, and why there were others.
#[derive(Default)]
struct Told {
    answers: Vec<String>,
    failures: Vec<String>,
}

/// One client that asks until it is stopped.
fn client(
    site: &Site,
    gateway: &Gateway,
    protocol: Protocol,
    token: &str,
    ends: &Arc<AtomicBool>,
) -> (Arc<std::sync::Mutex<Told>>, JoinHandle<()>) {
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let (token, ends) = (token.to_owned(), Arc::clone(ends));
    let told = Arc::<std::sync::Mutex<Told>>::default();
    let seen = Arc::clone(&told);
    let asks = async move {
        while !ends.load(Ordering::Relaxed) {
            let answer = client.try_send(protocol, ask(&token)).await;
            let mut told = seen.lock().expect("a list");
            match answer {
                Ok(answer) if answer.status == 200 => {
                    told.answers.push(answer.transaction().to_owned());
                }
                other => told.failures.push(format!("{protocol:?}: {other:?}")),
            }
        }
    };
    (told, tokio::spawn(asks))
}

/// Every event of the site, whichever process wrote it.
fn transactions(site: &Site) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["events", "events/2", "events/3", "events/4"] {
        let Ok(files) = fs::read_dir(site.path(folder)) else { continue };
        for file in files.map(|file| file.expect("an entry").path()).filter(|path| path.is_file()) {
            for line in fs::read_to_string(file).expect("events").lines() {
                let event: Value = serde_json::from_str(line).expect("an event");
                found.extend(event["metadata"]["correlation_uid"].as_str().map(str::to_owned));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_when_processes_follow_each_other() {
    let world = world(&usual());
    let (site, token) = (&world.site, world.token());
    let mut first = site.start();
    let ends = Arc::new(AtomicBool::new(false));
    let protocols = [Protocol::H1, Protocol::H1, Protocol::H2, Protocol::H2, Protocol::H3];
    let clients = protocols.map(|protocol| client(site, &first, protocol, &token, &ends));
    let answers = |index: usize| clients[index].0.lock().expect("a list").answers.len();
    let mut serving = Successor::of(first.process.id());
    for time in 1..=TIMES {
        // HTTP/3 comes back with every process: its port was left cleanly.
        let wanted: Vec<usize> = (0..clients.len()).map(|index| answers(index) + ANSWERS).collect();
        wait_until("answers between two successions", LIMIT, || {
            wanted.iter().enumerate().all(|(index, wanted)| answers(index) >= *wanted)
        });
        serving.signal("USR2");
        wait_until("a process that is to take over", LIMIT, || successors(site).len() >= time);
        let next = Successor::of(successors(site)[time - 1]);
        if time == 1 {
            assert!(first.process.wait(2 * LIMIT).success(), "a clean end");
        } else {
            wait_until("the end of the process before", 2 * LIMIT, || serving.has_ended());
        }
        serving = next;
    }
    ends.store(true, Ordering::Relaxed);
    let mut answered = Vec::new();
    for (told, task) in clients {
        task.await.expect("a client");
        let told = Arc::into_inner(told).expect("the client is gone").into_inner().expect("a list");
        // Packets cannot follow a closed socket: HTTP/3 finds nobody for a moment, but what was begun is answered.
        let broken = |failure: &&String| !failure.starts_with("H3") || !is_refused(failure);
        let broken: Vec<_> = told.failures.iter().filter(broken).collect();
        assert!(broken.is_empty(), "{broken:?}");
        answered.extend(told.answers);
    }
    serving.signal("TERM");
    wait_until("the end", LIMIT, || serving.has_ended());
    let recorded = transactions(site);
    let missing = answered.iter().filter(|answered| !recorded.contains(answered)).count();
    assert_eq!(missing, 0, "of {} answers, each has its event", answered.len());
}

/// A connection over QUIC that was not made: refused by a process that drains, or nobody was there.
fn is_refused(failure: &str) -> bool {
    ["refused", "timed out", "closed", "H3_NO_ERROR", "aborted"]
        .iter()
        .any(|word| failure.contains(word))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_start_replaces_nobody() {
    let world = world(&usual());
    let gateway = world.site.start();
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    world.site.amend("version: 1\n", "version: 1\nunknown: 1\n");
    gateway.process.signal("USR2");
    wait_until("the refusal of the new process", LIMIT, || {
        log(&world.site).contains("refused: 1 mistakes")
    });
    for protocol in crate::client::PROTOCOLS {
        assert_eq!(client.send(protocol, ask(&world.token())).await.status, 200, "{protocol:?}");
    }
    world.site.amend("version: 1\nunknown: 1\n", "version: 1\n");
    gateway.process.signal("USR2");
    let mut gateway = gateway;
    assert!(gateway.process.wait(2 * LIMIT).success(), "the second attempt follows it");
    let next = Successor::of(*successors(&world.site).last().expect("a process"));
    assert_eq!(client.send(Protocol::H1, ask(&world.token())).await.status, 200);
    next.signal("TERM");
    wait_until("the end", LIMIT, || next.has_ended());
}

/// The gateway with sockets that somebody else keeps, as systemd does.
fn with_sockets(site: &Site, sockets: &[&TcpListener]) -> Command {
    let mut command = site.run();
    command.env("LISTEN_FDS", sockets.len().to_string());
    let copies = sockets.iter().map(|socket| OwnedFd::from(socket.try_clone().expect("a handle")));
    let mappings = (3..).zip(copies).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect()).expect("distinct descriptors");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_nobody_serves_waits_in_a_passed_socket() {
    let world = world(&usual());
    let site = &world.site;
    let socket = TcpListener::bind(("127.0.0.1", site.port())).expect("the port of the listener");
    let service_manager = UnixDatagram::bind(site.path("notify")).expect("a socket");
    service_manager.set_read_timeout(Some(LIMIT)).expect("a limit");
    let mut command = with_sockets(site, &[&socket]);
    let mut first = site.start_by(command.env("NOTIFY_SOCKET", site.path("notify")));
    let mut told = [0; 256];
    let length = service_manager.recv(&mut told).expect("a word to the service manager");
    let wanted = format!("MAINPID={}\nREADY=1\n", first.process.id());
    assert_eq!(String::from_utf8_lossy(&told[..length]).trim(), wanted.trim());
    first.process.kill();

    let client = Client::new(&site.authority.ca_pem(), first.address);
    let token = world.token();
    let waits = tokio::spawn(async move { client.send(Protocol::H2, ask(&token)).await.status });
    let mut command = with_sockets(site, &[&socket]);
    let mut second = site.start_by(command.env("NOTIFY_SOCKET", site.path("notify")));
    assert_eq!(waits.await.expect("a client"), 200);
    service_manager.recv(&mut told).expect("a word to the service manager");
    second.process.signal("TERM");
    assert!(second.process.wait(2 * LIMIT).success(), "a clean end");
    // Another process may serve for it: the manager is not told that the service stops.
    service_manager.set_nonblocking(true).expect("a socket that does not wait");
    assert!(service_manager.recv(&mut told).is_err(), "nothing more is said");
}

#[test]
fn what_is_no_listening_socket_is_not_taken_over() {
    let world = world(&usual());
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut command = world.site.run();
    command.env("LISTEN_FDS", "1");
    let mapping = FdMapping { parent_fd: socket.into(), child_fd: 3 };
    command.fd_mappings(vec![mapping]).expect("one descriptor");
    let mut gateway = world.site.launch(&mut command);
    assert!(!gateway.process.wait(LIMIT).success());
    assert!(log(&world.site).contains("take over the passed sockets"), "{}", log(&world.site));
}
