//! Kept connections to the upstream, the last one used first.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task;
use tokio_rustls::TlsConnector;

use super::Sent;
use crate::Failed;
use crate::tls::ClientSpec;

pub(super) struct Pool {
    upstream: SocketAddr,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    idle: RefCell<Vec<SendRequest<Sent>>>,
}

impl Pool {
    pub(super) fn new(upstream: SocketAddr, tls: Option<&ClientSpec>) -> Result<Self, Failed> {
        let tls = match tls {
            None => None,
            Some(spec) => {
                Some((spec.config("http/1.1")?, ServerName::try_from(spec.name.clone())?))
            }
        };
        Ok(Self { upstream, tls, idle: RefCell::default() })
    }

    pub(super) async fn send(&self, request: Request<Sent>) -> Result<Response<Incoming>, Failed> {
        let mut sender = match self.take() {
            Some(sender) => sender,
            None => self.dial().await?,
        };
        let response = sender.send_request(request).await?;
        // It is ready again once the answer's body has been read; `take` passes over it until then.
        self.idle.borrow_mut().push(sender);
        Ok(response)
    }

    fn take(&self) -> Option<SendRequest<Sent>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|sender| !sender.is_closed());
        let ready = idle.iter().rposition(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    async fn dial(&self) -> Result<SendRequest<Sent>, Failed> {
        let tcp = TcpStream::connect(self.upstream).await?;
        tcp.set_nodelay(true)?;
        let sender = match &self.tls {
            None => {
                let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
                task::spawn_local(connection);
                sender
            }
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), tcp).await?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                task::spawn_local(connection);
                sender
            }
        };
        Ok(sender)
    }
}
