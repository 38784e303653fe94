//! One kill at each point on SQLite, and at the points that differ most on the servers.

use faults::{
    campaign::Target,
    place::{
        Objects::{File, S3},
        Place,
        Rows::{Mariadb, Postgres, Sqlite},
    },
};
use futures_util::future::join_all;

use super::campaign;

/// Where a database on a server, or a bucket, may behave otherwise.
const TELLING: [&str; 11] = [
    "staged.committed",
    "bucket.put",
    "bucket.stored",
    "bucket.delete",
    "jobs.pushed",
    "write.ending",
    "write.committed",
    "answer.leaving",
    "erasure.committed",
    "sweep.committed",
    "anywhere",
];

/// Kills one board at each of these points, one after another on the same data.
async fn kill_once(place: Place, targets: impl Fn(&Target) -> bool) {
    let targets: Vec<Target> = Target::all(&place).into_iter().filter(targets).collect();
    let mut campaign = campaign(place).await;
    let mut unknown = 0;
    assert!(!targets.is_empty(), "there is no such point");
    for target in targets {
        let (row, breaches) = campaign.kill(target, 1).await.unwrap_or_else(|e| panic!("{}: {e}", target.name()));
        let told: Vec<String> = breaches.iter().map(ToString::to_string).collect();
        assert!(breaches.is_empty(), "killed at {}: {told:#?}", target.name());
        assert!(row.recovery_ms < 30_000, "{row:?}");
        unknown += row.unknown;
    }
    assert!(unknown > 0, "the kills interrupted nothing");
}

mod f01_f02_what_was_acknowledged_is_whole_after_a_kill_at_any_point {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        kill_once(Place::new(Sqlite, File).await.unwrap(), |target| !target.is_of_a_job()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        kill_once(Place::new(Postgres, S3).await.unwrap(), |target| TELLING.contains(&target.name())).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn mariadb() {
        kill_once(Place::new(Mariadb, S3).await.unwrap(), |target| TELLING.contains(&target.name())).await;
    }
}

mod f27_a_job_whose_worker_was_killed_runs_again_after_its_lease_and_takes_effect_once {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        let place = Place::new(Sqlite, File).await.unwrap();
        let targets: Vec<Target> = Target::all(&place).into_iter().filter(|target| target.is_of_a_job()).collect();
        assert!(targets.len() > 10);
        // All at once, since each waits for a lease.
        let kills = targets.into_iter().map(async |wanted| {
            kill_once(Place::new(Sqlite, File).await.unwrap(), |target| *target == wanted).await;
        });
        join_all(kills).await;
    }
}
