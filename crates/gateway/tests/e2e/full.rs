//! The volume of the spool is full for real (ENOSPC): a small tmpfs, filled to its last page.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::client::{Answer, Client, PROTOCOLS, Protocol, request};
use crate::parts::free_port;
use crate::parts::process::wait_until;
use crate::plain::ask;
use crate::site::{AUDIENCE, Gateway, LIMIT, Site};
use crate::world::{reason, usual, world};

/// Room for some records, and soon full.
const VOLUME_KIB: u32 = 512;
/// Room for two full segments and a part of the third.
const SEGMENTS_KIB: u32 = 2_560;
/// Rounds that would fill it several times.
const ROUNDS_OF_SEGMENTS: usize = 4_096;
/// Strangers that fill any account of this size.
const STRANGERS_MAX: u64 = 10_000;
/// Rounds until the last page of the segment is used up, too.
const ROUNDS_MAX: usize = 64;
/// Unanswered rounds in a row after which the volume counts as full.
const ROUNDS_FULL: usize = 3;

/// `gateway run` in a mount namespace of its own with a tmpfs under the spool: it is gone with the process, whatever
/// becomes of this test. Root may do that, and so may others where user namespaces are allowed.
fn on_small_volume(site: &Site, kib: u32) -> Command {
    let root = fs::metadata("/proc/self").expect("/proc").uid() == 0;
    let namespaces: &[&str] = if root { &["--mount"] } else { &["--mount", "--map-root-user"] };
    let mut command = Command::new("unshare");
    command
        .args(namespaces)
        .args(["sh", "-c", r#"mount -t tmpfs -o "size=$0k" tmpfs "$1" && exec "$2" run "$3""#])
        .arg(kib.to_string())
        .arg(site.path("spool"))
        .arg(env!("CARGO_BIN_EXE_gateway"))
        .arg(site.path("gateway.yaml"));
    command
}

/// A file of the volume, seen through the gateway's own mounts.
fn on_volume(site: &Site, gateway: &Gateway, name: &str) -> PathBuf {
    let inside = site.path("spool").join(name);
    let inside = inside.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", gateway.process.id())).join(inside)
}

/// What takes up the room.
fn ballast(site: &Site, gateway: &Gateway) -> PathBuf {
    on_volume(site, gateway, "ballast")
}

fn fill(ballast: &PathBuf) {
    let mut file = File::create(ballast).expect("a file on the volume");
    let page = [0_u8; 4096];
    let refused = (0..).find_map(|_| file.write_all(&page).err()).expect("an end of the room");
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    let bytes = file.metadata().expect("its size").len();
    assert!(bytes < u64::from(VOLUME_KIB) * 1024, "it is the small volume: {bytes}");
}

/// Two APIs, one of each kind, and everything they were asked.
struct Asked<'a> {
    client: &'a Client,
    token: String,
    /// Transactions that were answered; what was broken off has none.
    answered: Vec<String>,
    broken_off: usize,
}

impl Asked<'_> {
    async fn ask(&mut self, protocol: Protocol, target: &str) -> Option<Answer> {
        let asked = request("GET", target, Some(&self.token), "");
        let answer = self.client.try_send(protocol, asked).await.ok();
        match &answer {
            Some(answer) => self.answered.push(answer.transaction().to_owned()),
            None => self.broken_off += 1,
        }
        answer
    }

    /// The statuses of one target on each protocol; 0 where the answer was broken off.
    async fn round(&mut self, target: &str) -> [u16; 3] {
        let mut statuses = [0; 3];
        for (status, protocol) in statuses.iter_mut().zip(PROTOCOLS) {
            *status = self.ask(protocol, target).await.map_or(0, |answer| answer.status.as_u16());
        }
        statuses
    }
}

