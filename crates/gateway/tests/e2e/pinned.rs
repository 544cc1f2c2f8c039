//! Pins: checkpoints at places that the instance cannot change afterwards. Each place has its own state, holds up nobody while it
//! is away, and gets what it missed. What only a pin can tell is told by it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::authority::{Authority, Usage, write_secret};
use crate::parts::kafka::Kafka;
use crate::parts::process::wait_until;
use crate::plain::ask;
use crate::sealed::{audit, public_key, verify};
use crate::site::{Gateway, LIMIT, Site, WIDE_LIMITS};
use crate::tampered::Trail;
use crate::world::{reason, world};

/// Somebody else's server: keeps the requests whole, answers with the status that the test wants.
struct Witness {
    port: u16,
    status: Arc<Mutex<u16>>,
    kept: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    fn start(authority: &Authority) -> Self {
        let issued = authority.issue("witness", &["localhost"], &[], Usage::Server);
        let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes());
        let chain = chain.map(|certificate| certificate.expect("a certificate")).collect();
        let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate with its key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (status, kept) = (Arc::new(Mutex::new(200)), Arc::<Mutex<Vec<String>>>::default());
        let witness = Self { port, status: Arc::clone(&status), kept: Arc::clone(&kept) };
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { return };
                socket.set_read_timeout(Some(LIMIT)).expect("a timeout");
                let connection = rustls::ServerConnection::new(Arc::clone(&config));
                let mut stream = rustls::StreamOwned::new(connection.expect("TLS"), socket);
                let (mut all, mut piece) = (Vec::new(), [0; 4096]);
                while !crate::parts::collector::whole(&all)
                    && let Ok(count @ 1..) = stream.read(&mut piece)
                {
                    all.extend_from_slice(&piece[..count]);
                }
                let status = *status.lock().unwrap();
                if status == 200 {
                    kept.lock().unwrap().push(String::from_utf8(all).expect("text"));
                }
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                drop(stream.write_all(answer.as_bytes()));
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        });
        witness
    }

    fn kept(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone()
    }
}

fn pins(witness: u16, kafka: &Kafka) -> String {
    format!(
        "{WIDE_LIMITS}audit:
  spool: {{ directory: spool }}
  sinks: [{{ file: {{ directory: events }} }}]
  pseudonym: {{ key: {{ file: pseudonym }} }}
  seal:
    pins:
      - {{ file: {{ path: elsewhere/pins.jsonl }}, every: 1s }}
      - {{ http: {{ url: 'https://localhost:{witness}/notes', ca: ca.pem, token: {{ file: pin-token }} }}, every: 1s }}
      - {{ kafka: {{ brokers: ['{}'], topic: others.notes, insecure_plaintext: true }}, every: 1s }}
",
        kafka.brokers()
    )
}

/// The size that a note names; what stands before it in a request is no matter.
fn size(note: &str) -> Option<u64> {
    let note = note.split_once("\r\n\r\n").map_or(note, |request| request.1);
    note.lines().nth(1)?.parse().ok()
}

fn state(gateway: &Gateway, state: &str) -> bool {
    ask(gateway.status, "GET", "/readyz").body.contains(state)
}

