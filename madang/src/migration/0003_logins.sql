-- One row for each log-in, on whichever device: a family of refresh tokens. Whoever ends it deletes the row, and the access
-- tokens that name it are good no more. A token of the family holds its name; here stands the name's SHA-256 alone.
create table logins (
    id {id},
    user_id {int} not null,
    family_hash {key 64} not null,
    generation {int} not null,
    create_dt {int} not null,
    rotate_dt {int} not null,
    expire_dt {int} not null,
    constraint fk_logins__user foreign key (user_id) references users (id) on delete cascade
);
create unique index uq_logins__family on logins (family_hash);
create index ix_logins__user on logins (user_id);
create index ix_logins__expire_dt on logins (expire_dt);

-- Erased users wait for the last of their requests to end; the sweeper looks for them.
create index ix_users__erased_dt on users (erased_dt);
