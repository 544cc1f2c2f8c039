//! Memory of idle connections: many are opened, each does one GET, then all of them rest.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time;

use super::dial::Dialer;
use super::h1::Connection;
use super::process::Memory;
use super::{Shared, plan};
use crate::Failed;

/// Handshakes at the same time.
const TOGETHER: usize = 32;
/// How long the peer may take to put idle connections to rest.
const SETTLE: Duration = Duration::from_secs(3);

/// The memory before and after, and the difference for each connection.
pub(super) async fn measure(shared: &Rc<Shared>) -> Result<Value, Failed> {
    let spec = &shared.spec;
    let dialer = Dialer::new(spec)?;
    // What the first request makes is not the price of a connection. It counts among those that are open.
    let warm = open(shared, &dialer).await?;
    time::sleep(Duration::from_millis(spec.warm_ms)).await;
    let before = Memory::of(&spec.processes)?;
    let (mut opening, mut held) = (JoinSet::new(), vec![warm]);
    let mut asked = held.len();
    while held.len() < spec.connections {
        while opening.len() < TOGETHER && asked < spec.connections {
            let (shared, dialer) = (Rc::clone(shared), dialer.clone());
            opening.spawn_local(async move { open(&shared, &dialer).await });
            asked = asked.saturating_add(1);
        }
        match opening.join_next().await {
            Some(connection) => held.push(connection??),
            None => break,
        }
    }
    time::sleep(SETTLE).await;
    let after = Memory::of(&spec.processes)?;
    let each = |after: u64, before: u64| {
        let count = u64::try_from(spec.connections.saturating_sub(1)).unwrap_or(1).max(1);
        after.saturating_sub(before).saturating_mul(1024) / count
    };
    Ok(json!({
        "connections": held.len(),
        "rss_kb_before": before.rss_kb, "rss_kb_after": after.rss_kb,
        "bytes_each": each(after.pss_kb, before.pss_kb),
        "bytes_each_rss": each(after.rss_kb, before.rss_kb),
    }))
}

async fn open(shared: &Shared, dialer: &Dialer) -> Result<Connection, Failed> {
    let (stream, _) = dialer.open().await?;
    let mut connection = Connection::new(stream);
    let request: plan::Request<'_> = shared.plan.next().await.ok_or("no request")?;
    let answer = connection.exchange(&request).await?;
    if answer.status != 200 {
        return Err(format!("status {}", answer.status).into());
    }
    connection.rest();
    Ok(connection)
}