/// Three places: one whose folder is missing at first, one that answers 503 for a while, and another team's cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pins_are_kept_elsewhere_and_prove_a_stolen_key() {
    let kafka = Kafka::start(1);
    kafka.create_topic("others.notes");
    let world = world("");
    let site = &world.site;
    let witness = Witness::start(&site.authority);
    let nobody = world.service.address();
    site.configure(&crate::issuer::Issuer::configuration(), nobody, &pins(witness.port, &kafka));
    write_secret(&site.path("pin-token"), "a-token-of-a-test\n");
    *witness.status.lock().unwrap() = 503;
    let mut gateway = site.start();
    wait_until("a pin without its folder is down", LIMIT, || {
        state(&gateway, "seal:pin-file-1 down")
    });
    wait_until("a pin that says no is down", LIMIT, || state(&gateway, "seal:pin-http-2 down"));
    wait_until("the outages are events", LIMIT, || {
        let down = |e: &Value| reason(e).starts_with("dependency.down");
        site.events().iter().filter(|event| down(event)).count() >= 2
    });
    // Nothing waits for them.
    let client = Client::new(&site.authority.ca_pem(), gateway.address);
    let mut transactions = Vec::new();
    for protocol in PROTOCOLS {
        let answer =
            client.send(protocol, request("GET", "/orders", Some(&world.token()), "")).await;
        assert_eq!(answer.status, 200, "{}", gateway.log());
        transactions.push(answer.transaction().to_owned());
    }
    fs::create_dir(site.path("elsewhere")).expect("a folder");
    *witness.status.lock().unwrap() = 200;
    for pin in ["file-1", "http-2", "kafka-3"] {
        wait_until("each pin is up", LIMIT, || state(&gateway, &format!("seal:pin-{pin} up")));
    }
    let event = site.await_event_of(transactions.last().expect("one"));
    let sequence = event["metadata"]["sequence"].as_u64().expect("a number");
    await_pinned(site, &kafka, &witness, sequence);
    gateway.process.signal("TERM");
    assert!(gateway.process.wait(2 * LIMIT).success(), "{}", gateway.log());

    let kept = witness.kept();
    notes(&kept);
    let above = kept.iter().find(|request| size(request) > Some(sequence));
    let note = above.and_then(|request| request.split_once("\r\n\r\n")).expect("a note").1;
    fs::write(site.path("witness.note"), note).expect("written");
    let key = public_key(site);
    let topic = format!("kafka://{}/others.notes", kafka.brokers());
    let (file, single) = ("elsewhere/pins.jsonl", "witness.note");
    let with = [
        vec!["--key", &key, "--pin", file],
        vec!["--key", &key, "--pin", single],
        vec!["--key", &key, "--pin", &topic, "--insecure-plaintext"],
    ];
    for arguments in &with {
        let (code, report) = verify(site, "events", arguments);
        assert_eq!(code, Some(0), "{report:#}");
        assert!(report["logs"][0]["pinned"].as_u64() > Some(sequence), "{report:#}");
    }

    stolen(site, &key, &with, &transactions[1]);
    // A pin that cannot be reached is no proof of anything.
    let away = ["verify", "events", "--key", &key, "--pin", "kafka://127.0.0.1:1"];
    assert_eq!(audit(site, &away).status.code(), Some(2));
}

/// What is pinned when a gateway ends depends on how fast the places are; this is before.
fn await_pinned(site: &Site, kafka: &Kafka, witness: &Witness, sequence: u64) {
    wait_until("each place has a note above it", LIMIT, || {
        let file = fs::read_to_string(site.path("elsewhere/pins.jsonl")).unwrap_or_default();
        let lines = file.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let file = lines.filter_map(|line| Some(line["note"].as_str()?.to_owned())).collect();
        let topic = kafka.read("others.notes").into_iter().map(|message| message.payload).collect();
        [file, topic, witness.kept()]
            .iter()
            .all(|notes: &Vec<String>| notes.iter().any(|note| size(note) > Some(sequence)))
    });
}

/// What the witness got: notes, with the token.
fn notes(kept: &[String]) {
    for request in kept {
        let (head, note) = request.split_once("\r\n\r\n").expect("a body");
        let head = head.to_lowercase();
        assert!(head.starts_with("post /notes http/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: bearer a-token-of-a-test"), "{head}");
        assert!(head.contains("content-type: text/plain"), "{head}");
        assert!(note.starts_with("sallyport/audit/") && note.contains("\n\u{2014} "), "{note}");
    }
}

/// Who has the key writes the log anew, one event fewer, and nothing inside tells; each pin does.
fn stolen(site: &Site, key: &str, with: &[Vec<&str>], transaction: &str) {
    let mut trail = Trail::read(&site.path("events"));
    let secret = fs::read_to_string(site.path("spool/seal.key")).expect("a key");
    let signer = seal::SigningKey::parse(&secret).expect("a key");
    let place = trail.position(transaction);
    trail.remove(place);
    trail.seal_anew(&signer);
    trail.write(&site.path("anew"));
    assert_eq!(verify(site, "anew", &["--key", key]).0, Some(0), "it looks good without a pin");
    for arguments in with {
        let (code, report) = verify(site, "anew", arguments);
        let kinds: Vec<_> =
            report["findings"].as_array().expect("findings").iter().map(|f| &f["kind"]).collect();
        assert_eq!(code, Some(1), "{report:#}");
        assert!(
            kinds
                .iter()
                .all(|kind| **kind == json!("rewritten")
                    || **kind == json!("tail_cut_with_checkpoints")),
            "{report:#}"
        );
        assert!(kinds.contains(&&json!("rewritten")), "{report:#}");
    }
}
