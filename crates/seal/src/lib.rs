//! A log that cannot be changed unseen: Merkle trees (RFC 6962), signed notes and checkpoints (C2SP), rosters of instances,
//! and proofs of single entries. It knows no event format, no files and no clock.
#![doc = include_str!("../README.md")]

mod checkpoint;
mod key;
mod note;
mod proof;
mod record;
mod roster;
mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, Sealed, instance_of};
pub use key::{KeyFault, SigningKey, VerifyKey, is_name};
pub use note::{NOTE_BYTES_MAX, Note, NoteFault, sign};
pub use proof::{PROOF_BYTES_MAX, Proof, ProofFault};
pub use record::{LEAVES_MAX, LINE_BYTES_MAX, Record};
pub use roster::Roster;
pub use tree::{Frontier, HASH_BYTES, Hash, Inclusion, Prover};
