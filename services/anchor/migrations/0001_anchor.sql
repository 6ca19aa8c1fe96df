-- The register of a federation: who takes part, with which keys and marks, in which circles.
-- Every change raises the one serial and writes one row of the change log, in its own transaction.

create table anchor.serial (
    one   boolean primary key default true check (one),
    value bigint  not null check (value >= 1)
);

insert into anchor.serial (value) values (1);

create table anchor.organisation (
    -- The entity URL.
    id              text        primary key check (char_length(id) between 1 and 255),
    name            text        not null check (char_length(name) between 1 and 200),
    kind            text        not null check (kind in ('wijkteam', 'municipality', 'anchor')),
    state           text        not null check (state in ('active', 'suspended', 'removed')),
    -- Empty once removed.
    token_endpoint  text        not null,
    federation_base text        not null,
    create_time     timestamptz not null
);

create table anchor.organisation_key (
    -- RFC 7638: a key speaks for one organisation.
    thumbprint   text  primary key,
    organisation text  not null references anchor.organisation,
    kid          text  not null,
    jwk          jsonb not null check (not jwk ? 'd'),
    unique (organisation, kid)
);

create table anchor.trust_mark (
    organisation text        not null references anchor.organisation,
    mark         text        not null check (mark in ('member', 'municipality', 'lateral-review')),
    grant_time   timestamptz not null,
    primary key (organisation, mark)
);

create table anchor.circle (
    id          text        primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text        not null check (char_length(name) between 1 and 200),
    state       text        not null check (state in ('active', 'paused', 'ended')),
    -- Null: no end.
    valid_until timestamptz,
    create_time timestamptz not null
);

create table anchor.circle_member (
    circle       text        not null references anchor.circle,
    organisation text        not null references anchor.organisation,
    join_time    timestamptz not null,
    primary key (circle, organisation)
);

create index circle_member_organisation on anchor.circle_member (organisation);

create table anchor.change (
    -- The serial that the change led to.
    serial  bigint      primary key,
    time    timestamptz not null,
    actor   text        not null check (char_length(actor) between 1 and 200),
    action  text        not null check (action ~ '^[a-z]+\.[a-z]+$'),
    subject text        not null,
    details jsonb       not null default '{}'
);

-- Grants keep the service from rewriting history, this keeps the administrator from doing so by accident.
create function anchor.refuse_rewriting() returns trigger language plpgsql as $$
begin
    raise exception 'the change log of the anchor is only added to';
end
$$;

create trigger change_is_append_only before update or delete or truncate on anchor.change
    for each statement execute function anchor.refuse_rewriting();

grant usage on schema anchor to {{call .Role "anchor"}};
grant select on all tables in schema anchor to {{call .Role "anchor"}};
grant update (value) on anchor.serial to {{call .Role "anchor"}};
grant insert on anchor.organisation, anchor.organisation_key, anchor.trust_mark, anchor.circle, anchor.circle_member, anchor.change to {{call .Role "anchor"}};
grant update (state, token_endpoint, federation_base) on anchor.organisation to {{call .Role "anchor"}};
grant update (state) on anchor.circle to {{call .Role "anchor"}};
grant delete on anchor.organisation_key, anchor.trust_mark, anchor.circle_member to {{call .Role "anchor"}};
