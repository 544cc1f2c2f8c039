//! One masked OCSF event per transaction: in the spool before the answer is complete, then delivered
//! to files and to Kafka. It knows no HTTP types, no policy and no configuration file.
//!
//! The way of a record: [`Trail::begin`] reserves room and gives an [`Entry`]; the caller tells it what
//! it learns ([`facts`]); [`Entry::close`] encodes one [`Masked`] event and appends it to the spool; one
//! thread per [`sink`] reads the spool and moves its cursor once the receiver has acknowledged.
#![doc = include_str!("../README.md")]

mod clock;
mod delivery;
mod digest;
mod entry;
mod event;
pub mod facts;
mod health;
pub mod inspect;
mod json;
mod masker;
mod pseudonym;
mod restraint;
mod roll_ups;
mod sealing;
mod settings;
pub mod sink;
mod spool;
mod trail;
mod volume;

pub use digest::{Digest, Digested, Digesting, Digestion, Part};
pub use entry::Entry;
pub use event::{EventPlace, Masked, Operation, SEQUENCES};
pub use health::{Health, SealHealth, SinkHealth};
pub use masker::{MaskMistake, MaskRule, Masker, mask};
pub use sealing::{Pin, PinFault, PinSettings, SealSettings, lost_leaf};
pub use settings::{Durability, Settings, SpoolSettings};
pub use spool::{Full, Recorded, SpoolFault};
pub use trail::{Trail, TrailError};
