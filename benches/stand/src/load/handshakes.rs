//! One connection per request: a TLS handshake, one GET, the end. HTTP/1.1 only.

use std::rc::Rc;

use tokio::task;

use super::dial::Dialer;
use super::h1::{Answer, Connection};
use super::plan::Request;
use super::{Shared, Worker};
use crate::Failed;

pub(super) fn start(shared: &Rc<Shared>) -> Result<Vec<Worker>, Failed> {
    let dialer = Dialer::new(&shared.spec)?;
    let start = |_| {
        let (shared, dialer) = (Rc::clone(shared), dialer.clone());
        task::spawn_local(async move {
            while let Some((request, began)) = shared.next().await {
                match exchange(&shared, &dialer, &request).await {
                    Ok(answer) => shared.answered(answer.status, answer.bytes, began),
                    Err(error) => {
                        shared.failed(&error);
                        // Refused connections fail without waiting: others must get their turn.
                        task::yield_now().await;
                    }
                }
            }
            Ok(())
        })
    };
    Ok((0..shared.spec.connections).map(start).collect())
}

async fn exchange(
    shared: &Shared,
    dialer: &Dialer,
    request: &Request<'_>,
) -> Result<Answer, Failed> {
    let (stream, resumed) = dialer.open().await?;
    shared.tally.borrow_mut().connected(resumed);
    let mut connection = Connection::new(stream);
    let answer = connection.exchange(request).await?;
    // A server that closes first is as good.
    drop(connection.close().await);
    Ok(answer)
}
