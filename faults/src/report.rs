//! What came of a campaign, as a table.

use std::time::Duration;

use serde::Serialize;

use crate::Breach;

/// What came of the kills at one point.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The point.
    pub point: String,
    /// How often a board died there.
    pub kills: u32,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that were refused, such as a comment on a feed that is gone.
    pub refused: u64,
    /// Writes without an answer.
    pub unknown: u64,
    /// Those of them that had been committed.
    pub committed: u64,
    /// Breaches of (a): what was lost, or is there and nobody was told of it.
    pub lost: usize,
    /// Breaches of (c): objects and temporary files without a row.
    pub orphans: usize,
    /// Other breaches.
    pub other: usize,
    /// The longest time from a start after a kill until the board was ready, in milliseconds.
    pub recovery_ms: u128,
    /// How long the jobs of the killed worker waited for their leases and were done, in milliseconds, where that was awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun_ms: Option<u128>,
}

impl Row {
    /// Counts a kill, after which the next board took so long.
    pub fn kill(&mut self, recovery: Duration) {
        self.kills += 1;
        self.recovery_ms = self.recovery_ms.max(recovery.as_millis());
    }

    /// Counts breaches.
    pub fn breaches(&mut self, breaches: &[Breach]) {
        let of = |promise| breaches.iter().filter(|breach| breach.promise == promise).count();
        self.lost += of('a');
        self.orphans += of('c');
        self.other += breaches.len() - of('a') - of('c');
    }
}

/// The rows and their sum in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut all = Row { point: "all".to_owned(), ..Row::default() };
    for row in rows {
        all.kills += row.kills;
        all.acknowledged += row.acknowledged;
        all.refused += row.refused;
        all.unknown += row.unknown;
        all.committed += row.committed;
        all.lost += row.lost;
        all.orphans += row.orphans;
        all.other += row.other;
        all.recovery_ms = all.recovery_ms.max(row.recovery_ms);
        all.rerun_ms = all.rerun_ms.max(row.rerun_ms);
    }
    let mut text =
        "| point | kills | acknowledged | refused | unknown | of them committed | lost | orphans | other breaches \
                    | longest recovery | longest re-run of a job |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for row in rows.iter().chain([&all]) {
        let Row { point, kills, acknowledged, refused, unknown, committed, lost, orphans, other, recovery_ms, .. } =
            row;
        let rerun = row.rerun_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        text += &format!(
            "| {point} | {kills} | {acknowledged} | {refused} | {unknown} | {committed} | {lost} | {orphans} | {other} \
             | {recovery_ms} ms | {rerun} |\n"
        );
    }
    text
}