/// `required` answers 503, `best_effort` passes and is counted, both recover when there is room, and the gap is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_volume_stops_required_and_counts_best_effort() {
    let world = world(&usual());
    let site = &world.site;
    let best_effort = format!(
        "  - {{ prefix: /notes/, methods: [GET], upstream: orders, audience: '{AUDIENCE}', audit: best_effort }}\n"
    );
    site.amend("upstreams:\n", &format!("{best_effort}upstreams:\n"));
    fs::create_dir(site.path("spool")).unwrap();
    let gateway = site.start_by(&mut on_small_volume(site, VOLUME_KIB));
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let mut asked =
        Asked { client: &client, token: world.token(), answered: Vec::new(), broken_off: 0 };
    for target in ["/orders", "/notes/1"] {
        assert_eq!(asked.round(target).await, [200; 3], "{target}: {}", gateway.log());
    }
    let metric = |words: &[&str]| gateway.metric(words);
    assert_eq!(metric(&["sallyport_requests_unrecorded_total"]), 0.0);
    assert_eq!(ask(gateway.status, "GET", "/readyz").status, 200);

    fill(&ballast(site, &gateway));
    // The segment's own last page still takes some records.
    let mut full = 0;
    for _ in 0..ROUNDS_MAX {
        full = if asked.round("/orders").await == [503; 3] { full + 1 } else { 0 };
        if full == ROUNDS_FULL {
            break;
        }
    }
    assert_eq!(full, ROUNDS_FULL, "no record, no service: {}", gateway.log());
    let refused =
        ["sallyport_requests_total", r#"decision="audit.unavailable""#, r#"status="503""#];
    let (before, unrecorded) = (metric(&refused), metric(&["sallyport_requests_unrecorded_total"]));
    assert!(before >= 9.0 && unrecorded >= 9.0, "{before} refused, {unrecorded} without a record");
    assert_eq!(asked.round("/orders").await, [503; 3]);
    assert_eq!(metric(&refused), before + 3.0, "its own count");
    assert_eq!(asked.round("/notes/1").await, [200; 3], "best_effort passes");
    assert_eq!(metric(&["sallyport_requests_unrecorded_total"]), unrecorded + 6.0);
    assert!(gateway.log().contains("audit spool not written"), "{}", gateway.log());
    let ready = ask(gateway.status, "GET", "/readyz");
    assert!(ready.status == 503 && ready.body.contains("audit down"), "{ready:?}");

    fs::remove_file(ballast(site, &gateway)).unwrap();
    for target in ["/orders", "/notes/1"] {
        assert_eq!(asked.round(target).await, [200; 3], "{target}: {}", gateway.log());
    }
    assert_eq!(ask(gateway.status, "GET", "/readyz").status, 200);
    assert_eq!(metric(&["sallyport_requests_unrecorded_total"]), unrecorded + 6.0, "no more");
    told(site, &asked);
}

/// A volume full of segments whose receiver is away: no checkpoint that seals nothing takes the room of one that lets a segment
/// go, so all of it comes back with the receiver, sealed and whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volume_full_of_segments_is_sealed_and_let_go() {
    let world = world(&usual());
    let site = &world.site;
    site.amend("spool: { directory: spool }", "spool: { directory: spool, size: 4MiB }");
    fs::create_dir(site.path("spool")).unwrap();
    // No file can be where a folder is.
    let in_the_way = site.path("events/audit-events.jsonl");
    fs::create_dir_all(&in_the_way).unwrap();
    let mut gateway = site.start_by(&mut on_small_volume(site, SEGMENTS_KIB));
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let mut asked =
        Asked { client: &client, token: world.token(), answered: Vec::new(), broken_off: 0 };
    let mut full = 0;
    for _ in 0..ROUNDS_OF_SEGMENTS {
        full = if asked.round("/orders").await == [503; 3] { full + 1 } else { 0 };
        if full == ROUNDS_FULL {
            break;
        }
    }
    assert_eq!(full, ROUNDS_FULL, "{} answers fill no volume", asked.answered.len());
    let segments = || {
        let folder = on_volume(site, &gateway, ".");
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|end| end == "spool")).count()
    };
    assert_eq!(segments(), 3, "two are full, and nothing lets them go");
    let state = |state: &str| ask(gateway.status, "GET", "/readyz").body.contains(state);
    wait_until("no checkpoint without need", LIMIT, || state("seal down"));

    fs::remove_dir(&in_the_way).unwrap();
    wait_until("room", LIMIT, || segments() == 1);
    wait_until("the seal", LIMIT, || state("seal up"));
    assert_eq!(asked.round("/orders").await, [200; 3], "{}", gateway.log());
    // Events of outages are missing, too: the volume was full for long.
    site.await_event_of(asked.answered.last().expect("one"));
    assert!(site.events().iter().any(|event| reason(event) == "audit.gap"));
    let key = on_volume(site, &gateway, "seal.key");
    let key = String::from_utf8(gateway_audit(site, "public", &[key.to_str().unwrap()]).stdout);
    gateway.process.signal("TERM");
    assert!(gateway.process.wait(2 * LIMIT).success(), "{}", gateway.log());
    let checked = gateway_audit(site, "verify", &["events", "--key", key.unwrap().trim()]);
    assert!(checked.status.success(), "{checked:?}");
}

