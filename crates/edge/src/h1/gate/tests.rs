//! The gate over a stream in memory: what passes, in which order, and what stands in for what may not.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

struct Bench {
    client: DuplexStream,
    gate: Gate<DuplexStream>,
    pulse: Arc<Pulse>,
    verdicts: Arc<Verdicts>,
}

fn bench(limits: &Limits) -> Bench {
    let (client, server) = duplex(256 * 1024);
    let (pulse, verdicts) = (Arc::<Pulse>::default(), Arc::<Verdicts>::default());
    let gate =
        Gate::new(server, Arc::clone(&pulse), Arc::clone(&verdicts), limits, limits.idle_timeout);
    Bench { client, gate, pulse, verdicts }
}

impl Bench {
    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// What passes now.
    async fn passed(&mut self) -> Option<Vec<u8>> {
        let mut room = vec![0; 64 * 1024];
        tokio::select! {
            biased;
            read = self.gate.read(&mut room) => read.ok().map(|read| room[..read].to_vec()),
            () = tokio::task::yield_now() => None,
        }
    }

    fn answer(&self) {
        self.pulse.begin();
        self.pulse.end();
    }
}

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_head_passes_when_it_is_whole() {
    let mut bench = bench(&Limits::default());
    let (first, second) = GET.split_at(9);
    bench.send(first).await;
    assert_eq!(bench.passed().await, None);
    bench.send(second).await;
    assert_eq!(bench.passed().await.unwrap(), GET);
    assert!(bench.verdicts.take().is_none());
}

#[tokio::test]
async fn the_next_head_waits_for_the_answer() {
    let mut bench = bench(&Limits::default());
    let post = b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok";
    bench.send(&[post.as_slice(), GET].concat()).await;
    assert_eq!(bench.passed().await.unwrap(), post);
    assert_eq!(bench.passed().await, None);
    bench.answer();
    assert_eq!(bench.passed().await.unwrap(), GET);
}

#[tokio::test]
async fn a_broken_head_behind_a_good_one_is_replaced_after_its_answer() {
    let mut bench = bench(&Limits::default());
    bench.send(&[GET, b"HEAD /a HTTP/1.1\nhost: a\n\n"].concat()).await;
    assert_eq!(bench.passed().await.unwrap(), GET);
    assert_eq!(bench.passed().await, None);
    assert!(bench.verdicts.take().is_none());
    bench.answer();
    assert_eq!(bench.passed().await.unwrap(), STAND_INS[0].1);
    assert_eq!(bench.verdicts.take(), Some(Malformed::LineEnding));
    bench.answer();
    bench.send(GET).await;
    assert_eq!(bench.passed().await, None);
}

#[tokio::test]
async fn a_chunked_body_passes_as_it_came_and_a_broken_one_breaks() {
    let mut bench = bench(&Limits::default());
    let head = b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    bench.send(head).await;
    assert_eq!(bench.passed().await.unwrap(), head);
    bench.send(b"2\r\no").await;
    assert_eq!(bench.passed().await.unwrap(), b"2\r\no");
    bench.send(b"k\r\n0\r\n\r\nGET").await;
    assert_eq!(bench.passed().await.unwrap(), b"k\r\n0\r\n\r\n");
    let mut bench = self::bench(&Limits::default());
    bench.send(&[head.as_slice(), b"2;x=y\r\nok\r\n"].concat()).await;
    assert_eq!(bench.passed().await.unwrap(), head);
    let broken = bench.gate.read(&mut [0; 100]).await;
    assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_slow_head_is_replaced_and_an_idle_connection_ends() {
    let limits = Limits {
        header_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let mut bench = bench(&limits);
    bench.send(b"GET /a HT").await;
    let mut room = [0; 1024];
    let read = bench.gate.read(&mut room).await.unwrap();
    assert_eq!(&room[..read], STAND_INS[1].1);
    assert_eq!(bench.verdicts.take(), Some(Malformed::HeadTimedOut));
    let mut bench = self::bench(&limits);
    assert_eq!(bench.gate.read(&mut room).await.unwrap(), 0);
    assert!(bench.verdicts.failure() == Some(FailureKind::ConnectionIdle));
}

#[tokio::test]
async fn a_connection_without_requests_rests_long_before_it_ends() {
    let limits = Limits::default();
    let mut bench = bench(&limits);
    std::future::poll_fn(|cx| {
        let mut room = [0; 64];
        let polled = Pin::new(&mut bench.gate).poll_read(cx, &mut ReadBuf::new(&mut room));
        assert!(polled.is_pending());
        if bench.verdicts.rests() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    assert_eq!(bench.gate.into_rest().1, limits.idle_timeout - REST_AFTER);
}

#[tokio::test]
async fn an_end_within_a_head_is_told() {
    let mut bench = bench(&Limits::default());
    bench.send(b"GET /a HT").await;
    bench.client.shutdown().await.unwrap();
    assert_eq!(bench.gate.read(&mut [0; 100]).await.unwrap(), 0);
    assert!(bench.verdicts.failure() == Some(FailureKind::HeadTruncated));
}

#[tokio::test]
async fn a_client_that_leaves_is_seen_while_its_answer_is_under_way() {
    let mut bench = bench(&Limits::default());
    bench.send(&[GET, b"GET /b"].concat()).await;
    assert_eq!(bench.passed().await.unwrap(), GET);
    bench.pulse.begin();
    assert_eq!(bench.passed().await, None);
    bench.client.shutdown().await.unwrap();
    assert_eq!(bench.passed().await.unwrap(), b"");
}

#[tokio::test]
async fn pipelined_bytes_are_bounded() {
    let mut bench = bench(&Limits::default());
    bench.send(GET).await;
    assert_eq!(bench.passed().await.unwrap(), GET);
    bench.pulse.begin();
    bench.send(&vec![b'x'; 200 * 1024]).await;
    assert_eq!(bench.passed().await, None);
    assert!(bench.gate.held.len() <= PIPELINED_BYTES_MAX + 64 * 1024);
}
