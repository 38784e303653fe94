-- E-mail and nickname are unique by key columns that the application computes, never by a database's collation.
create table users (
    id {id},
    email {key 254} not null,
    email_key {key 254} not null,
    nickname {key 120} not null,
    nickname_key {key 1024} not null,
    password_hash {text} not null,
    token_epoch {int} not null,
    create_dt {int} not null
);
create unique index uq_users__email on users (email_key);
create unique index uq_users__nickname on users (nickname_key);

create table feeds (
    id {id},
    author_id {int} not null,
    title {text} not null,
    content {text} not null,
    create_dt {int} not null,
    update_dt {int} not null,
    constraint fk_feeds__author foreign key (author_id) references users (id)
);
-- One index for each order of a list; the id breaks ties.
create index ix_feeds__create_dt on feeds (create_dt, id);
create index ix_feeds__update_dt on feeds (update_dt, id);
create index ix_feeds__author on feeds (author_id, id);
create index ix_feeds__author_create_dt on feeds (author_id, create_dt, id);

-- An image is staged (it has an expiry and no feed) until the transaction that writes its feed claims it.
create table images (
    id {id},
    image_key {key 32} not null,
    extension {key 8} not null,
    owner_id {int} not null,
    feed_id {int},
    position {int} not null,
    width {int} not null,
    height {int} not null,
    expire_dt {int},
    constraint fk_images__owner foreign key (owner_id) references users (id),
    constraint fk_images__feed foreign key (feed_id) references feeds (id)
);
create unique index uq_images__key on images (image_key);
create index ix_images__feed on images (feed_id, position);
create index ix_images__owner on images (owner_id);
create index ix_images__expire_dt on images (expire_dt);
