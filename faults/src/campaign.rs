//! Rounds of load, death, and a look at what is left.

use std::time::Duration;

use madang::fault::Point;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Breach, Failure, Rng,
    board::{Board, Program},
    client::Client,
    history::{Counts, Sent},
    load::Load,
    oracle::{self, Trace},
    place::Place,
    report::Row,
};

/// How long a load may go on without the board's passing its point often enough.
const LOAD: Duration = Duration::from_secs(20);
/// How much longer than their lease the jobs of a killed worker may wait and take.
const SLACK: Duration = Duration::from_secs(15);
/// The longest lease, that of a thumbnail.
const LEASE: Duration = Duration::from_secs(20);

/// Where boards are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// By themselves, at a point.
    Point(Point),
    /// By us, at any instant.
    Anywhere,
}

/// One board, killed again and again.
pub struct Campaign {
    place: Place,
    program: Program,
    load: Load,
    /// What was not answered before the last kill.
    open: Vec<Sent>,
    rng: Rng,
}

impl Target {
    /// Where a board in this place can be killed.
    pub fn all(place: &Place) -> Vec<Target> {
        let points = Point::ALL.iter().copied().filter(|point| place.has(*point)).map(Target::Point);
        points.chain([Target::Anywhere]).collect()
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Target::Point(point) => point.name(),
            Target::Anywhere => "anywhere",
        }
    }

    /// The most passages before a board is killed: those that a load makes in a second or two.
    fn most_passages(self) -> usize {
        match self.name().split('.').next() {
            Some("sweep") => 1,
            Some("erasure" | "batch" | "erase") => 3,
            Some("thumbnail" | "deletion" | "object") => 6,
            _ => 20,
        }
    }

    fn is_of_the_sweeper(self) -> bool {
        self.name().starts_with("sweep.")
    }

    /// Whether a worker is killed there that holds a job.
    pub fn is_of_a_job(self) -> bool {
        ["deletion.", "object.", "thumbnail.", "erase.", "batch."].iter().any(|lane| self.name().starts_with(lane))
    }
}

impl Campaign {
    /// A board in this place, with its users. `seed` determines what the clients choose, though not how that interleaves.
    ///
    /// # Errors
    /// The board does not start.
    pub async fn new(place: Place, program: Program, seed: u64) -> Result<Campaign, Failure> {
        let campaign = Campaign { place, program, load: Load::default(), open: Vec::new(), rng: Rng::new(seed) };
        let board = campaign.start().await?;
        campaign.load.begin(&board.client).await?;
        board.stop().await?;
        Ok(campaign)
    }

    /// Where the board is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What clients sent and were told.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Kills so many boards there, and looks after each what is left. Ends at the first breach, since all that follows would
    /// tell of it too.
    ///
    /// # Errors
    /// The campaign cannot go on.
    pub async fn kill(&mut self, target: Target, kills: u32) -> Result<(Row, Vec<Breach>), Failure> {
        let mut row = Row { point: target.name().to_owned(), ..Row::default() };
        let before = self.load.history().counts;
        let mut breaches = Vec::new();
        for kill in 0..kills {
            self.run_to_death(target).await?;
            let board = self.start().await?;
            row.kill(board.started_in);
            breaches.extend(self.resolve(&board.client).await?);
            if kill == 0 && target.is_of_a_job() {
                let done = self.await_jobs().await?;
                row.rerun_ms = done.map(|time| time.as_millis());
                let late = || Breach::new('d', "a killed worker's jobs were not done when its lease had long ended");
                breaches.extend(done.is_none().then(late));
            }
            breaches.extend(self.look(board).await?);
            if !breaches.is_empty() {
                break;
            }
        }
        let Counts { acknowledged, refused, unknown, committed } = self.load.history().counts;
        row.acknowledged = acknowledged - before.acknowledged;
        row.refused = refused - before.refused;
        row.unknown = unknown - before.unknown;
        row.committed = committed - before.committed;
        row.breaches(&breaches);
        Ok((row, breaches))
    }

    /// Lets the clients write for a while with no fault, and looks what is there. For tests of the oracle.
    ///
    /// # Errors
    /// The board does not start.
    pub async fn run(&mut self, time: Duration) -> Result<Board, Failure> {
        let board = self.start().await?;
        let (load, client) = (self.load.clone(), board.client.clone());
        let (open, ()) = tokio::join!(load.run(&client, &mut self.rng), async {
            sleep(time).await;
            load.stop();
        });
        if open.is_empty() { Ok(board) } else { Err("a write was not answered, with no fault".into()) }
    }

