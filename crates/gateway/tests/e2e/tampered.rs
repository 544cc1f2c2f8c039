//! What can be done to a trail of the real binary, row by row: each is found and located by `gateway audit verify`, and what looks
//! like it and is none passes. What only a pin or the roster can tell is told with it, and not without.

use std::fs;

use seal::{Frontier, Hash, Record, SigningKey};
use serde_json::{Value, json};

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::process::wait_until;
use crate::sealed::{audit, public_key, text, verify};
use crate::site::{Gateway, LIMIT, Site};
use crate::world::{World, usual, world};

mod trail;

pub(crate) use trail::Trail;
use trail::{is_of, line_of, lines, value};

/// Rounds over all protocols between two checkpoints.
const ROUNDS: usize = 3;

/// A round over all protocols, delivered; then a checkpoint over it, published.
async fn rounds(world: &World, gateway: &Gateway) {
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let mut last = String::new();
    for _ in 0..ROUNDS {
        for protocol in PROTOCOLS {
            let asked = request("GET", "/orders", Some(&world.token()), "");
            let answer = client.send(protocol, asked).await;
            assert_eq!(answer.status, 200, "{}", gateway.log());
            last = answer.transaction().to_owned();
        }
    }
    let event = world.site.await_event_of(&last);
    let log = event["metadata"]["log_name"].as_str().expect("a log");
    let sequence = event["metadata"]["sequence"].as_u64().expect("a number");
    wait_until("the checkpoint above it", LIMIT, || {
        let lines = lines(&world.site.path("events"), "audit-checkpoints");
        let records = lines.iter().filter_map(|line| Record::parse(line.as_bytes()));
        records.filter(|record| is_of(record, log)).any(|r| r.frontier.size() > sequence)
    });
}

/// Three boots, each with two checkpoints of different size at least; the first two killed, the third ended in order.
async fn made(world: &World) -> Trail {
    for boot in 0..3 {
        let mut gateway = world.site.start();
        for _ in 0..2 {
            rounds(world, &gateway).await;
        }
        if boot < 2 {
            gateway.process.kill();
        } else {
            gateway.process.signal("TERM");
            assert!(gateway.process.wait(2 * LIMIT).success(), "{}", gateway.log());
        }
    }
    Trail::read(&world.site.path("events"))
}

/// Kind, log, first index, count.
type Found = (String, String, Option<u64>, u64);

fn found(report: &Value) -> Vec<Found> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    findings
        .map(|f| {
            let count = f["count"].as_u64().expect("a number");
            (text(&f["kind"]), text(&f["log"]), f["index"].as_u64(), count)
        })
        .collect()
}

/// The table's ground: a trail, its key, and where changed copies go.
struct Ground<'a> {
    site: &'a Site,
    good: Trail,
    logs: Vec<String>,
    key: String,
}

