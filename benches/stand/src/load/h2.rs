//! HTTP/2: a few connections, several streams on each.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task;

use super::dial::Dialer;
use super::plan::Request;
use super::{Shared, Worker};
use crate::Failed;
use crate::local::LocalExecutor;

/// Room for answers in flight: a window that never stops a measurement.
const WINDOW_BYTES: u32 = 4 << 20;

pub(super) async fn start(shared: &Rc<Shared>) -> Result<Vec<Worker>, Failed> {
    let dialer = Dialer::new(&shared.spec)?;
    let mut senders = Vec::new();
    for _ in 0..shared.spec.connections {
        let (stream, _) = dialer.open().await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("the peer does not speak h2".into());
        }
        let (sender, connection) = http2::Builder::new(LocalExecutor)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        task::spawn_local(connection);
        senders.push(sender);
    }
    let start = |sender: &SendRequest<Full<Bytes>>| {
        let (shared, sender) = (Rc::clone(shared), sender.clone());
        task::spawn_local(async move { work(&shared, sender).await })
    };
    let streams =
        senders.iter().flat_map(|sender| std::iter::repeat_n(sender, shared.spec.streams));
    Ok(streams.map(start).collect())
}

async fn work(shared: &Shared, mut sender: SendRequest<Full<Bytes>>) -> Result<(), Failed> {
    while let Some((request, began)) = shared.next().await {
        match exchange(&mut sender, &request).await {
            Ok((status, bytes)) => shared.answered(status, bytes, began),
            Err(error) => {
                shared.failed(&error);
                sender.ready().await?;
            }
        }
    }
    Ok(())
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: &Request<'_>,
) -> Result<(u16, usize), Failed> {
    let request_head = request.head().map(|()| Full::new(request.body()));
    let (head, mut body) = sender.send_request(request_head).await?.into_parts();
    let mut bytes = 0_usize;
    while let Some(frame) = body.frame().await {
        bytes = bytes.saturating_add(frame?.data_ref().map_or(0, Bytes::len));
    }
    Ok((head.status.as_u16(), bytes))
}
