//! Two nodes, the model beside them, and what must be true of both after each step.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::TryStreamExt;
use image::GenericImageView;
use madang::{
    app::App,
    media::{picture::reencode, store::Name},
    router,
};
use tokio::{task::JoinSet, time::sleep};

use super::{
    Step,
    acts::{self, Act, Doing, Effect},
    model::{Feed, ImageRow, Model, Seen, colour, picture, see, width},
};
use crate::support::{Client, TestApp, assert_consistent, dropped_after};

const IMAGES_PER_FEED: usize = 10;

pub(super) struct Board {
    nodes: [App; 2],
    /// By node and user.
    clients: [Vec<Client>; 2],
    model: Model,
    seen: BTreeMap<u32, Seen>,
    /// Numbers of feeds and pictures.
    next: u32,
    /// Writes that were acknowledged, and those that were refused or whose clients went away.
    pub(super) tally: [usize; 2],
    pub(super) steps: usize,
    /// Last, since the others live in its places.
    test: TestApp,
}

impl Board {
    pub(super) async fn new(test: TestApp) -> Board {
        let second = test.second_node().await;
        let users = vec![test.user("ann").await, test.user("bob").await];
        let router = router::router(second.clone());
        let there = |user: &Client| {
            let mut client = Client::of(router.clone());
            (client.token, client.id) = (user.token.clone(), user.id);
            client
        };
        let clients = [users.clone(), users.iter().map(there).collect()];
        let nodes = [test.app.clone(), second];
        Board { nodes, clients, model: Model::default(), seen: BTreeMap::new(), next: 0, tally: [0; 2], steps: 0, test }
    }

    pub(super) async fn step(&mut self, step: Step) {
        self.steps += 1;
        match step {
            Step::Together { acts, broken } => self.together(acts, broken).await,
            Step::Abandoned { node, act, polls } => self.abandoned(node, &act, polls).await,
        }
    }

    async fn together(&mut self, acts: Vec<(usize, Act)>, broken: bool) {
        let calm = acts.len() == 1 && !broken;
        let prepared: Vec<_> = acts.iter().map(|(node, act)| self.prepare(*node, act)).collect();
        let store = broken.then(|| self.test.break_store());
        let mut tasks = JoinSet::new();
        for (effect, doing) in prepared {
            tasks.spawn(async move { (effect, doing.await) });
        }
        let ended = tasks.join_all().await;
        drop(store);
        let mut acknowledged = Vec::new();
        for (effect, answer) in ended {
            let Some(answer) = answer else { continue };
            let status = answer.status.as_u16();
            assert!(effect.statuses().contains(&status), "{effect:?}: {}", answer.text());
            assert!(!calm || status == 200, "nothing is in the way of {effect:?}: {}", answer.text());
            self.tally[usize::from(status != 200)] += 1;
            if status == 200 {
                acknowledged.push(effect);
            }
        }
        // A feed that was changed and deleted at the same time is gone.
        acknowledged.sort_by_key(|effect| matches!(effect, Effect::Delete(_)));
        acknowledged.iter().for_each(|effect| self.model.apply(effect));
    }

    /// Afterwards it is done or not.
    async fn abandoned(&mut self, node: usize, act: &Act, polls: usize) {
        let (effect, doing) = self.prepare(node, act);
        if matches!(effect, Effect::None) {
            return; // there is no feed to do it to
        }
        let ended = dropped_after(polls, async { doing.await.unwrap() }).await;
        // A commit that had begun goes on without the request, and so may a blocking write.
        let mut seen = see(&self.nodes[0]).await;
        loop {
            sleep(Duration::from_millis(150)).await;
            let now = see(&self.nodes[0]).await;
            if now == seen {
                break;
            }
            seen = now;
        }
        let mut done = self.model.clone();
        done.apply(&effect);
        let is_done = done.allows(&seen);
        self.tally[usize::from(ended.is_none())] += 1;
        if let Some(answer) = ended {
            assert_eq!(answer.status == 200, is_done, "{effect:?}: {}", answer.text());
        }
        if is_done {
            self.model = done;
        }
    }