impl Ground<'_> {
    fn trust(&self) -> Vec<&str> {
        vec!["--key", &self.key]
    }

    /// Checks a changed copy: exactly these findings, each of (kind, log, index, count).
    #[track_caller]
    fn finds(
        &self,
        name: &str,
        expected: &[(&str, usize, u64, u64)],
        f: impl FnOnce(&mut Trail),
    ) -> Value {
        let mut trail = self.good.clone();
        f(&mut trail);
        trail.write(&self.site.path("copy"));
        self.finds_in(name, &self.trust(), expected)
    }

    #[track_caller]
    fn finds_in(&self, name: &str, trust: &[&str], expected: &[(&str, usize, u64, u64)]) -> Value {
        let (code, report) = verify(self.site, "copy", trust);
        let expected: Vec<Found> = expected
            .iter()
            .map(|(kind, log, index, count)| {
                ((*kind).to_owned(), self.logs[*log].clone(), Some(*index), *count)
            })
            .collect();
        assert_eq!(found(&report), expected, "{name}: {report:#}");
        assert_eq!(code, Some(i32::from(!expected.is_empty())), "{name}");
        report
    }

    #[track_caller]
    fn passes(&self, name: &str, f: impl FnOnce(&mut Trail)) -> Value {
        self.finds(name, &[], f)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_a_trail_is_found_and_located() {
    let world = world(&usual());
    let good = made(&world).await;
    let logs = good.logs();
    assert_eq!(logs.len(), 3);
    let key = public_key(&world.site);
    let ground = Ground { site: &world.site, good, logs, key };
    let report = ground.passes("untouched", |_| {});
    assert!(report["logs"].as_array().expect("logs").iter().all(|log| log["unsealed"] == 0));
    single_events(&ground);
    whole_ranges(&ground);
    checkpoints(&ground);
    erasure(&ground);
    pins_and_keys(&ground);
    foreigners(&ground);
}

/// Changed, removed, inserted, swapped, duplicated.
fn single_events(ground: &Ground<'_>) {
    let logs = &ground.logs;
    let report = ground.finds("a byte is flipped", &[("changed", 0, 7, 1)], |trail| {
        let at = trail.at(&logs[0], 7);
        trail.events[at] = trail.events[at].replacen("\"status_id\":1", "\"status_id\":0", 1);
    });
    let before: usize =
        ground.good.events[..ground.good.at(&logs[0], 7)].iter().map(|line| line.len() + 1).sum();
    let place = report["findings"][0]["at"].as_str().expect("a place");
    assert!(place.ends_with(&format!("audit-events.jsonl:{before}")), "{place}");
    ground.finds("one is removed", &[("removed", 1, 5, 1)], |trail| {
        trail.remove(trail.at(&logs[1], 5));
    });
    ground.finds("three are removed", &[("removed", 1, 5, 3)], |trail| {
        (5..8).for_each(|index| drop(trail.remove(trail.at(&logs[1], index))));
    });
    let forged = |trail: &Trail, log: &str, index: u64, sequence: u64| {
        let line = trail.events[trail.at(log, index)].clone();
        let number = |index: u64| format!(r#""sequence":{index},"#);
        line.replacen(&number(index), &number(sequence), 1).replacen("shop", "sh0p", 1)
    };
    ground.finds("one is inserted", &[("inserted", 0, 6, 1)], |trail| {
        let (line, at) = (forged(trail, &logs[0], 4, 6), trail.at(&logs[0], 6));
        trail.events.insert(at + 1, line);
    });
    let end = ground.good.size(&logs[0]);
    ground.finds("one is added to a log that has ended", &[("inserted", 0, end, 1)], |trail| {
        let (line, at) = (forged(trail, &logs[0], 4, end), trail.at(&logs[0], end - 1));
        trail.events.insert(at + 1, line);
    });
    ground.finds("two are swapped", &[("reordered", 0, 7, 1)], |trail| {
        let (a, b) = (trail.at(&logs[0], 7), trail.at(&logs[0], 8));
        trail.events.swap(a, b);
    });
    ground.finds("one stands there twice", &[("duplicated", 1, 4, 1)], |trail| {
        let (line, at) = (trail.events[trail.at(&logs[1], 4)].clone(), trail.at(&logs[1], 9));
        trail.events.insert(at + 1, line);
    });
    let report = ground.passes("delivered again, as after a crash", |trail| {
        let (from, to) = (trail.at(&logs[1], 4), trail.at(&logs[1], 9));
        let again: Vec<_> = trail.events[from..=to].to_vec();
        trail.events.splice(to + 1..to + 1, again);
    });
    assert_eq!(report["logs"][1]["repeats"], 6);
}

/// Tails, files, whole logs.
fn whole_ranges(ground: &Ground<'_>) {
    let (logs, good) = (&ground.logs, &ground.good);
    let size = |log: usize| good.size(&logs[log]);
    ground.finds("the tail is cut", &[("tail_cut", 2, size(2) - 3, 3)], |trail| {
        trail.events.truncate(trail.events.len() - 3);
    });
    let before = |log: usize| {
        let sizes = good.sizes(&logs[log]);
        sizes[sizes.len() - 2]
    };
    let (kept, all) = (before(1), size(1));
    let expected = [("tail_cut_with_checkpoints", 1, kept, all - kept)];
    ground
        .finds("a tail is cut with its checkpoints", &expected, |trail| trail.cut(&logs[1], kept));
    ground.finds("a log is removed", &[("log_removed", 1, 0, all)], |trail| {
        trail.events.retain(|line| value(line)["metadata"]["log_name"] != *logs[1]);
    });
    ground.finds("a log is removed with its checkpoints", &[("log_removed", 1, 0, all)], |trail| {
        trail.cut(&logs[1], 0);
    });
    let (from, to) = (good.at(&logs[1], 3), good.at(&logs[1], 9));
    let parts = [(0, from), (from, to), (to, good.events.len())];
    good.write_parts(&ground.site.path("copy"), &parts);
    ground.finds_in("a rotated trail", &ground.trust(), &[]);
    let copy = ground.site.path("copy");
    let middle = copy.join(format!("audit-events-{}.jsonl", 1_790_000_000_001_u64));
    fs::remove_file(middle).expect("removed");
    ground.finds_in("a file is removed", &ground.trust(), &[("segment_removed", 1, 3, 6)]);
    let rest = copy.join("audit-events-1790000000000.jsonl");
    fs::remove_file(rest).expect("removed");
    let partial = [ground.trust(), vec!["--partial"]].concat();
    let (code, _) = verify(ground.site, "copy", &partial);
    assert_eq!(code, Some(0), "older files are elsewhere, and somebody said so");
}

/// What is done to checkpoints.
fn checkpoints(ground: &Ground<'_>) {
    let (logs, good) = (&ground.logs, &ground.good);
    let first = good.sizes(&logs[0])[0];
    let of_first = |trail: &Trail| {
        let found = trail.checkpoints.iter().position(|line| {
            let record = Trail::record(line);
            is_of(&record, &logs[0]) && record.frontier.size() == first
        });
        found.expect("a checkpoint")
    };
    let report = {
        let mut trail = good.clone();
        let at = of_first(&trail);
        let mut record = Trail::record(&trail.checkpoints[at]);
        record.note =
            record.note.replacen(&format!("\n{first}\n"), &format!("\n{}\n", first + 1), 1);
        trail.checkpoints[at] = record.to_line().trim_end().to_owned();
        trail.write(&ground.site.path("copy"));
        verify(ground.site, "copy", &ground.trust()).1
    };
    let kinds: Vec<_> = found(&report).into_iter().map(|found| (found.0, found.1)).collect();
    assert_eq!(kinds, [("bad_signature".to_owned(), logs[0].clone())], "{report:#}");
    ground.finds("the hashes are altered", &[("leaves_altered", 0, 0, first)], |trail| {
        let at = of_first(trail);
        let mut record = Trail::record(&trail.checkpoints[at]);
        record.leaves[0] = Hash::leaf(b"another");
        trail.checkpoints[at] = record.to_line().trim_end().to_owned();
    });
    let mut trail = good.clone();
    trail.checkpoints.retain(|line| !is_of(&Trail::record(line), &logs[2]));
    trail.write(&ground.site.path("copy"));
    let (_, report) = verify(ground.site, "copy", &ground.trust());
    assert_eq!(found(&report)[0].0, "checkpoints_missing", "{report:#}");
}

/// Planned erasure is none of these, and what is left of the event cannot be used.
fn erasure(ground: &Ground<'_>) {
    let (logs, good) = (&ground.logs, &ground.good);
    let uid = |log: usize, index: u64| {
        let event = value(&good.events[good.at(&logs[log], index)]);
        event["metadata"]["uid"].as_str().expect("a uid").to_owned()
    };
    good.write(&ground.site.path("copy"));
    let gone = uid(1, 6);
    let told = text(&audit(ground.site, &["erase", &gone, "copy"]));
    assert!(told.starts_with("erased: ") && told.contains("audit-events.jsonl:"), "{told}");
    let report = ground.finds_in("one is erased as planned", &ground.trust(), &[]);
    assert_eq!(
        (&report["logs"][1]["erased"], &report["logs"][0]["erased"]),
        (&json!(1), &json!(0))
    );
    let all = fs::read_to_string(ground.site.path("copy/audit-events.jsonl")).expect("events");
    let line = all.lines().find(|line| line.contains(&gone)).expect("what is left");
    assert!(!line.contains("orders") && line.contains("erased"), "{line}");
    assert_eq!(all.lines().count(), good.events.len(), "no line moved");
    assert_eq!(audit(ground.site, &["erase", &gone, "copy"]).status.code(), Some(1), "once");
    assert_eq!(audit(ground.site, &["prove", &uid(1, 7), "copy"]).status.code(), Some(0));
    // Another leaf hash in its place is a change.
    let hash = value(line)["erased"].as_str().expect("a hash").to_owned();
    let other = Hash::leaf(b"another").to_string();
    fs::write(ground.site.path("copy/audit-events.jsonl"), all.replace(&hash, &other))
        .expect("written");
    ground.finds_in("erased, and of another event", &ground.trust(), &[("changed", 1, 6, 1)]);
}

/// What only a pin can tell.
fn pins_and_keys(ground: &Ground<'_>) {
    let (logs, good, site) = (&ground.logs, &ground.good, ground.site);
    let note = Trail::record(good.checkpoints.last().expect("one")).note;
    fs::write(site.path("pin"), note).expect("written");
    let pinned = [ground.trust(), vec!["--pin", "pin"]].concat();
    let (all, sizes) = (good.size(&logs[2]), good.sizes(&logs[2]));
    let kept = sizes[sizes.len() - 2];
    ground.passes("the last tail is cut with its checkpoints, and there is no pin", |trail| {
        trail.cut(&logs[2], kept);
    });
    let expected = [("tail_cut_with_checkpoints", 2, kept, all - kept)];
    ground.finds_in("the same with a pin", &pinned, &expected);
    let secret = fs::read_to_string(site.path("spool/seal.key")).expect("a key");
    let stolen = SigningKey::parse(&secret).expect("a key");
    ground.passes("a stolen key, and there is no pin", |trail| {
        let at = trail.at(&logs[2], 5);
        trail.events[at] = trail.events[at].replacen("\"status_id\":1", "\"status_id\":0", 1);
        trail.seal_anew(&stolen);
    });
    ground.finds_in("the same with a pin", &pinned, &[("rewritten", 2, all, 1)]);
    ground.passes("the near miss: signed anew, nothing else", |trail| trail.seal_anew(&stolen));
    ground.finds_in("the same with a pin", &pinned, &[]);
    let size = good.size(&logs[0]);
    ground.finds("a fork", &[("fork", 0, size, 1)], |trail| {
        let mut tree = Frontier::new();
        let leaves: Vec<_> = (0..size).map(|n| Hash::leaf(&n.to_be_bytes())).collect();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        trail.checkpoints.push(line_of(&logs[0], &stolen, &tree, leaves, false));
    });
}

/// Other keys, other instances, instances that are not there.
fn foreigners(ground: &Ground<'_>) {
    let (good, site) = (&ground.good, ground.site);
    let instance = ground.key.split('+').next().expect("a name").to_owned();
    good.write(&site.path("copy"));
    let other = text(&audit(site, &["key", &instance, "other.key"]));
    let (code, report) = verify(site, "copy", &["--key", other.trim()]);
    assert!(found(&report).iter().any(|f| f.0 == "wrong_key") && code == Some(1), "{report:#}");
    let (foreign, _) = SigningKey::generate("sallyport/audit/foreign").expect("a key");
    let mut trail = good.clone();
    for line in &mut trail.events {
        *line = line.replace(&instance, "sallyport/audit/foreign");
    }
    trail.checkpoints.clear();
    trail.seal_anew(&foreign);
    trail.write(&site.path("copy"));
    let (code, report) = verify(site, "copy", &ground.trust());
    let found_there = found(&report);
    assert!(!found_there.is_empty() && code == Some(1), "{report:#}");
    assert!(found_there.iter().all(|f| f.0 == "wrong_origin"), "{report:#}");
    // The roster tells who is not there at all.
    let fleet = text(&audit(site, &["key", "sallyport", "fleet.key"]));
    let missing = text(&audit(site, &["key", "sallyport/audit/silent", "silent.key"]));
    good.write(&site.path("copy"));
    for (members, expected) in [(vec![&*ground.key], 0), (vec![&*ground.key, missing.trim()], 1)] {
        let roster = [vec!["roster", "--fleet-key", "fleet.key"], members].concat();
        fs::write(site.path("roster"), text(&audit(site, &roster))).expect("written");
        let by = ["--fleet-key", fleet.trim(), "--roster", "roster"];
        let (code, report) = verify(site, "copy", &by);
        assert_eq!(code, Some(expected), "{report:#}");
        if expected == 1 {
            let told = &report["findings"][0];
            assert_eq!(
                (&told["kind"], &told["log"]),
                (&json!("instance_missing"), &json!("sallyport/audit/silent"))
            );
        }
    }
}

/// The spool is put back to an older state: the next boot names fewer events than were signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_of_the_disk_is_found() {
    let world = world(&usual());
    let site = &world.site;
    let mut gateway = site.start();
    rounds(&world, &gateway).await;
    let copy = |from: &str, to: &str| {
        drop(fs::remove_dir_all(site.path(to)));
        fs::create_dir(site.path(to)).expect("a folder");
        for entry in fs::read_dir(site.path(from)).expect("a folder") {
            let path = entry.expect("an entry").path();
            // A cursor under way is gone a moment later.
            if path.extension().is_none_or(|end| end != "new") {
                let name = path.file_name().expect("a name");
                fs::copy(&path, site.path(to).join(name)).expect("copied");
            }
        }
    };
    copy("spool", "older");
    rounds(&world, &gateway).await;
    gateway.process.kill();
    let before = Trail::read(&site.path("events"));
    let log = before.logs().remove(0);
    copy("older", "spool");
    let mut gateway = site.start();
    rounds(&world, &gateway).await;
    gateway.process.signal("TERM");
    assert!(gateway.process.wait(2 * LIMIT).success(), "{}", gateway.log());
    let key = public_key(site);
    let (code, report) = verify(site, "events", &["--key", &key]);
    let told = found(&report);
    let rollback = told.iter().find(|found| found.0 == "rollback").expect("a rollback");
    let claim = Trail::read(&site.path("events"));
    let named = claim
        .events
        .iter()
        .map(|line| value(line))
        .find(|event| event["unmapped"]["former_log"] == *log);
    let size = named.expect("the next log")["unmapped"]["former_size"].as_u64().expect("a size");
    let signed = before.sizes(&log).last().copied().expect("a size");
    assert_eq!(rollback, &("rollback".to_owned(), log.clone(), Some(size), signed - size));
    assert_eq!(code, Some(1), "{report:#}");
    // What the older state delivers again is told, too; nothing else is.
    assert!(told.iter().all(|f| ["rollback", "duplicated"].contains(&&*f.0)), "{report:#}");
}
