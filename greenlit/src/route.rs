//! Which connections a session runs on: the primary's, those that are kept apart for `requires_new`, or a replica's.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};

use crate::{
    Config, Dialect, Error, Opts, Result,
    driver::{Access, Conn, Pool},
    statements::Statements,
};

/// How long a replica may take to catch up with a token, from the call on, before the primary answers instead.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a replica that failed is left alone.
const REST: Duration = Duration::from_secs(1);
/// Bytes of a token.
const TOKEN_LENGTH: usize = 1024;

/// A point in the history of the primary, taken by [`Db::token`](crate::Db::token) after a COMMIT: a read
/// [`after`](Opts::after) it sees that COMMIT, whichever server answers.
///
/// It travels as text, for instance in a cookie or header of the client who shall read what it wrote. The default token is
/// older than everything: any replica will do.
///
/// ```
/// use greenlit::Token;
/// let token: Token = "0/16B3748".parse()?;
/// assert_eq!(token.to_string(), "0/16B3748");
/// # Ok::<(), greenlit::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token(Box<str>);

impl Token {
    pub(crate) fn new(position: String) -> Token {
        Token(position.into())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Token {
    type Err = Error;

    /// Reads what `Display` wrote. A client may have made it up: at worst it makes its own reads wait for a tenth of a
    /// second and go to the primary.
    fn from_str(text: &str) -> Result<Token> {
        // LSNs are `0/16B3748`, GTIDs `0-1-7,1-1-9`, those of Galera have a UUID.
        let plain = |c: char| c.is_ascii_hexdigit() || "/,-:".contains(c);
        if text.len() > TOKEN_LENGTH || !text.chars().all(plain) {
            return Err(Error::Decode("a token is text that Db::token made".to_owned()));
        }
        Ok(Token(text.into()))
    }
}

/// The connections of a [`Db`](crate::Db).
pub(crate) struct Route {
    url: String,
    config: Config,
    primary: Pool,
    /// Opened when it is first needed.
    separate: OnceCell<Pool>,
    replicas: Vec<Replica>,
    /// The replica whose turn it is.
    turn: AtomicUsize,
    statements: Arc<Statements>,
}

struct Replica {
    url: String,
    /// Opened when it is first needed, so that a dead replica does not keep the application from starting.
    pool: OnceCell<Pool>,
    rests_until: Mutex<Option<Instant>>,
}

impl Route {
    pub(crate) async fn open(url: &str, config: &Config) -> Result<Route> {
        let statements = Arc::<Statements>::default();
        let primary = Pool::open(url, config, &statements).await?;
        if primary.dialect() == Dialect::Sqlite && !config.replicas.is_empty() {
            return Err(Error::Config("SQLite has no replicas: Config::replicas must be empty".to_owned()));
        }
        let replica = |url: &String| Replica { url: url.clone(), pool: OnceCell::new(), rests_until: Mutex::default() };
        Ok(Route {
            url: url.to_owned(),
            config: config.clone(),
            primary,
            separate: OnceCell::new(),
            replicas: config.replicas.iter().map(replica).collect(),
            turn: AtomicUsize::new(0),
            statements,
        })
    }

    pub(crate) fn primary(&self) -> &Pool {
        &self.primary
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// From when on a statement is slow.
    pub(crate) fn slow_statement(&self) -> Option<Duration> {
        self.config.slow_statement
    }

    pub(crate) fn has_replicas(&self) -> bool {
        !self.replicas.is_empty()
    }

    /// The pools that are open.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &Pool> {
        let replicas = self.replicas.iter().filter_map(|replica| replica.pool.get());
        std::iter::once(&self.primary).chain(self.separate.get()).chain(replicas)
    }

    /// A connection for a session with these options; `first` unless it is run again.
    pub(crate) async fn acquire(&self, access: Access, opts: &Opts, first: bool) -> Result<Conn> {
        if opts.separate {
            let open = || async {
                let config = Config { connections: self.config.separate, ..self.config.clone() };
                Pool::open(&self.url, &config, &self.statements).await
            };
            // Boxed, for it is rare and large: every session's future would be as large.
            return Box::pin(self.separate.get_or_try_init(open)).await?.acquire(access).await;
        }
        match &opts.after {
            // Whatever went wrong on a replica, the primary does not suffer from it. PostgreSQL's cannot be serializable.
            Some(token) if access == Access::Read && first && !opts.serializable => {
                match Box::pin(self.replica(token)).await {
                    Some(conn) => Ok(conn),
                    None => self.primary.acquire(access).await,
                }
            }
            _ => self.primary.acquire(access).await,
        }
    }

    /// A connection to a replica that has come as far as the token, if there is one in time.
    async fn replica(&self, token: &Token) -> Option<Conn> {
        let end = Instant::now() + PATIENCE;
        let turn = self.turn.fetch_add(1, Relaxed);
        let (before, from) = self.replicas.split_at(turn % self.replicas.len().max(1));
        let replica = from.iter().chain(before).find(|replica| !replica.rests())?;
        let acquire = async {
            let config = Config { replicas: Vec::new(), ..self.config.clone() };
            let pool = replica.pool.get_or_try_init(|| Pool::open(&replica.url, &config, &self.statements)).await?;
            pool.acquire(Access::Read).await
        };
        let mut conn = match timeout(PATIENCE, acquire).await {
            Ok(Ok(conn)) => conn,
            // Dead, or silent, or all of its connections are in use.
            Ok(Err(_)) | Err(_) => return replica.rest(),
        };
        if token.0.is_empty() {
            return Some(conn);
        }
        let patience = end.saturating_duration_since(Instant::now());
        // It looks at the clock itself. The limit behind it is for a server that has fallen silent.
        match timeout(patience + PATIENCE, conn.reached(&token.0, patience)).await {
            Ok(Ok(true)) => Some(conn),
            Ok(Ok(false)) => None,
            Ok(Err(_)) | Err(_) => replica.rest(),
        }
    }
}

impl Replica {
    fn rests(&self) -> bool {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Leaves it alone for a while, so that not every read waits for it in vain.
    fn rest<T>(&self) -> Option<T> {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
        None
    }
}
