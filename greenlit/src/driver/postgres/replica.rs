//! How far a replica of PostgreSQL has come.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Conn;
use crate::{Error, Result, args};

/// The first pause between two looks at how far a replica has come; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(16);

/// The timeline, and where its next record goes: behind every COMMIT that was acknowledged, even if it is not written.
///
/// At the start of a page that is behind the page's header (24 bytes, or 40 at the start of a file), where no replica
/// gets before there is another record: the end of the page before is the same point in history.
const POSITION: &str = "
    with place as (select pg_current_wal_insert_lsn() as lsn),
         byte as (select lsn, lsn - '0/0'::pg_lsn as byte, current_setting('wal_block_size')::int as page,
                         pg_size_bytes(current_setting('wal_segment_size')) as file from place)
    select substr(pg_walfile_name(lsn), 1, 8) || ':' ||
           case when byte % file = 40 then lsn - 40::numeric
                when byte % page = 24 then lsn - 24::numeric
                else lsn end
    from byte";

/// Whether what was replayed includes the position. A later timeline goes on where an earlier one ended, but an
/// earlier one may hold something else at the same place. Without the right to see what the receiver is at, the
/// timeline is that of the last restart point, which is never too late. A server that replays nothing is no replica,
/// or none any more: null.
const REACHED: &str = "
    select case when pg_is_in_recovery() then
        pg_last_wal_replay_lsn() >= cast(cast(? as text) as pg_lsn)
        and coalesce((select received_tli from pg_stat_wal_receiver),
                     (select timeline_id from pg_control_checkpoint())) >= cast(? as int)
    end";

impl Conn {
    pub(crate) async fn position(&mut self) -> Result<String> {
        let answer = self.ask(POSITION, Vec::new()).await?;
        answer.decode::<(String,)>()?.pop().map(|(position,)| position).ok_or(Error::NotFound)
    }

    pub(crate) async fn reached(&mut self, position: &str, patience: Duration) -> Result<bool> {
        let timeline_and_lsn = position.split_once(':').and_then(|(timeline, lsn)| {
            let timeline = u32::from_str_radix(timeline, 16).ok()?;
            Some((i32::try_from(timeline).ok()?, lsn))
        });
        let Some((timeline, lsn)) = timeline_and_lsn else { return Ok(false) };
        let (end, mut pause) = (Instant::now() + patience, FIRST_PAUSE);
        loop {
            let answer = self.ask(REACHED, args![lsn, timeline]).await?;
            match answer.decode::<(Option<bool>,)>()?.pop() {
                Some((Some(true),)) => return Ok(true),
                Some((Some(false),)) if Instant::now() + pause <= end => sleep(pause).await,
                _ => return Ok(false),
            }
            pause = LAST_PAUSE.min(pause * 2);
        }
    }
}
