//! What goes wrong on the way, and what was done then.

use std::time::{Duration, Instant};

use line_stub::{Fault, user_id};

use crate::{Line, read};

const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

/// Pushes with one fault; the status if there was an answer, and how many messages were accepted.
async fn pushed(fault: Fault) -> (Option<u16>, usize, Line) {
    let line = Line::new().await;
    line.stub.fault(fault, 1, "/push");
    let answer = line.push(&user_id(1), "a").header("x-line-retry-key", KEY).send().await;
    (answer.ok().map(|answer| answer.status().as_u16()), line.stub.accepted().len(), line)
}

async fn again(line: &Line) -> u16 {
    read(line.push(&user_id(1), "a").header("x-line-retry-key", KEY)).await.status
}

#[tokio::test]
async fn a_refused_request_did_nothing() {
    let limit = "The API rate limit has been exceeded. Try again later.";
    let (status, accepted, line) = pushed(Fault::Status { status: 429, message: limit.into() }).await;
    assert_eq!((status, accepted, again(&line).await), (Some(429), 0, 200));
}

#[tokio::test]
async fn a_hang_up_did_nothing() {
    let (status, accepted, line) = pushed(Fault::Hangup).await;
    assert_eq!((status, accepted, again(&line).await), (None, 0, 200));
    assert_eq!(line.stub.requests()[0].status, None);
}

#[tokio::test]
async fn a_lost_answer_leaves_what_was_done() {
    for (fault, expected) in [(Fault::LostAnswer, None), (Fault::LostAnswerStatus(500), Some(500))] {
        let (status, accepted, line) = pushed(fault).await;
        assert_eq!((status, accepted, again(&line).await), (expected, 1, 409));
        assert_eq!(line.stub.accepted().len(), 1);
    }
}

#[tokio::test]
async fn a_slow_answer_comes_and_what_was_asked_is_done_without_its_client() {
    let pause = Duration::from_millis(50);
    let started = Instant::now();
    let (status, accepted, line) = pushed(Fault::Slow(pause)).await;
    assert_eq!((status, accepted), (Some(200), 1));
    assert!(started.elapsed() >= pause);

    line.stub.fault(Fault::Slow(pause), 1, "/push");
    line.push(&user_id(1), "b").timeout(pause / 5).send().await.unwrap_err();
    while line.stub.accepted().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn faults_follow_each_other_on_their_paths() {
    let line = Line::new().await;
    let status = |status| Fault::Status { status, message: "no".into() };
    line.stub.fault(status(500), 2, "/push");
    line.stub.fault(status(503), 1, "");
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(read(line.push(&user_id(1), "a")).await.status);
    }
    assert_eq!(statuses, [500, 500, 503, 200]);
}
