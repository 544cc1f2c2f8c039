//! Which spool a process writes to. One process has one spool; a process that follows another which still has it takes the
//! next one, and delivers what is left of the others as soon as nobody has them.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use audit::sink::SinkSettings;
use audit::{Settings, Trail, TrailError};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::clock;

/// Spools that one configuration may have at a time: as many processes can follow each other without waiting for the first.
const SPOOLS: u32 = 4;
/// How often is looked whether a spool of a former process can be had, and whether one is delivered.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The settings of one spool: the first lies where the configuration says, the others in `2`, `3` and `4` below, and so do
/// the files of file sinks: two processes never write to one file.
fn nth(settings: &Settings, number: u32) -> Settings {
    let mut settings = settings.clone();
    if number > 1 {
        let below = number.to_string();
        settings.spool.directory.push(&below);
        for sink in &mut settings.sinks {
            if let SinkSettings::File { directory, .. } = sink {
                directory.push(&below);
            }
        }
    }
    settings
}

/// How long a process waits for a spool where all are taken, and the pause between two attempts.
const TAKEN_LIMIT: Duration = Duration::from_secs(60);
const TAKEN_PAUSE: Duration = Duration::from_millis(100);

/// The first spool that nobody has, and its number. Only a process that follows another may have any but the first. Where
/// all are taken, it waits: the process before still delivers what others have left, and lets go of a spool when it has.
///
/// # Errors
/// As [`Trail::open`].
pub(super) async fn open(
    settings: &Settings,
    follows: bool,
) -> Result<(Arc<Trail>, u32), TrailError> {
    let (began, mut number) = (Instant::now(), 1);
    loop {
        match Trail::open(nth(settings, number), clock::now()) {
            Err(error) if follows && is_taken(&error) => {
                if number < SPOOLS {
                    number += 1;
                } else if began.elapsed() < TAKEN_LIMIT {
                    number = 1;
                    sleep(TAKEN_PAUSE).await;
                } else {
                    return Err(error);
                }
            }
            opened => return Ok((opened?, number)),
        }
    }
}

fn is_taken(error: &TrailError) -> bool {
    matches!(error, TrailError::Spool(error) if error.kind() == ErrorKind::ResourceBusy)
}

/// Delivers what former processes left in the other spools, each as soon as nobody has it. It ends when `ends` does, or
/// when all is delivered.
pub(super) async fn adopt(
    settings: Settings,
    own: u32,
    flush: Duration,
    ends: watch::Receiver<()>,
) {
    let mut adoptions = JoinSet::new();
    for number in (1..=SPOOLS).filter(|number| *number != own) {
        let settings = nth(&settings, number);
        if settings.spool.directory.is_dir() {
            let mut ends = ends.clone();
            adoptions.spawn(async move {
                let trail = tokio::select! {
                    _ = ends.changed() => return,
                    trail = when_free(settings) => trail,
                };
                tokio::select! {
                    _ = ends.changed() => {}
                    () = delivered(&trail) => {}
                }
                let done = trail.close(flush).await;
                tracing::info!(spool = number, done, "the spool of a former process");
            });
        }
    }
    while adoptions.join_next().await.is_some() {}
}

async fn when_free(settings: Settings) -> Arc<Trail> {
    loop {
        let settings = settings.clone();
        match spawn_blocking(move || Trail::open(settings, clock::now())).await {
            Ok(Ok(trail)) => return trail,
            Ok(Err(error)) if is_taken(&error) => {}
            failed => tracing::error!(?failed, "the spool of a former process cannot be opened"),
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn delivered(trail: &Trail) {
    while trail.health().sinks.iter().any(|sink| sink.backlog_events > 0) {
        sleep(LOOK_EVERY).await;
    }
}