    /// A board without a fault.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self) -> Result<Board, Failure> {
        let board = self.program.start(&self.place, None).await?;
        Ok(board.ok_or("a board without a fault was killed")?)
    }

    /// One round of load, at the end of which a board was killed there.
    async fn run_to_death(&mut self, target: Target) -> Result<(), Failure> {
        match target {
            Target::Anywhere => self.run_to_any_death().await,
            Target::Point(point) if target.is_of_the_sweeper() => {
                // Something to sweep: images that were staged, and whose request died.
                self.run_to_death_at(Point::StagedCommitted, 20).await?;
                if self.place.expire_staged().await? == 0 {
                    return Err("nothing was staged".into());
                }
                let fault = format!("{}=kill@1", point.name());
                let Some(mut board) = self.program.start(&self.place, Some(&fault)).await? else { return Ok(()) };
                // It sweeps as soon as it has started.
                if board.dies_within(LOAD).await? { Ok(()) } else { Err("the sweeper did not pass its point".into()) }
            }
            Target::Point(point) => self.run_to_death_at(point, target.most_passages()).await,
        }
    }

    async fn run_to_death_at(&mut self, point: Point, most: usize) -> Result<(), Failure> {
        let mut passage = 1 + self.rng.below(most);
        // A busy machine may be slow to get there.
        for _ in 0..5 {
            let fault = format!("{}=kill@{passage}", point.name());
            let Some(mut board) = self.program.start(&self.place, Some(&fault)).await? else { return Ok(()) };
            let client = board.client.clone();
            let load = self.load.clone();
            let (open, died) = tokio::join!(load.run(&client, &mut self.rng), async {
                let died = board.dies_within(LOAD).await;
                load.stop();
                died
            });
            self.open.extend(open);
            if died? {
                return Ok(());
            }
            board.stop().await?;
            passage = passage.div_ceil(2);
        }
        Err(format!("{} is not passed", point.name()).into())
    }

    async fn run_to_any_death(&mut self) -> Result<(), Failure> {
        let mut board = self.start().await?;
        let instant = Duration::from_millis(self.rng.below(1_500) as u64);
        let (client, load) = (board.client.clone(), self.load.clone());
        let (open, killed) = tokio::join!(load.run(&client, &mut self.rng), async {
            sleep(instant).await;
            let killed = board.kill().await;
            load.stop();
            killed
        });
        self.open.extend(open);
        killed
    }

    /// Looks for what is there of each write that was not answered, then repeats it.
    async fn resolve(&mut self, client: &Client) -> Result<Vec<Breach>, Failure> {
        let mut breaches = Vec::new();
        let history = self.load.history().clone();
        let mut traces = Vec::new();
        for sent in &self.open {
            traces.push(oracle::trace(client, &history, sent).await?);
        }
        for (sent, traced) in std::mem::take(&mut self.open).into_iter().zip(traces) {
            let trace = traced.unwrap_or_else(|breach| {
                breaches.push(breach);
                Trace::Hidden
            });
            let (answer, committed, found) = oracle::repeat(client, &history, &sent, trace).await?;
            breaches.extend(found);
            self.load.note(&sent, &answer);
            self.load.history().counts.committed += u64::from(committed);
        }
        Ok(breaches)
    }

    /// How long it takes until no job is left: those that a killed worker held run again when its lease ends. `None` if it takes
    /// much longer.
    async fn await_jobs(&self) -> Result<Option<Duration>, Failure> {
        let (began, db) = (Instant::now(), self.place.db().await?);
        let jobs = async {
            while db.fetch_one::<(i64,)>("select count(*) from greenlit_outbox", vec![]).await?.0 > 0 {
                sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, greenlit::Error>(())
        };
        match timeout(LEASE + SLACK, jobs).await {
            Ok(done) => done.map(|()| Some(began.elapsed())).map_err(Failure::from),
            Err(_) => Ok(None),
        }
    }

    /// The whole oracle: what a board shows, then, after it was stopped, what it holds and what it logged.
    ///
    /// # Errors
    /// The board, its database or its store does not answer.
    pub async fn look(&self, board: Board) -> Result<Vec<Breach>, Failure> {
        let mut breaches = self.load.breaches();
        let history = self.load.history().clone();
        breaches.extend(oracle::look_at(&board.client, &history).await?);
        board.stop().await?;
        let inside = self.place.later().await?;
        breaches.extend(oracle::look_inside(&inside, &history).await?);
        breaches.extend(oracle::read_log(&self.place.logged(), &history));
        Ok(breaches)
    }
}
