-- The rows of a board of {users} users and {feeds} feeds, whose schema is there with the first user, from whom the others have
-- their password. The same on all databases, made from numbers that only look random: {series:FIRST LAST} is a table of the
-- numbers i from FIRST to LAST, {random:K} one below 2^20 that depends on i, and {div} divides integers.
--
-- Few people write most of the feeds, and most comments and likes are of the newest feeds: what is asked for is squared, or
-- squared twice.

insert into users (id, email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt)
select s.i, 'user' || s.i || '@example.com', 'user' || s.i || '@example.com', 'user' || s.i, 'user' || s.i,
       (select password_hash from users where id = 1), 1, {epoch} - 1000000
from {series:2 {users}} s;

-- User n has log-in n, from which the bench's tokens come.
delete from logins;
insert into logins (id, user_id, family_hash, generation, create_dt, rotate_dt, expire_dt)
select s.i, s.i, 'family of the bench ' || s.i, 0, {epoch}, {epoch}, 9000000000000000 from {series:1 {logins}} s;

insert into follows (follower_id, following_id, create_dt)
select d.follower, d.following, {epoch} from (
    select distinct 101 + (s.i * 7919) % ({users} - 100) as follower,
           1 + ({random:1} * {random:1} {div} 1048576) * {users} {div} 1048576 as following
    from {series:1 {follows}} s
) d where d.follower <> d.following;
-- Those who follow very many, many and few.
insert into follows (follower_id, following_id, create_dt) select 2, 100 + s.i * 3, {epoch} from {series:1 1000} s;
insert into follows (follower_id, following_id, create_dt) select 3, 100 + s.i * 3, {epoch} from {series:1 100} s;
insert into follows (follower_id, following_id, create_dt) select 4, 100 + s.i * 3, {epoch} from {series:1 10} s;

insert into feeds (id, author_id, title, content, create_dt, update_dt)
select s.i, 1 + ({random:2} * {random:2} {div} 1048576) * {users} {div} 1048576, 'The title of feed ' || s.i,
       'Feed ' || s.i || ': the courtyard is where a neighbourhood meets, hangs out its laundry and its news, and lends a ladder. '
       || 'Whoever passes leaves a word, and whoever comes home reads it. Some bring a photo of the cat that was lost, and some '
       || 'bring the cat. 마당은 이웃이 모여 이야기를 나누는 곳입니다.',
       {epoch} + s.i * 1000000, {epoch} + s.i * 1000000
from {series:1 {feeds}} s;

-- One feed in four has a photo, whose file nobody asks for.
insert into images (image_key, extension, owner_id, feed_id, position, width, height, thumb_width, thumb_height)
select 'bbbbbbbbbbbbbbbbbbbbb' || (10000000000 + f.id), 'jpg', f.author_id, f.id, 0, 1600, 1200, 640, 480
from feeds f where f.id % 4 = 0;

insert into comments (feed_id, author_id, content, create_dt, update_dt)
select d.feed, d.author, 'Comment ' || d.i || ': so it is, and may it stay so for long. 그렇습니다.',
       {epoch} + ({feeds} + d.i) * 1000000, {epoch} + ({feeds} + d.i) * 1000000
from (
    select s.i, {feeds} - ({random:3} * {random:3} {div} 1048576) * ({random:3} * {random:3} {div} 1048576) {div} 1048576
                          * {feeds} {div} 1048576 as feed, 1 + {random:4} * {users} {div} 1048576 as author
    from {series:1 {comments}} s
) d where d.feed > 0;

insert into feed_likes (feed_id, user_id, create_dt)
select d.feed, d.liker, {epoch} from (
    select distinct {feeds} - ({random:5} * {random:5} {div} 1048576) * {feeds} {div} 1048576 as feed,
           1 + {random:6} * {users} {div} 1048576 as liker
    from {series:1 {likes}} s
) d where d.feed > 0;

create table bench_counts (id bigint primary key, comments bigint, likes bigint);
insert into bench_counts select f.id, coalesce(c.n, 0), coalesce(l.n, 0) from feeds f
left join (select feed_id, count(*) as n from comments group by feed_id) c on c.feed_id = f.id
left join (select feed_id, count(*) as n from feed_likes group by feed_id) l on l.feed_id = f.id
where c.n is not null or l.n is not null;
update feeds set comment_count = (select b.comments from bench_counts b where b.id = feeds.id),
                 like_count = (select b.likes from bench_counts b where b.id = feeds.id)
where id in (select id from bench_counts);
drop table bench_counts;
update users set feed_count = (select count(*) from feeds f where f.author_id = users.id),
                 comment_count = (select count(*) from comments c where c.author_id = users.id),
                 follower_count = (select count(*) from follows x where x.following_id = users.id),
                 following_count = (select count(*) from follows x where x.follower_id = users.id);
delete from totals;
insert into totals (name, delta) select 'feeds', count(*) from feeds;
