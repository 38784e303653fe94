//! `madang backup` and `madang restore`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use greenlit::Db;

use super::{bar, find_database, say};
use crate::{
    backup::{self, Manifest, Place, Source, Target},
    check::{self, Board, Finding},
    clock::Clock,
    config::{Config, Flags, Images},
    media::store::{LocalStore, S3Store, Store},
    migration,
    store_url::StoreUrl,
};

/// The arguments of `madang backup`, beside those that name the board.
#[derive(Args, Clone, Debug)]
#[group(skip)] // it would bear the name of the command's own
pub struct Backup {
    /// A folder, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME; the same one each time, so that images are copied once
    #[arg(value_name = "PLACE")]
    pub place: String,

    /// Prove the backup: restore it into a scratch place, check that, and read every image
    #[arg(long)]
    pub verify: bool,

    /// Make none, and prove the newest one that is there
    #[arg(long, conflicts_with_all = ["verify", "keep"])]
    pub verify_only: bool,

    /// Remove all but the newest N backups afterwards, and the images that only they had
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: Option<u16>,
}

/// The arguments of `madang restore`, beside those that name the new board.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Restore {
    /// Where `madang backup` put it
    #[arg(value_name = "PLACE")]
    pub place: String,

    /// The backup to restore [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub snapshot: Option<String>,

    /// Take the images that are there for this board's own, which were not lost with its database
    #[arg(long)]
    pub keep_images: bool,
}

/// Backs a board up, which may be serving meanwhile. The exit code is 0 if the backup has everything, else 1.
///
/// # Errors
/// A sentence for the operator.
pub async fn back_up(flags: &Flags, args: &Backup) -> Result<ExitCode, String> {
    if args.verify_only {
        let place = Place::existing(&place(&args.place)?).await?;
        let found = backup::find(&place, None).await.map_err(|e| e.to_string())?;
        let well = verify(&place, &found.0, &found.1).await?;
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let source = source(flags).await?;
    let place = Place::open(&place(&args.place)?).await?;
    let bar = bar();
    let missing = |name: &str| bar.suspend(|| say(&format!("{name} is missing, and is in no earlier backup either")));
    let made = backup::back_up(&source, &place, Clock::default().now(), &bar, missing).await;
    bar.finish_and_clear();
    let made = made.map_err(|e| e.to_string())?;
    let backup::Made { snapshot, manifest, copied } = &made;
    let rows: u64 = manifest.rows.values().sum();
    let (objects, bytes) = (manifest.objects, indicatif::HumanBytes(manifest.object_bytes));
    say(&format!("{snapshot}: {rows} rows, {objects} objects of {bytes}, {copied} of them new"));
    if manifest.missing > 0 {
        say(&format!("{} objects are missing on the board: madang check tells of which feeds", manifest.missing));
        return Ok(ExitCode::FAILURE);
    }
    if args.verify {
        // As it can be read by now.
        let (snapshot, manifest) = backup::find(&place, Some(snapshot)).await.map_err(|e| e.to_string())?;
        if !verify(&place, &snapshot, &manifest).await? {
            return Ok(ExitCode::FAILURE);
        }
    }
    // Last: the older ones stay until the new one is known to be good.
    if let Some(keep) = args.keep {
        let pruned = backup::prune(&place, keep.into()).await.map_err(|e| e.to_string())?;
        say(&format!("Removed {} older backups and {} objects", pruned.snapshots, pruned.objects));
    }
    Ok(ExitCode::SUCCESS)
}

/// Brings a board back into an empty database and an empty place of images, and checks it. The exit code is 0 if all is well,
/// else 1.
///
/// # Errors
/// A sentence for the operator.
pub async fn restore(flags: &Flags, args: &Restore) -> Result<ExitCode, String> {
    let place = Place::existing(&place(&args.place)?).await?;
    let (snapshot, manifest) = backup::find(&place, args.snapshot.as_deref()).await.map_err(|e| e.to_string())?;
    // Locked like a server's, so that none serves from them meanwhile.
    let config = Config::new(flags, flags.server.listen()).map_err(|e| e.to_string())?;
    let store = match &config.media {
        Images::Folder(folder) => {
            LocalStore::open(folder.path()).await.map(Store::Local).map_err(|e| format!("{}: {e}", config.media))?
        }
        Images::S3(url) => Store::S3(S3Store::open(url)?),
    };
    let db = Db::open(&config.database_url).await.map_err(|e| backup::Failure::from(e).to_string())?;
    let target = Target { db, store, keep_images: args.keep_images };
    let bar = bar();
    let restored = backup::restore(&target, &place, (&snapshot, &manifest), &bar).await;
    bar.finish_and_clear();
    restored.map_err(|e| e.to_string())?;
    let rows: u64 = manifest.rows.values().sum();
    say(&format!("Restored {snapshot}, taken {}: {rows} rows, {} objects", manifest.taken, manifest.objects));
    let board = Board { db: target.db, store: target.store, clock: Clock::default() };
    let bar = super::bar();
    let show = |finding: &Finding, _| bar.suspend(|| say(&super::check::sentence(finding, false, false)));
    let outcome = check::check(&board, false, &bar, show).await.map_err(|e| e.to_string())?;
    bar.finish_and_clear();
    say(if outcome.found == 0 { "All is well." } else { "Not all is well: see madang check." });
    Ok(if outcome.found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The board that the settings name, whether it serves or not.
async fn source(flags: &Flags) -> Result<Source, String> {
    let url = flags.database.url(&flags.server.data());
    find_database(&url)?;
    let media = flags.store().map_err(|e| e.to_string())?;
    let store = Store::beside(&media).await.map_err(|e| format!("{}: {e}", flags.sources.name("media.url")))?;
    let db = Db::open(&url).await.map_err(|e| backup::Failure::from(e).to_string())?;
    super::same_board(flags, &db, &store).await?;
    if !migration::is_current(&db).await.map_err(|e| backup::Failure::from(e).to_string())? {
        return Err("the database is of another version: use the program of the server that serves it".to_owned());
    }
    Ok(Source { db, store })
}

async fn verify(place: &Place, snapshot: &str, manifest: &Manifest) -> Result<bool, String> {
    let bar = bar();
    let wrong = |what: &str| bar.suspend(|| say(what));
    let verdict = backup::verify(place, (snapshot, manifest), &bar, wrong).await;
    bar.finish_and_clear();
    let verdict = verdict.map_err(|e| e.to_string())?;
    if verdict.wrong == 0 {
        say(&format!("{snapshot} can be restored: its rows agree, and {} objects have their bytes.", verdict.objects));
    } else {
        say(&format!("{} things are wrong in {snapshot}.", verdict.wrong));
    }
    Ok(verdict.wrong == 0)
}

/// A folder may be named without more.
fn place(text: &str) -> Result<StoreUrl, String> {
    match text.split_once(':') {
        Some(("s3" | "file", _)) => StoreUrl::parse(text).map_err(|e| format!("the place of the backups {e}")),
        _ => Ok(StoreUrl::Folder(PathBuf::from(text))),
    }
}
