//! The load: asks one server what stands in a file, over so many connections, each as soon as it was answered or all together
//! at a rate. Knows nothing of what it asks.
//!
//! The file has requests as they go over the wire, each behind its length in four bytes, little-endian. They are asked one
//! after the other, from the begin again at the end. Prints one line of JSON.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{LocalSet, spawn_local},
};

type Failure = Box<dyn std::error::Error>;

/// After so long without an answer there is none.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: board-load ADDRESS FILE CONNECTIONS SECONDS [RATE]");
    let (address, file) = (argument()?.parse()?, argument()?);
    let (connections, seconds) = (argument()?.parse()?, argument()?.parse()?);
    let rate = argument().ok().map(|rate| rate.parse()).transpose()?;
    let load = Rc::new(Load {
        address,
        requests: requests(&std::fs::read(file)?)?,
        began: Instant::now(),
        time: Duration::from_secs_f64(seconds),
        rate,
        next: Cell::new(0),
        tally: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let clients: Vec<_> = (0..connections).map(|_| spawn_local(client(Rc::clone(&load)))).collect();
        for client in clients {
            client.await?;
        }
        Ok::<_, Failure>(())
    })?;
    let tally = load.tally.take();
    println!("{}", tally.told(load.began.elapsed()));
    Ok(())
}

fn requests(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut requests = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (request, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or("the file is cut off")?;
        requests.push(request.to_owned());
        bytes = rest;
    }
    if requests.is_empty() { Err("the file is empty".into()) } else { Ok(requests) }
}

struct Load {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    began: Instant,
    time: Duration,
    /// Requests a second, if they do not wait for answers.
    rate: Option<f64>,
    next: Cell<usize>,
    tally: RefCell<Tally>,
}

#[derive(Default)]
struct Tally {
    statuses: BTreeMap<u16, u64>,
    failed: u64,
    bytes: u64,
    times: Vec<u32>,
}

impl Tally {
    fn told(mut self, took: Duration) -> serde_json::Value {
        self.times.sort_unstable();
        let at = |share: f64| {
            let last = self.times.len().saturating_sub(1);
            self.times.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
        };
        serde_json::json!({
            "seconds": took.as_secs_f64(), "answers": self.times.len(), "statuses": self.statuses, "failed": self.failed,
            "bytes": self.bytes, "p50_us": at(0.5), "p99_us": at(0.99), "max_us": at(1.0),
        })
    }
}

/// One connection: asks as soon as it was answered, or what is due. Where all connections are busy a request waits, and that
/// counts as its time.
async fn client(load: Rc<Load>) {
    let (mut stream, mut buffer) = (None, Vec::with_capacity(64 * 1024));
    while load.began.elapsed() < load.time {
        let number = load.next.get();
        load.next.set(number + 1);
        let due = match load.rate {
            None => load.began.elapsed(),
            Some(rate) => Duration::from_secs_f64(number as f64 / rate),
        };
        if due >= load.time {
            return;
        }
        if load.rate.is_some() {
            tokio::time::sleep_until((load.began + due).into()).await;
        }
        let request = &load.requests[number % load.requests.len()];
        let answer = tokio::time::timeout(PATIENCE, ask(&mut stream, load.address, request, &mut buffer));
        let answer = answer.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let took = load.began.elapsed().saturating_sub(due);
        let mut tally = load.tally.borrow_mut();
        match answer {
            Ok(answer) => {
                *tally.statuses.entry(answer.status).or_default() += 1;
                tally.bytes += answer.bytes;
                tally.times.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                if answer.closes {
                    stream = None;
                }
            }
            Err(_) => {
                tally.failed += 1;
                stream = None;
            }
        }
    }
}

struct Answer {
    status: u16,
    bytes: u64,
    closes: bool,
}

async fn ask(
    stream: &mut Option<TcpStream>,
    address: SocketAddr,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> io::Result<Answer> {
    let stream = match stream {
        Some(stream) => stream,
        None => {
            let new = TcpStream::connect(address).await?;
            new.set_nodelay(true)?;
            stream.insert(new)
        }
    };
    stream.write_all(request).await?;
    buffer.clear();
    let head = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
    };
    let status = std::str::from_utf8(&buffer[9..12]).ok().and_then(|text| text.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let length: usize = match field(&buffer[..head], "content-length") {
        Some(length) => length.parse().map_err(|_| io::ErrorKind::InvalidData)?,
        None => return Err(io::ErrorKind::InvalidData.into()),
    };
    let closes = field(&buffer[..head], "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Answer { status, bytes: buffer.len() as u64, closes })
}

fn field<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (given, value) = line.split_at(colon);
        let value = std::str::from_utf8(&value[1..]).ok()?;
        given.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim())
    })
}
