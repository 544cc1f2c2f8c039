//! What a check of the audit trail reads, written by nobody knows whom: notes, checkpoints, rosters, proofs, events with their places,
//! segments of a spool. Nothing is believed that was not signed, and nothing breaks the reader.

use std::sync::LazyLock;

use audit::inspect::Kept;
use seal::verify::Trust;
use seal::{Checkpoint, Note, Proof, Record, Roster, SigningKey, VerifyKey};

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("shop/audit/edge-1").expect("a key").0);

/// A note as a checkpoint, a roster and in a proof; a line of checkpoints; a key.
pub fn seal_note(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let key = KEY.public();
    if let Ok(note) = Note::parse(&text) {
        assert!(text.starts_with(&note.text), "a note says what stands in it");
        assert!(note.verify(key).is_err(), "signed by a key that was made a moment ago");
    }
    if let Ok((_, checkpoint)) = Checkpoint::read(&text) {
        let signed = checkpoint.sign(&KEY, 7);
        let own = seal::instance_of(&checkpoint.origin) == Some(key.name());
        assert_eq!(Checkpoint::open(&signed, key).is_ok(), own, "{signed}");
        let again = Checkpoint::read(&signed).expect("our own note").1;
        assert_eq!(again, checkpoint);
    }
    assert!(Checkpoint::open(&text, key).is_err());
    assert!(Roster::open(&text, key).is_err());
    if let Ok(proof) = Proof::parse(&text) {
        assert_eq!(Proof::parse(&proof.to_text()).as_ref(), Ok(&proof));
        assert!(proof.verify(key).is_err());
    }
    if let Some(record) = Record::parse(data) {
        let line = record.to_line();
        let again = Record::parse(line.trim_end().as_bytes());
        // A note may be longer in JSON than it was written.
        assert!(again.is_none_or(|again| again == record), "{line}");
    }
    if let Ok(key) = VerifyKey::parse(text.trim()) {
        assert_eq!(VerifyKey::parse(&key.to_string()), Ok(key));
    }
    // An error, or a key; never a panic.
    drop(SigningKey::parse(&text));
}

/// An event that says its place.
pub fn audit_place(data: &[u8]) {
    if let Some(place) = audit::EventPlace::read(data) {
        let audit::EventPlace { log, sequence, uid } = &place;
        assert!(*sequence < audit::SEQUENCES);
        let head =
            format!(r#"{{"metadata":{{"log_name":"{log}","sequence":{sequence},"uid":"{uid}""#);
        assert!(data.starts_with(head.as_bytes()), "a place is written in one way only");
    }
    if let Some(gone) = audit::inspect::erased(data) {
        let left = audit::EventPlace::read(gone.as_bytes()).expect("what is left has its place");
        assert_eq!(Some(left), audit::EventPlace::read(data));
        assert_eq!(audit::inspect::erased(gone.as_bytes()), Some(gone.clone()), "twice is once");
    }
}

/// A segment of a spool, and a file of checkpoints beside it: the first two bytes say how much of the bytes is the segment.
pub fn audit_spool(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (segment, checkpoints) = rest.split_at(length);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    };
    write("00000000000000000001.spool", segment);
    write("checkpoints-00000000000000000001.jsonl", checkpoints);
    let kept = Kept::open(folder.path()).expect("files are there");
    let mut count = 0_usize;
    let read = kept.each(&mut |at, _| {
        assert!(at.position < length as u64);
        count += 1;
        true
    });
    read.expect("readable");
    assert!(count <= length, "an event is longer than a byte");
    let trust = Trust { keys: vec![KEY.public().clone()], roster: None };
    let report = kept.check(trust, &[], false).expect("readable");
    // Nobody signed anything here.
    assert!(report.logs.is_empty());
    drop(audit::inspect::logs_of_spool(folder.path()));
}
