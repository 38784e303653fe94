//! Deliveries again and again, in any order, to a board that is killed meanwhile: F34 of the faults.

use std::{collections::BTreeMap, time::Duration};

use greenlit::{Opts, Tx, args};
use line_stub::{Channel, Stub, redelivered, user_id};
use madang::{
    app::App,
    clock::Clock,
    config::{Config, Flags, Server},
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    process::{Board, folder, madang},
    support::{
        line::{WEBHOOK, text},
        random::Random,
        wire::with_header,
    },
};

const PEOPLE: u64 = 20;
/// Events that are on their way at the same time.
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(120);

/// People whose chats are linked, without the ceremony.
async fn populate(data: &std::path::Path) {
    let server = Server { data: Some(data.to_owned()), ..Server::default() };
    let flags = Flags { server, ..Flags::default() };
    let config = Config::new(&flags, "127.0.0.1:0".parse().unwrap()).unwrap();
    let app = App::open(&config, Clock::default()).await.unwrap();
    let people = async |tx: &mut Tx| {
        for number in 1..=PEOPLE {
            let (email, name) = (format!("p{number}@example.com"), format!("p{number}"));
            let sql = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
                       values (?, ?, ?, ?, 'x', 0, 1)";
            let user = tx.insert(sql, args![&email, &email, &name, &name]).await?;
            let sql = "insert into line_links (user_id, line_id, create_dt, told, told_dt) values (?, ?, 1, 0, 0)";
            tx.exec(sql, args![user, user_id(number)]).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    app.db.tx(Opts::default(), people).await.unwrap();
}

async fn start(data: &std::path::Path, line: &Stub) -> Board {
    let Channel { secret, token, .. } = line.channel();
    let mut command = madang(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    command.envs([("MADANG_LOG", "error"), ("MADANG_LIMITS", "off")]).envs([
        ("MADANG_LINE_CHANNEL_SECRET", secret),
        ("MADANG_LINE_CHANNEL_TOKEN", token),
        ("MADANG_LINE_BASE_URL", line.api_url()),
        ("MADANG_LINE_DATA_URL", line.data_url()),
    ]);
    Board::run(command).await
}

/// Delivers an event; tells whether it was taken.
async fn deliver(board: &Board, line: &Stub, event: &Value) -> bool {
    let signed = line.webhook(vec![event.clone()]);
    let request = board.wire.request("POST", WEBHOOK, "application/json", &signed.body);
    let request = with_header(&request, "x-line-signature", &signed.signature);
    matches!(board.wire.send(&request).await, Ok(answer) if answer.status == 200)
}

/// How often the answer to each text was said.
fn answers(line: &Stub) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for accepted in line.accepted() {
        let words = text(&accepted.messages);
        let title = words.lines().find(|line| line.starts_with("storm-")).unwrap_or_else(|| panic!("{words}"));
        *answers.entry(title.to_owned()).or_default() += 1;
    }
    answers
}

/// Each is delivered three times, and once more if it was not taken. MADANG_TEST_EVENTS says how many there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f34_a_storm_of_deliveries_and_kill_9() {
    let count: usize = std::env::var("MADANG_TEST_EVENTS").map_or(300, |count| count.parse().unwrap());
    let mut random = Random::new();
    let (_folder, data) = folder();
    populate(&data).await;
    let line = Stub::start(Channel::default()).await.unwrap();
    for number in 1..=PEOPLE {
        line.add_user(&user_id(number), "somebody", "en");
    }
    let mut board = Some(start(&data, &line).await);
    let mut kills = vec![count / 3, 2 * count / 3];
    for first in (0..count).step_by(AT_ONCE) {
        let mut pile = Vec::new();
        for number in first..(first + AT_ONCE).min(count) {
            let event = line.text_message(&user_id(1 + number as u64 % PEOPLE), &format!("write storm-{number:05}"));
            pile.extend([redelivered(event.clone()), redelivered(event.clone()), event]);
        }
        while !pile.is_empty() {
            let event = pile.swap_remove(random.below(pile.len()));
            if kills.iter().any(|at| first >= *at) {
                kills.retain(|at| first < *at);
                board.take().unwrap().kill().await;
                board = Some(start(&data, &line).await);
            }
            // LINE delivers again what was not taken.
            while !deliver(board.as_ref().unwrap(), &line, &event).await {
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
    assert!(kills.is_empty(), "it was killed");
    let deadline = Instant::now() + PATIENCE;
    while answers(&line).len() < count && Instant::now() < deadline {
        sleep(Duration::from_millis(100)).await;
    }
    // What would be said twice comes within the lease of a job whose worker was killed.
    sleep(Duration::from_secs(2)).await;
    let answers = answers(&line);
    let missing: Vec<usize> =
        (0..count).filter(|number| !answers.contains_key(&format!("storm-{number:05}"))).collect();
    assert!(missing.is_empty(), "no answer: {missing:?}");
    let twice: Vec<_> = answers.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    board.take().unwrap().stop().await;
}
