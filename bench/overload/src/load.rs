//! Requests that come as fast as they are answered, or at their rate whether they are answered or not.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task::{JoinSet, spawn_local};

use crate::{
    http::Connection,
    work::{Kind, Work},
};

/// Connections at a time; the board takes 4,096.
const CONNECTIONS: usize = 3_000;
const TICK: Duration = Duration::from_millis(1);

/// Those who ask.
pub struct Load {
    pub address: SocketAddr,
    pub work: Work,
    idle: RefCell<Vec<Connection>>,
    open: RefCell<usize>,
}

/// How a request ended, in times from the begin of its phase.
pub struct Ended {
    pub kind: Kind,
    pub due: Duration,
    pub at: Duration,
    /// None if no answer came.
    pub status: Option<u16>,
}

impl Ended {
    pub fn took(&self) -> Duration {
        self.at.saturating_sub(self.due)
    }

    pub fn is_good(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }

    pub fn is_refused(&self) -> bool {
        matches!(self.status, Some(429 | 503))
    }
}

/// What became of a phase. Requests that are in work at its end still add to it.
#[derive(Default)]
pub struct Tally {
    pub seconds: f64,
    pub sent: usize,
    /// Found all connections in use, and so were never sent.
    pub unsent: usize,
    pub ended: Vec<Ended>,
    /// How late the load itself was.
    pub lags: Vec<Duration>,
    /// Processor time that the board used.
    pub used: f64,
    /// The same of the load.
    pub own: f64,
    /// The same of all others on the machine: with much of it the figures are worth nothing.
    pub others: f64,
}

pub type Shared = Rc<RefCell<Tally>>;

impl Load {
    pub fn new(address: SocketAddr, work: Work) -> Rc<Load> {
        Rc::new(Load { address, work, idle: RefCell::default(), open: RefCell::default() })
    }

    /// So many clients ask again as soon as they are answered.
    pub async fn closed(self: &Rc<Load>, clients: usize, time: Duration) -> Shared {
        let tally = Shared::default();
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        for _ in 0..clients {
            let (load, tally) = (Rc::clone(self), Rc::clone(&tally));
            tasks.spawn_local(async move {
                while began.elapsed() < time {
                    load.one(&tally, began, began.elapsed()).await;
                }
            });
        }
        tasks.join_all().await;
        tally.borrow_mut().seconds = time.as_secs_f64();
        tally
    }

    /// So many requests a second, each as it is due.
    pub async fn open(self: &Rc<Load>, rate: f64, time: Duration) -> Shared {
        let tally = Shared::default();
        let (began, total) = (Instant::now(), (rate * time.as_secs_f64()) as usize);
        let mut sent = 0;
        while sent < total {
            let due = ((began.elapsed().as_secs_f64() * rate) as usize).min(total);
            for number in sent..due {
                let (load, tally) = (Rc::clone(self), Rc::clone(&tally));
                let due = Duration::from_secs_f64(number as f64 / rate);
                spawn_local(async move { load.one(&tally, began, due).await });
            }
            sent = sent.max(due);
            tokio::time::sleep(TICK).await;
        }
        tally.borrow_mut().seconds = time.as_secs_f64();
        tally
    }

    async fn one(&self, tally: &Shared, began: Instant, due: Duration) {
        tally.borrow_mut().sent += 1;
        let connection = match self.idle() {
            Some(connection) => Some(connection),
            None if *self.open.borrow() < CONNECTIONS => {
                *self.open.borrow_mut() += 1;
                let made = Connection::new(self.address).await.ok();
                if made.is_none() {
                    *self.open.borrow_mut() -= 1;
                }
                made
            }
            None => {
                tally.borrow_mut().unsent += 1;
                return;
            }
        };
        let (kind, request) = self.work.next();
        let mut status = None;
        if let Some(connection) = connection {
            tally.borrow_mut().lags.push(began.elapsed().saturating_sub(due));
            let answer = connection.ask(&request).await;
            match answer {
                Ok((answer, kept)) => {
                    status = Some(answer.status);
                    match kept {
                        Some(connection) => self.idle.borrow_mut().push(connection),
                        None => *self.open.borrow_mut() -= 1,
                    }
                }
                Err(_) => *self.open.borrow_mut() -= 1,
            }
        }
        tally.borrow_mut().ended.push(Ended { kind, due, at: began.elapsed(), status });
    }

    fn idle(&self) -> Option<Connection> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.is_fresh() {
                return Some(connection);
            }
            *self.open.borrow_mut() -= 1;
        }
    }

    /// Until none is open any more but those that are idle, or this long.
    pub async fn rest(&self, patience: Duration) {
        let began = Instant::now();
        while *self.open.borrow() > self.idle.borrow().len() && began.elapsed() < patience {
            tokio::time::sleep(TICK).await;
        }
    }
}
