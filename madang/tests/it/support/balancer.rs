//! A small proxy in front of several boards: it keeps connections, and sends requests to a board for as long as that says that
//! it is ready.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::wire::Wire;

/// Ends when it is dropped.
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    boards: Arc<[(SocketAddr, AtomicBool)]>,
    _tasks: JoinSet<()>,
}

impl Balancer {
    pub(crate) async fn of(addresses: &[SocketAddr]) -> Balancer {
        let boards: Arc<[_]> = addresses.iter().map(|address| (*address, AtomicBool::new(true))).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..boards.len() {
            let boards = Arc::clone(&boards);
            tasks.spawn(async move {
                let (address, ready) = &boards[n];
                loop {
                    let answer = Wire::new(*address).get("/readyz").await;
                    ready.store(answer.is_ok_and(|answer| answer.status == 200), Relaxed);
                    sleep(Duration::from_millis(200)).await;
                }
            });
        }
        let serving = Arc::clone(&boards);
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client, Arc::clone(&serving)));
            }
        });
        Balancer { address, boards, _tasks: tasks }
    }

    /// Whether it sends requests to this board.
    pub(crate) fn uses(&self, number: usize) -> bool {
        self.boards[number].1.load(Relaxed)
    }
}

/// One client's requests without bodies, each to the first board that is ready, over a connection that is kept. A board that
/// fails is not covered up: its client is cut off.
async fn serve(mut client: TcpStream, boards: Arc<[(SocketAddr, AtomicBool)]>) {
    let mut kept: Option<(SocketAddr, TcpStream)> = None;
    while let Some(request) = message(&mut client).await {
        let Some((address, _)) = boards.iter().find(|(_, ready)| ready.load(Relaxed)) else { return };
        let mut board = match kept.take() {
            Some((same, stream)) if same == *address => stream,
            _ => match TcpStream::connect(address).await {
                Ok(stream) => stream,
                Err(_) => return,
            },
        };
        if board.write_all(&request).await.is_err() {
            return;
        }
        let Some(answer) = message(&mut board).await else { return };
        let closes = head_of(&answer).contains("connection: close");
        kept = (!closes).then_some((*address, board));
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// One request or answer whose length its head tells; nothing if the connection ends before.
pub(crate) async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut message, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        message.extend_from_slice(&piece[..read]);
        let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = head_of(&message);
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        if message.len() - end - 4 >= length.unwrap_or(0) {
            return Some(message);
        }
    }
}

/// The head of a message, in small letters.
pub(crate) fn head_of(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).to_ascii_lowercase();
    text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}
