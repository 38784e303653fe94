-- What the database knows of the servers that use it: by which key they sign tokens, where their images are, whether it is being
-- restored.
create table installation (
    name {key 32} not null,
    value {text} not null,
    constraint pk_installation primary key (name)
);
