-- Chats with the board's account at LINE. The language is empty until it is known. Whether the account may write there is as LINE
-- said last, by LINE's own clock.
create table line_chats (
    line_id {key 64} not null,
    language {key 2} not null,
    is_friend {bool} not null,
    friend_dt {int} not null,
    constraint pk_line_chats primary key (line_id)
);

-- Whose chats they are: a user has one, and it is his alone. There he has been told of his notifications up to a version of his
-- inbox, and may be writing a feed.
create table line_links (
    user_id {int} not null,
    line_id {key 64} not null,
    create_dt {int} not null,
    told {int} not null,
    told_dt {int} not null,
    draft {text},
    draft_dt {int},
    constraint pk_line_links primary key (user_id),
    constraint fk_line_links__user foreign key (user_id) references users (id) on delete cascade
);
create unique index uq_line_links__line on line_links (line_id);
create index ix_line_links__draft_dt on line_links (draft_dt);

-- Events that were taken, so that each is once; and messages that their senders took back. Until it was seen to, an event has the
-- time when it happened, for what happens after it in the same chat.
create table line_events (
    event_id {key 80} not null,
    line_id {key 64},
    waiting_dt {int},
    create_dt {int} not null,
    constraint pk_line_events primary key (event_id)
);
create index ix_line_events__waiting on line_events (line_id, waiting_dt);
create index ix_line_events__create_dt on line_events (create_dt);

-- On the way to a link: who asked for it in a chat, then which log-in agreed to it. Tokens and nonces are known by their hashes.
create table line_link_tokens (
    token_hash {key 64} not null,
    line_id {key 64} not null,
    display_name {text} not null,
    expire_dt {int} not null,
    constraint pk_line_link_tokens primary key (token_hash)
);
create index ix_line_link_tokens__expire_dt on line_link_tokens (expire_dt);
create table line_nonces (
    nonce_hash {key 64} not null,
    user_id {int} not null,
    login_id {int} not null,
    line_id {key 64} not null,
    expire_dt {int} not null,
    constraint pk_line_nonces primary key (nonce_hash),
    constraint fk_line_nonces__user foreign key (user_id) references users (id) on delete cascade,
    constraint fk_line_nonces__login foreign key (login_id) references logins (id) on delete cascade
);
create index ix_line_nonces__user on line_nonces (user_id);
create index ix_line_nonces__login on line_nonces (login_id);
create index ix_line_nonces__expire_dt on line_nonces (expire_dt);
