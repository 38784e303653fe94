//! What was not answered: (e).

use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::outside::{all_feeds, compare};
use crate::{
    Breach, Failure,
    client::{Answer, Client},
    history::{Feed, History, Sent, Write},
};

/// How long a first copy that nobody waits for may keep a repetition from being answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is there of a write that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    None,
    /// All of it.
    Whole,
    /// It does not show from outside.
    Hidden,
}

/// Looks for what is there of a write before it is repeated.
///
/// # Errors
/// The board does not answer.
pub async fn trace(client: &Client, history: &History, sent: &Sent) -> Result<Result<Trace, Breach>, Failure> {
    let (before, after) = match &sent.write {
        Write::Create { title, pictures } => {
            let images = pictures.iter().map(|number| (*number, String::new())).collect();
            (None, Some(Feed { author: sent.user, title: title.clone(), images }))
        }
        Write::Update { feed, .. } => (history.feeds.get(feed).cloned(), history.updated(sent)),
        Write::Delete { feed } => (history.feeds.get(feed).cloned(), None),
        Write::Comment { feed, content } => {
            let counted = count_comments(client, *feed, content).await?;
            // It may have been there until its feed went, which was not answered either.
            let may_be_gone = history.ending.contains(feed);
            return Ok(counted.map(|trace| if trace == Trace::None && may_be_gone { Trace::Hidden } else { trace }));
        }
        Write::Like { .. } | Write::Follow { .. } | Write::Rename { .. } | Write::Erase => {
            return Ok(Ok(Trace::Hidden));
        }
    };
    let shown = find(client, sent).await?;
    let mut differences = Vec::new();
    for (state, trace) in [(before, Trace::None), (after, Trace::Whole)] {
        match (&shown, state) {
            (None, None) => return Ok(Ok(trace)),
            (Some(shown), Some(feed)) => match compare(client, shown, &feed).await? {
                found if found.is_empty() => return Ok(Ok(trace)),
                found => differences.extend(found),
            },
            _ => {}
        }
    }
    Ok(Err(Breach::new('e', format!("{sent:?} is neither there nor absent: {shown:?}: {differences:?}"))))
}

/// The feed that a write is about, as it is shown.
async fn find(client: &Client, sent: &Sent) -> Result<Option<Value>, Failure> {
    let is_it = |feed: &Value| match &sent.write {
        Write::Create { title, .. } => feed["title"] == title.as_str(),
        Write::Update { feed: id, .. } | Write::Delete { feed: id } => feed["id"] == *id,
        _ => false,
    };
    Ok(all_feeds(client).await?.into_iter().find(is_it))
}

async fn count_comments(client: &Client, feed: i64, content: &str) -> Result<Result<Trace, Breach>, Failure> {
    let path = format!("/api/comment/feed/{feed}?limit=100");
    let comments = client.get(&path).await.ok_or("the comments are not answered")?.json();
    let comments = comments.as_array().ok_or("no list of comments")?;
    Ok(match comments.iter().filter(|comment| comment["content"] == content).count() {
        0 if comments.len() == 100 => Ok(Trace::Hidden),
        0 => Ok(Trace::None),
        1 => Ok(Trace::Whole),
        _ => Err(Breach::new('e', format!("{content:?} is there more than once"))),
    })
}

/// Repeats a write that was not answered until it is. Tells what was answered, whether it had been committed before, and what
/// does not fit to that or to its trace.
///
/// # Errors
/// The board does not answer.
pub async fn repeat(
    client: &Client,
    history: &History,
    sent: &Sent,
    trace: Trace,
) -> Result<(Answer, bool, Vec<Breach>), Failure> {
    let mut breaches = Vec::new();
    let token = history.users.get(&sent.user).map(|user| user.token.as_str()).unwrap_or_default();
    let request = sent.request(token)?;
    let answered = async {
        loop {
            match client.send(&request).await.ok_or("a repetition is not answered")? {
                // The first copy is still under way.
                answer if answer.status == 409 => sleep(Duration::from_millis(100)).await,
                answer => return Ok::<_, Failure>(answer),
            }
        }
    };
    let mut answer = timeout(PATIENCE, answered).await??;
    // Whoever is gone cannot be told that he is.
    let is_gone = matches!(sent.write, Write::Erase) && answer.status == 401;
    if is_gone {
        answer.status = 200;
    }
    let committed = answer.replayed || is_gone;
    let fits = match trace {
        Trace::None => !committed,
        Trace::Whole => committed,
        Trace::Hidden => true,
    };
    if !fits {
        let what = format!("{sent:?} had left {trace:?}, and its repetition answers {} ({committed})", answer.status);
        breaches.push(Breach::new('e', what));
    }
    if answer.status == 200 && !matches!(sent.write, Write::Erase) {
        let again = client.send(&request).await.ok_or("a second repetition is not answered")?;
        if !again.replayed || again.body != answer.body {
            breaches.push(Breach::new('e', format!("{sent:?} is answered differently when it is repeated once more")));
        }
    }
    Ok((answer, committed, breaches))
}