fn gateway_audit(site: &Site, command: &str, arguments: &[&str]) -> std::process::Output {
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_gateway"));
    gateway.args(["audit", command]).args(arguments).current_dir(site.path("."));
    gateway.output().expect("the gateway runs")
}

/// After recovery: the last answers have their events, and the gap events count exactly those that are missing.
fn told(site: &Site, asked: &Asked<'_>) {
    for transaction in asked.answered.iter().rev().take(6) {
        site.await_event_of(transaction);
    }
    let events = site.events();
    let there = |id: &&String| events.iter().any(|e| e["metadata"]["uid"] == id.as_str());
    let missing = asked.answered.iter().filter(|id| !there(id)).count() + asked.broken_off;
    let gaps = events.iter().filter(|event| reason(event) == "audit.gap");
    let told: u64 = gaps.map(|gap| gap["count"].as_u64().expect("a count")).sum();
    assert_eq!(told, missing as u64, "every missing record is told, once");
    let mut uids: Vec<_> = events.iter().map(|e| e["metadata"]["uid"].to_string()).collect();
    let all = uids.len();
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), all, "nothing is delivered twice");
}

/// Two floods against a spool that nobody empties, on a small volume. Strangers: each is refused as ever, beyond their account they
/// are counted together, and who is proved is served. Proved ones: no record, no service, where that is asked for; refusals go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_push_nothing_out_and_strangers_stop_nobody() {
    let nobody = free_port();
    let away = format!(
        "sinks: [{{ kafka: {{ brokers: ['127.0.0.1:{nobody}'], topics: audit, insecure_plaintext: true }} }}, "
    );
    let world = world(&usual().replace("sinks: [", &away));
    let site = &world.site;
    site.amend("spool: { directory: spool }", "spool: { directory: spool, size: 2MiB }");
    let best_effort = format!(
        "  - {{ prefix: /notes/, methods: [GET], upstream: orders, audience: '{AUDIENCE}', audit: best_effort }}\n"
    );
    site.amend("upstreams:\n", &format!("{best_effort}upstreams:\n"));
    fs::create_dir(site.path("spool")).unwrap();
    let gateway = site.start_by(&mut on_small_volume(site, SEGMENTS_KIB));
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    assert!(gateway.log().contains("\"volume\":\"tmpfs\""), "{}", gateway.log());
    let unrecorded = || gateway.metric(&["sallyport_requests_unrecorded_total"]);
    let rolled_up = || gateway.metric(&["sallyport_audit_records_rolled_up_total"]);

    let mut strangers = 0;
    while rolled_up() < 100.0 {
        for protocol in PROTOCOLS {
            for _ in 0..20 {
                let answer = client.send(protocol, request("GET", "/orders", None, "")).await;
                assert_eq!(answer.status, 401, "{protocol:?}: {}", gateway.log());
                strangers += 1;
            }
        }
        assert!(strangers < STRANGERS_MAX, "their account is never full");
    }
    let mut asked =
        Asked { client: &client, token: world.token(), answered: Vec::new(), broken_off: 0 };
    for target in ["/orders", "/notes/1"] {
        assert_eq!(asked.round(target).await, [200; 3], "{target}: {}", gateway.log());
    }
    assert_eq!(unrecorded(), 0.0);

    let mut full = 0;
    for _ in 0..ROUNDS_OF_SEGMENTS {
        full = if asked.round("/orders").await == [503; 3] { full + 1 } else { 0 };
        if full == ROUNDS_FULL {
            break;
        }
    }
    assert_eq!(full, ROUNDS_FULL, "{} answers fill no account", asked.answered.len());
    assert_eq!(asked.round("/notes/1").await, [200; 3], "best_effort passes");
    for protocol in PROTOCOLS {
        let answer = client.send(protocol, request("GET", "/orders", None, "")).await;
        assert_eq!(answer.status, 401, "a refusal needs no room of theirs");
        strangers += 1;
    }
    let counted = || {
        let mut events = site.transactions();
        events.retain(|event| reason(event) == "token.absent");
        events.iter().map(|event| event["count"].as_u64().unwrap_or(1)).sum::<u64>()
    };
    wait_until("each stranger in an event", LIMIT, || counted() == strangers);
    // Each who was served has a record of its own.
    let events = site.transactions();
    let has_record = |transaction: &String| {
        events.iter().any(|event| event["metadata"]["uid"] == transaction.as_str())
    };
    let missing = asked.answered.iter().filter(|transaction| !has_record(transaction)).count();
    assert!(missing as f64 <= unrecorded(), "{missing} without a record, {} told", unrecorded());
}
