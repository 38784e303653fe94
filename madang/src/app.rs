//! The running board: everything that handlers and jobs share.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use greenlit::Db;

use crate::{
    account::{Passwords, Tokens},
    clock::Clock,
    config::{Config, ConfigError, Settings},
    http::admission::Admission,
    installation::{self, Refused},
    limits::Limits,
    line::Line,
    media::Media,
    metrics::Metrics,
    migration,
    notification::Live,
    secret::Key,
    wakes::Wakes,
    web::{cache::PageCache, frame::Site},
};

/// How long the start waits for the database to answer and to be migrated.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Requests in work at a time, for each processor.
const AT_WORK: usize = 64;

/// A handle on the board; clones share it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] holds.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Pictures: where they are kept, checked and found.
    pub media: Media,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Makes and checks access tokens.
    pub tokens: Tokens,
    /// What the operator decided.
    pub config: Settings,
    /// How much anybody may do.
    pub limits: Limits,
    /// How many requests may be in work.
    pub lanes: Lanes,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// How browsers reach the board.
    pub site: Arc<Site>,
    /// Pages that are the same for many.
    pub pages: PageCache,
    /// The board's account at LINE, if it has one.
    pub line: Option<Line>,
    /// Those who hear of notifications as they come.
    pub live: Live,
    /// Wakes the worker.
    pub wakes: Arc<Wakes>,
    draining: AtomicBool,
}

/// Requests that do not keep each other from being answered.
pub struct Lanes {
    /// For images, which may have to wait for a bucket.
    pub images: Admission,
    /// For those who log in or sign up, which anybody may try as often as he likes.
    pub entrance: Admission,
    /// All others, but for those that ask after the board's health.
    pub others: Admission,
}

impl Lanes {
    /// All of them, by the names that they have in metrics.
    pub fn named(&self) -> [(&'static str, &Admission); 3] {
        [("images", &self.images), ("entrance", &self.entrance), ("others", &self.others)]
    }
}

impl Default for Lanes {
    /// In work are enough to keep all processors and connections busy and to share commits, and so few that each goes on soon
    /// when it has to wait for something: an upload does so dozens of times. As many may wait as are answered within a
    /// fraction of a second. At the entrance quotas and the line for passwords refuse earlier, and say more; images may have
    /// to wait for a bucket.
    fn default() -> Lanes {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let others = Admission::in_turn(1_024, (AT_WORK * processors).min(512));
        Lanes { images: Admission::new(1_024), entrance: Admission::new(512), others }
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Sets the board up: key, database, schema, image folder.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(config: &Config, clock: Clock) -> Result<App, ConfigError> {
        let (key, old_key) = (config.key()?, config.old_key()?);
        let opening = async {
            let db = Db::open(&config.database_url).await?;
            db.migrate(migration::HISTORY).await?;
            Ok::<_, greenlit::Error>(db)
        };
        let opened = tokio::time::timeout(START_PATIENCE, opening).await;
        let db = opened.unwrap_or(Err(greenlit::Error::Deadline)).map_err(|e| {
            ConfigError(format!("the database does not serve ({}): {e}", config.sources.name("database.url")))
        })?;
        let media = Media::open(config).await?;
        join(config, &db, &media, &key, old_key.as_ref()).await?;
        let line = config.settings.line.clone().map(Line::new).transpose().map_err(ConfigError)?;
        let site = Site::new(&config.public_url, config.public_url_is_known, media.store.public_base());
        Ok(App(Arc::new(Parts {
            db,
            media,
            site: Arc::new(site),
            pages: PageCache::default(),
            passwords: Passwords::default(),
            tokens: Tokens::new(&key, old_key.as_ref(), clock.clone()),
            limits: Limits::new(config.settings.quotas.as_ref(), &clock),
            lanes: Lanes::default(),
            metrics: Arc::default(),
            config: config.settings.clone(),
            clock,
            line,
            live: Live::default(),
            wakes: Arc::default(),
            draining: AtomicBool::new(false),
        })))
    }

    /// Asks those who send requests to send them elsewhere from now on, since the board will stop.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether the board will stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// An effect for `after_commit`: the worker has a job of this topic to do.
    pub fn wake_worker(&self, topic: &'static str) -> impl FnOnce() -> std::future::Ready<()> + Send + 'static {
        let wakes = self.wakes.clone();
        move || {
            wakes.wake(topic);
            std::future::ready(())
        }
    }
}

/// Makes sure that this server and the database belong together.
async fn join(config: &Config, db: &Db, media: &Media, key: &Key, old_key: Option<&Key>) -> Result<(), ConfigError> {
    let place = media.store.place().await.map_err(|e| ConfigError(format!("the images in {}: {e}", config.media)))?;
    let server = installation::Server { key, old_key, images: &place };
    let (database, key) = (config.sources.name("database.url"), config.data.path().join("key"));
    installation::join(db, server, config.adopt).await.map_err(|refused| {
        ConfigError(match refused {
            Refused::AnotherKey => format!(
                "the servers of this database ({database}) sign by another key: copy theirs to {}, or start once with --adopt, \
                 which ends everybody's log-in",
                key.display()
            ),
            Refused::OtherImages { known } => format!(
                "the images of this database ({database}) are in {known}, and not in {place} ({}): name that place, or \
                 start once with --adopt if they were moved",
                config.sources.name("media.url")
            ),
            Refused::HalfRestored { snapshot } => {
                format!("a restore of {snapshot} into this database ({database}) did not end: run it again")
            }
            Refused::Database(e) => format!("the database does not serve ({database}): {e}"),
        })
    })
}