    /// What an act will do and change, as the board is now.
    fn prepare(&mut self, node: usize, act: &Act) -> (Effect, Doing) {
        let app = self.nodes[node].clone();
        let nothing = || -> Doing { Box::pin(std::future::ready(None)) };
        match *act {
            Act::Create { user, ref wide } if !self.model.erased[user] => {
                let title = self.number();
                let widths = self.widths(wide);
                let doing = acts::create(self.clients[node][user].clone(), title, &widths);
                (Effect::Create(title, Feed { author: user, widths }), doing)
            }
            Act::Update { feed, removed, ref wide } => {
                let Some((title, author)) = self.choose(feed) else { return (Effect::None, nothing()) };
                let seen = self.seen[&title].clone();
                let removed = &seen.images[..removed.min(seen.images.len())];
                let urls = removed.iter().map(|image| format!("http://board.test/images/{}", image.name())).collect();
                let removed: Vec<u32> = seen.widths()[..removed.len()].to_vec();
                let room = IMAGES_PER_FEED - seen.images.len() + removed.len();
                let added = self.widths(&wide[..wide.len().min(room)]);
                let doing = acts::update(self.clients[node][author].clone(), seen.id, title, urls, &added);
                (Effect::Update { feed: title, removed, added }, doing)
            }
            Act::Delete { feed } => match self.choose(feed) {
                Some((title, author)) => {
                    let client = self.clients[node][author].clone();
                    (Effect::Delete(title), acts::delete(client, self.seen[&title].id))
                }
                None => (Effect::None, nothing()),
            },
            Act::Erase { user } if !self.model.erased[user] => {
                (Effect::Erase(user), acts::erase(self.clients[node][user].clone()))
            }
            Act::Create { .. } | Act::Erase { .. } => (Effect::None, nothing()),
            Act::Killed { user, stored } => (Effect::None, acts::killed(app, self.clients[0][user].id, stored)),
            Act::Expire => (Effect::None, acts::expire(app)),
            Act::Work => (Effect::None, acts::work(app)),
        }
    }

    /// One of the feeds that their authors can still change.
    fn choose(&self, number: usize) -> Option<(u32, usize)> {
        let theirs = self.model.feeds.iter().filter(|(_, feed)| !self.model.erased[feed.author]);
        let theirs: Vec<_> = theirs.map(|(title, feed)| (*title, feed.author)).collect();
        (!theirs.is_empty()).then(|| theirs[number % theirs.len()])
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn widths(&mut self, wide: &[bool]) -> Vec<u32> {
        wide.iter().map(|wide| width(self.number(), *wide)).collect()
    }

    /// Attached images are those that were acknowledged, and each of them is whole; what else is stored has a row, or a job
    /// that will delete it.
    pub(super) async fn check(&mut self) {
        let app = &self.nodes[0];
        let objects: Vec<Name> = app.media.store.list().try_collect().await.unwrap();
        self.seen = see(app).await;
        assert!(self.model.allows(&self.seen), "{:?}\nis not what was acknowledged:\n{:?}", self.seen, self.model);
        let seen = &self.seen;
        self.model.feeds.retain(|title, _| seen.contains_key(title));
        for image in self.seen.values().flat_map(|seen| &seen.images) {
            image.assert_whole(app).await;
        }
        let rows: Vec<(String,)> = app.db.fetch("select image_key from images", vec![]).await.unwrap();
        let rows: BTreeSet<String> = rows.into_iter().map(|(key,)| key).collect();
        let jobs: Vec<(String,)> = app.db.fetch("select payload from greenlit_outbox", vec![]).await.unwrap();
        for name in objects.iter().filter(|name| !rows.contains(name.key())) {
            // A job names the object, or the image whose thumbnail it makes.
            assert!(jobs.iter().any(|(payload,)| payload.contains(name.key())), "nothing knows of {name}");
        }
    }

    /// When all that was staged has expired and all work is done, attached images and their thumbnails are all there is.
    pub(super) async fn end(&mut self) {
        self.test.clock.advance(Duration::from_secs(3 * 60 * 60));
        for _ in 0..20 {
            for app in &self.nodes {
                acts::work(app.clone()).await;
            }
            if self.test.count("greenlit_outbox").await == 0 {
                break;
            }
        }
        self.check().await;
        assert!(self.model.feeds.values().all(|feed| !self.model.erased[feed.author]), "{:?}", self.model);
        assert_consistent(&self.nodes[1]).await;
    }
}

impl ImageRow {
    fn name(&self) -> Name {
        Name::parse(&format!("{}.{}", self.image_key, self.extension)).unwrap()
    }

    async fn assert_whole(&self, app: &App) {
        let width = u32::try_from(self.width).unwrap();
        let stored = app.media.store.get(&self.name()).await.unwrap_or_else(|e| panic!("{self:?}: {e}"));
        assert!(stored == reencode(&picture(width)).unwrap().bytes, "{self:?} is another");
        let (Some(thumb_width), Some(thumb_height)) = (self.thumb_width, self.thumb_height) else { return };
        let thumbnail = app.media.store.get(&self.name().thumbnail()).await;
        let thumbnail = thumbnail.unwrap_or_else(|e| panic!("the thumbnail of {self:?}: {e}"));
        let thumbnail = image::load_from_memory(&thumbnail).unwrap();
        assert_eq!((i64::from(thumbnail.width()), i64::from(thumbnail.height())), (thumb_width, thumb_height));
        assert_eq!(thumbnail.get_pixel(0, 0).0[..3], colour(width).0);
    }
}
