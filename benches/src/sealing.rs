//! The seal: an event becomes a leaf, a thousand leaves a checkpoint; and the check of what a trail left.

use std::hint::black_box;
use std::sync::Arc;

use audit::inspect::Kept;
use audit::sink::SinkSettings;
use audit::{SealSettings, Trail};
use seal::verify::Trust;
use seal::{Checkpoint, Frontier, Hash, LEAVES_MAX, Record, SigningKey};

use crate::Work;
use crate::record::{recorded, settings};

/// The length of an event, some bytes more than is usual.
const EVENT_BYTES: usize = 2_000;
const INSTANCE: &str = "shop/audit/edge-1";

/// One event more in the tree.
pub(crate) fn leaf() -> Work {
    let (event, mut tree) = (vec![b'x'; EVENT_BYTES], Frontier::new());
    Box::new(move || {
        tree.push(Hash::leaf(black_box(&event)));
        black_box(tree.size());
    })
}

/// A checkpoint over a thousand events: signed twice (the note, and its time), and written as a line.
pub(crate) fn checkpoint() -> Work {
    let (key, _) = SigningKey::generate(INSTANCE).expect("a key");
    let leaves: Vec<_> = (0..LEAVES_MAX).map(|n| Hash::leaf(&n.to_be_bytes())).collect();
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    Box::new(move || {
        let (size, root) = (frontier.size(), frontier.root());
        let checkpoint = Checkpoint { origin: format!("{INSTANCE}/boot"), size, root };
        let note = checkpoint.sign(&key, 1_790_000_000);
        let (leaves, frontier) = (leaves.clone(), frontier.clone());
        let record = Record { note, leaves, frontier, at: (1, 8), ended: false };
        black_box(record.to_line());
    })
}

/// The check of a thousand events in files of a sink, and of the checkpoints beside them.
pub(crate) fn check() -> Work {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("events");
    let (key, _) = SigningKey::generate(INSTANCE).expect("a key");
    let trust = Trust { keys: vec![key.public().clone()], roster: None };
    let mut settings =
        settings(folder.path(), SealSettings::new(INSTANCE.to_owned(), Arc::new(key)));
    settings.sinks =
        vec![SinkSettings::File { directory: directory.clone(), rotate_bytes: 1 << 30 }];
    let trail = Trail::open(settings, crate::record::time()).expect("a trail");
    (0..1_000).for_each(|_| recorded(&trail));
    while trail.health().sinks.iter().any(|sink| sink.backlog_events > 0) {
        std::thread::yield_now();
    }
    drop(trail);
    Box::new(move || {
        let report = Kept::open(&directory).expect("files").check(trust.clone(), &[], false);
        let report = report.expect("readable");
        assert!(report.is_clean() && folder.path().exists(), "{report}");
    })
}
