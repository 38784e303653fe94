//! The commands beside `serve`.

pub mod backup;
pub mod check;
pub mod import_old;
pub mod user;

use std::{
    io::{self, Write},
    path::Path,
};

use greenlit::Db;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{config::Flags, installation, media::store::Store};

/// Says something to the operator on standard output, where nobody may be listening.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Refuses a database file that is not there: opening would make it, and a misspelt folder would get a board of its own.
fn find_database(url: &str) -> Result<(), String> {
    let path = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    match path.filter(|path| !Path::new(path).exists()) {
        Some(path) => Err(format!(
            "there is no board at {path}: name its folder by --data or its database by --database-url, or start it once"
        )),
        None => Ok(()),
    }
}

/// Refuses a database that is being restored, whose rows come last: all objects would look like nobody's.
async fn is_whole(db: &Db) -> Result<(), String> {
    match installation::restoring(&mut db.single()).await.map_err(|e| format!("the database does not serve: {e}"))? {
        Some(snapshot) => Err(format!("a restore of {snapshot} did not end: run it again")),
        None => Ok(()),
    }
}

/// Refuses images that are not those of the database: all of them would look lost, and what is there nobody's.
async fn same_board(flags: &Flags, db: &Db, store: &Store) -> Result<(), String> {
    is_whole(db).await?;
    let known =
        installation::images(&mut db.single()).await.map_err(|e| format!("the database does not serve: {e}"))?;
    let place = store.place().await.map_err(|e| format!("the images cannot be looked at: {e}"))?;
    match known.filter(|known| *known != place) {
        Some(known) => Err(format!(
            "the images of this database are in {known}, and not in {place} ({}): name that place",
            flags.sources.name("media.url")
        )),
        None => Ok(()),
    }
}

/// What is done, and how much of it was; a line that is seen on a terminal only.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{spinner} {msg}: {human_pos} looked at, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
