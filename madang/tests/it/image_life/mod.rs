//! The life of images as `media/mod.rs` tells it: random sequences of what may happen to them, on two nodes with one database
//! and one store, against a model.
//!
//! `MADANG_TEST_SEED` replays a run from the seed that it printed, `PROPTEST_CASES` asks for another number of sequences. A
//! sequence that fails is made shorter and printed.

#![allow(clippy::print_stdout)]

mod acts;
mod board;
mod model;

use std::cell::Cell;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::support::{TestApp, random::seed};
use acts::Act;
use board::Board;

/// What happens next; numbers are of nodes.
#[derive(Clone, Debug)]
enum Step {
    /// All of this at the same time, perhaps while the store fails.
    Together { acts: Vec<(usize, Act)>, broken: bool },
    /// A request whose client goes away after it was polled so often.
    Abandoned { node: usize, act: Act, polls: usize },
}

fn write() -> impl Strategy<Value = Act> {
    let pictures = || vec(prop::bool::weighted(0.6), 0..3);
    prop_oneof![
        4 => (0..2_usize, pictures()).prop_map(|(user, wide)| Act::Create { user, wide }),
        4 => (any::<usize>(), 0..3_usize, pictures())
            .prop_map(|(feed, removed, wide)| Act::Update { feed, removed, wide }),
        2 => any::<usize>().prop_map(|feed| Act::Delete { feed }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => write(),
        1 => (0..2_usize).prop_map(|user| Act::Erase { user }),
        2 => (0..2_usize, any::<bool>()).prop_map(|(user, stored)| Act::Killed { user, stored }),
        1 => Just(Act::Expire),
        9 => Just(Act::Work),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..2_usize;
    prop_oneof![
        6 => (node.clone(), act()).prop_map(|one| Step::Together { acts: vec![one], broken: false }),
        8 => (vec((node.clone(), act()), 2..5), prop::bool::weighted(0.2))
            .prop_map(|(acts, broken)| Step::Together { acts, broken }),
        2 => (node, write(), 0..25_usize).prop_map(|(node, act, polls)| Step::Abandoned { node, act, polls }),
    ]
}

/// Lets so many sequences happen, each to a board of its own.
async fn live(cases: u32, new_board: impl AsyncFn() -> TestApp + Send + 'static) {
    let runtime = Handle::current();
    // proptest knows nothing of async: it waits for each sequence.
    spawn_blocking(move || run(cases, &runtime, new_board)).await.unwrap();
}

fn run(cases: u32, runtime: &Handle, new_board: impl AsyncFn() -> TestApp) {
    let given = std::env::var("PROPTEST_CASES").ok().map(|cases| cases.parse().unwrap());
    let config = Config {
        cases: given.unwrap_or(cases),
        rng_seed: RngSeed::Fixed(seed()),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let tally = Cell::new([0; 3]);
    let test = |steps: Vec<Step>| {
        runtime.block_on(async {
            let mut board = Board::new(new_board().await).await;
            for step in steps {
                board.step(step).await;
                board.check().await;
            }
            board.end().await;
            let ([done, not], [steps, all_done, all_not]) = (board.tally, tally.get());
            tally.set([steps + board.steps, all_done + done, all_not + not]);
        });
        Ok(())
    };
    TestRunner::new(config).run(&vec(step(), 4..16), test).unwrap_or_else(|e| panic!("{e}"));
    let [steps, done, not] = tally.get();
    println!("{steps} steps: {done} writes acknowledged, {not} refused or abandoned");
}

mod f19_every_image_is_whole_or_gone {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        live(16, TestApp::sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        live(10, TestApp::postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn mariadb() {
        live(10, TestApp::mariadb).await;
    }

    mod s3 {
        use super::*;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn sqlite() {
            live(10, TestApp::s3).await;
        }
    }
}
