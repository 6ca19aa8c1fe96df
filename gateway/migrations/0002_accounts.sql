-- People of this organisation: their accounts, the one-time links that sign them in, and their sessions.
-- No secret is stored, only its SHA-256: the secrets are 32 random bytes, so a hash of one tells nothing.

create table gateway.account (
    id          uuid        primary key,
    -- The name, sealed under the account's own key; the key, wrapped by the node's master key.
    name_sealed bytea       not null,
    key_wrapped bytea       not null,
    unit        text        not null check (char_length(unit) between 1 and 100),
    roles       text[]      not null check (cardinality(roles) between 1 and 10),
    create_time timestamptz not null,
    close_time  timestamptz check (close_time >= create_time)
);

create table gateway.sign_in_link (
    secret_hash bytea       primary key check (octet_length(secret_hash) = 32),
    account_id  uuid        not null references gateway.account (id),
    expire_time timestamptz not null,
    redeem_time timestamptz check (redeem_time < expire_time)
);

create index sign_in_link_account_id on gateway.sign_in_link (account_id);

create table gateway.session (
    token_hash     bytea       primary key check (octet_length(token_hash) = 32),
    account_id     uuid        not null references gateway.account (id),
    create_time    timestamptz not null,
    -- Ends then, however busy it is; it ends earlier when it is not used.
    expire_time    timestamptz not null check (expire_time > create_time),
    last_seen_time timestamptz not null,
    -- How the person signed in (authentication context class).
    acr            text        not null
);

create index session_account_id on gateway.session (account_id);

grant select, insert on gateway.account to {{call .Role "gateway"}};
grant update (close_time) on gateway.account to {{call .Role "gateway"}};
grant select, insert, delete on gateway.sign_in_link to {{call .Role "gateway"}};
grant update (redeem_time) on gateway.sign_in_link to {{call .Role "gateway"}};
grant select, insert, delete on gateway.session to {{call .Role "gateway"}};
grant update (last_seen_time) on gateway.session to {{call .Role "gateway"}};
