-- Who may do what. A suspended or erased user is refused at once; an erased one's content is removed by jobs, then he is.
alter table users add column is_admin {bool} not null default false;
alter table users add column suspended_dt {int};
alter table users add column erased_dt {int};
-- Kept in the transactions that change them, so that no page counts rows.
alter table users add column feed_count {int} not null default 0;
alter table users add column comment_count {int} not null default 0;
alter table users add column follower_count {int} not null default 0;
alter table users add column following_count {int} not null default 0;
alter table feeds add column like_count {int} not null default 0;
alter table feeds add column comment_count {int} not null default 0;
create index ix_feeds__author_update_dt on feeds (author_id, update_dt, id);

-- Null until the thumbnail is made; an image that is narrow enough gets none.
alter table images add column thumb_width {int};
alter table images add column thumb_height {int};
-- For how many images a user has staged, however many he has claimed.
create index ix_images__owner_expire_dt on images (owner_id, expire_dt);

-- What belongs to a feed or a comment goes with it.
create table comments (
    id {id},
    feed_id {int} not null,
    author_id {int} not null,
    content {text} not null,
    like_count {int} not null default 0,
    create_dt {int} not null,
    update_dt {int} not null,
    constraint fk_comments__feed foreign key (feed_id) references feeds (id) on delete cascade,
    constraint fk_comments__author foreign key (author_id) references users (id)
);
create index ix_comments__feed on comments (feed_id, create_dt, id);
create index ix_comments__author_create_dt on comments (author_id, create_dt, id);
create index ix_comments__author_update_dt on comments (author_id, update_dt, id);

create table feed_likes (
    feed_id {int} not null,
    user_id {int} not null,
    create_dt {int} not null,
    constraint pk_feed_likes primary key (feed_id, user_id),
    constraint fk_feed_likes__feed foreign key (feed_id) references feeds (id) on delete cascade,
    constraint fk_feed_likes__user foreign key (user_id) references users (id)
);
create index ix_feed_likes__user on feed_likes (user_id);

create table comment_likes (
    comment_id {int} not null,
    user_id {int} not null,
    create_dt {int} not null,
    constraint pk_comment_likes primary key (comment_id, user_id),
    constraint fk_comment_likes__comment foreign key (comment_id) references comments (id) on delete cascade,
    constraint fk_comment_likes__user foreign key (user_id) references users (id)
);
create index ix_comment_likes__user on comment_likes (user_id);

create table follows (
    id {id},
    follower_id {int} not null,
    following_id {int} not null,
    create_dt {int} not null,
    constraint fk_follows__follower foreign key (follower_id) references users (id),
    constraint fk_follows__following foreign key (following_id) references users (id)
);
create unique index uq_follows__pair on follows (follower_id, following_id);
create index ix_follows__follower on follows (follower_id, id);
create index ix_follows__following on follows (following_id, id);

-- How many rows a whole table has: the sum of its deltas. Everybody's writes append one, and the worker folds them.
create table totals (
    id {id},
    name {key 32} not null,
    delta {int} not null
);
create index ix_totals__name on totals (name, delta);

insert into totals (name, delta) select 'feeds', count(*) from feeds;
update users set feed_count = (select count(*) from feeds where feeds.author_id = users.id);
