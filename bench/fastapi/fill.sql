-- Gives a board's database the old board's tables too, in a schema of their own, with the same rows. By psql, which sends one
-- statement after the other: vacuum wants that.
--
--     psql -X -v ON_ERROR_STOP=1 -f fill.sql URL
--
-- There are the old board's indexes and no others: those of primary keys, and of the e-mail. Feeds and comments name their authors
-- by their e-mails without referring to them.
set client_min_messages = warning;
begin;
drop schema if exists old cascade;
create schema old;

create table old.users (
    id serial primary key,
    email varchar not null unique,
    password varchar not null,
    nickname varchar not null,
    create_dt timestamptz not null
);
create table old.feeds (
    id serial primary key,
    title varchar not null,
    content text not null,
    image_urls text[] not null,
    author_email varchar not null,
    create_dt timestamptz not null,
    update_dt timestamptz not null
);
create table old.comments (
    id serial primary key,
    content text not null,
    feed_id integer references old.feeds (id),
    author_email varchar not null,
    create_dt timestamptz not null,
    update_dt timestamptz not null
);
create table old.likes (
    id serial primary key,
    user_id integer not null,
    feed_id integer,
    comment_id integer
);
create table old.follows (
    follower_id integer not null,
    following_id integer not null,
    primary key (follower_id, following_id)
);

-- Madang counts microseconds.
create function pg_temp.time_of(microseconds bigint) returns timestamptz language sql immutable
    return timestamptz 'epoch' + microseconds * interval '1 microsecond';

-- Everybody's password is "correct horse battery".
insert into old.users (id, email, password, nickname, create_dt)
select id, email, '$2b$12$41Ws61PLZMPa6KL8BH036u747/90y4SdNV/h1KsC/c7tNk1Itmoa6', nickname, pg_temp.time_of(create_dt)
from public.users order by id;

insert into old.feeds (id, title, content, image_urls, author_email, create_dt, update_dt)
select feeds.id, title, content, coalesce(urls, '{}'), email, pg_temp.time_of(feeds.create_dt), pg_temp.time_of(update_dt)
from public.feeds
join public.users on users.id = author_id
left join (
    select feed_id, array_agg('https://s3.example/board/' || image_key || '.' || extension order by position) as urls
    from public.images where feed_id is not null group by feed_id
) as feed_images on feed_id = feeds.id
order by feeds.id;

insert into old.comments (id, content, feed_id, author_email, create_dt, update_dt)
select comments.id, content, feed_id, email, pg_temp.time_of(comments.create_dt), pg_temp.time_of(update_dt)
from public.comments
join public.users on users.id = author_id
order by comments.id;

insert into old.likes (user_id, feed_id, comment_id)
select user_id, feed_id, comment_id from (
    select user_id, feed_id, null::bigint as comment_id, create_dt from public.feed_likes
    union all
    select user_id, null, comment_id, create_dt from public.comment_likes
) as both_kinds
order by create_dt;

insert into old.follows (follower_id, following_id)
select follower_id, following_id from public.follows order by id;

select setval('old.users_id_seq', coalesce(max(id), 0) + 1, false) from old.users;
select setval('old.feeds_id_seq', coalesce(max(id), 0) + 1, false) from old.feeds;
select setval('old.comments_id_seq', coalesce(max(id), 0) + 1, false) from old.comments;
commit;

-- As a board's tables are that has been running; without it each count(*) would go through the whole table.
vacuum (analyze) old.users, old.feeds, old.comments, old.likes, old.follows;
