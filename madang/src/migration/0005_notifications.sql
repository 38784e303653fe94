-- What a user hears of others. His inbox counts what changed in it, so that whoever looks again knows what is new; its row is
-- locked by whoever changes anything of it. What he wants to hear of: 0 nothing, 1 on the board, 2 also outside of it.
create table notification_inboxes (
    user_id {int} not null,
    version {int} not null,
    on_comment {int} not null default 2,
    on_reply {int} not null default 2,
    on_like {int} not null default 2,
    on_follow {int} not null default 2,
    -- 0 if nobody carries it outside, 1 if somebody does, 2 if he has been called already.
    outside {int} not null default 0,
    constraint pk_notification_inboxes primary key (user_id),
    constraint fk_notification_inboxes__user foreign key (user_id) references users (id) on delete cascade
);

-- A line of the list: what happened to one thing since it was read last. While it is unread, unread_as names that thing, and what
-- happens next joins it.
create table notifications (
    id {id},
    user_id {int} not null,
    kind {key 8} not null,
    feed_id {int},
    comment_id {int},
    unread_as {key 40},
    version {int} not null,
    create_dt {int} not null,
    update_dt {int} not null,
    constraint fk_notifications__user foreign key (user_id) references users (id) on delete cascade,
    constraint fk_notifications__feed foreign key (feed_id) references feeds (id) on delete cascade,
    constraint fk_notifications__comment foreign key (comment_id) references comments (id) on delete cascade
);
create unique index uq_notifications__unread on notifications (user_id, unread_as);
create index ix_notifications__user on notifications (user_id, version);
create index ix_notifications__feed on notifications (feed_id);
create index ix_notifications__comment on notifications (comment_id);
create index ix_notifications__update_dt on notifications (update_dt);

-- Who did it. Each names what it tells of, and goes with it: a comment, a like, a follow. Of each one is told once.
create table notification_causes (
    id {id},
    notification_id {int} not null,
    user_id {int} not null,
    actor_id {int} not null,
    comment_id {int},
    liked_feed_id {int},
    liked_comment_id {int},
    follow_id {int},
    constraint fk_notification_causes__notification foreign key (notification_id) references notifications (id) on delete cascade,
    constraint fk_notification_causes__comment foreign key (comment_id) references comments (id) on delete cascade,
    constraint fk_notification_causes__feed_like foreign key (liked_feed_id, actor_id)
        references feed_likes (feed_id, user_id) on delete cascade,
    constraint fk_notification_causes__comment_like foreign key (liked_comment_id, actor_id)
        references comment_likes (comment_id, user_id) on delete cascade,
    constraint fk_notification_causes__follow foreign key (follow_id) references follows (id) on delete cascade
);
create index ix_notification_causes__notification on notification_causes (notification_id, id);
create unique index uq_notification_causes__comment on notification_causes (comment_id, user_id);
create unique index uq_notification_causes__feed_like on notification_causes (liked_feed_id, actor_id);
create unique index uq_notification_causes__comment_like on notification_causes (liked_comment_id, actor_id);
create unique index uq_notification_causes__follow on notification_causes (follow_id);
