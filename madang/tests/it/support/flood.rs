//! Requests that come at their rate whether they are answered or not, as those of many people do.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use super::balancer::message;

/// After so long without an end, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(5);

/// What became of a flood. Times are those from a request to its answer, the shortest first.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) good: Vec<Duration>,
    /// 429 and 503.
    pub(crate) refused: Vec<Duration>,
    /// Other answers, and none.
    pub(crate) failed: usize,
}

impl Tally {
    /// The time within which so many of a hundred answers came.
    pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
        times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// Sends so many requests a second for so long, over as many connections as are needed, up to `connections`.
pub(crate) async fn flood(
    address: SocketAddr,
    request: &[u8],
    rate: usize,
    time: Duration,
    connections: usize,
) -> Tally {
    let (sender, receiver) = mpsc::unbounded_channel::<()>();
    let (receiver, request) = (Arc::new(Mutex::new(receiver)), Arc::new(request.to_vec()));
    let (began, mut clients) = (Instant::now(), JoinSet::new());
    let end = began + time;
    for _ in 0..connections {
        let (receiver, request) = (Arc::clone(&receiver), Arc::clone(&request));
        clients.spawn(async move {
            let (mut kept, mut tally) = (None, Tally::default());
            loop {
                let next = receiver.lock().await.recv().await;
                // What is late by then found no connection.
                if next.is_none() || Instant::now() >= end {
                    return tally;
                }
                ask(address, &request, &mut kept, &mut tally).await;
            }
        });
    }
    let (mut sent, mut ticks) = (0, interval(TICK));
    while Instant::now() < end {
        ticks.tick().await;
        let due = (began.elapsed().as_secs_f64() * rate as f64) as usize;
        for _ in sent..due {
            let _ = sender.send(());
        }
        sent = sent.max(due);
    }
    drop(sender);
    let mut all = Tally::default();
    for tally in clients.join_all().await {
        all.good.extend(tally.good);
        all.refused.extend(tally.refused);
        all.failed += tally.failed;
    }
    all.good.sort_unstable();
    all.refused.sort_unstable();
    all
}

async fn ask(address: SocketAddr, request: &[u8], kept: &mut Option<TcpStream>, tally: &mut Tally) {
    let exchange = async {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await.ok()?,
        };
        let began = Instant::now();
        stream.write_all(request).await.ok()?;
        let answer = message(&mut stream).await?;
        *kept = Some(stream);
        Some((answer[9..12].to_vec(), began.elapsed()))
    };
    match timeout(PATIENCE, exchange).await.expect("an answer or an end") {
        Some((status, took)) if status == b"200" => tally.good.push(took),
        Some((status, took)) if status == b"503" || status == b"429" => tally.refused.push(took),
        _ => tally.failed += 1,
    }
}
