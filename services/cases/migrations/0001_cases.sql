-- Practice cases. What someone wrote is only ever in a sealed column, under the key of its case.
create table cases.practice_case (
    id                uuid primary key,
    public_id         text not null unique,
    unit              text not null,
    author            text not null,
    request_id        uuid not null,
    status            text not null check (status in ('draft', 'released', 'published', 'paused', 'closed')),
    closed_reason     text not null default '' check (closed_reason in ('', 'withdrawn', 'expired', 'stopped', 'removed')),
    audience          text not null default 'team' check (audience in ('team', 'circle')),
    circle            text not null default '',
    revision          integer not null check (revision >= 1),
    basis_revision    integer not null check (basis_revision between 1 and revision),
    rendered_revision integer not null default 0 check (rendered_revision between 0 and revision), -- the last one that others can read
    kept_basis        integer not null default 0, -- what a change that only removes gives back, while its choices are open
    kept_status       text not null default '',
    second_reader     text not null default '',
    released_by       text not null default '',
    release_revision  integer not null default 0,
    risk              smallint not null default -1 check (risk between -1 and 3),
    create_time       timestamptz not null,
    update_time       timestamptz not null,
    closed_time       timestamptz,
    constraint one_per_request unique (author, request_id),
    check ((status = 'closed') = (closed_reason <> '')),
    check ((status = 'closed') = (closed_time is not null)),
    check ((kept_basis = 0) = (kept_status = ''))
);

create index practice_case_update on cases.practice_case (update_time desc, id desc);
create index practice_case_open on cases.practice_case (id) where status <> 'closed';

-- Apart from everything else: without its row here, a case is erased wherever a copy of the rest lies.
create table cases.case_key (
    case_id uuid primary key references cases.practice_case (id),
    wrapped bytea not null
);

-- What the author wrote. Rows never change.
create table cases.revision (
    case_id     uuid not null references cases.practice_case (id),
    revision    integer not null check (revision >= 1),
    head        bytea not null, -- title and theme, so that a list opens no stories
    body        bytea not null,
    create_time timestamptz not null,
    primary key (case_id, revision)
);

-- What deid found in a revision, with the author's choices.
create table cases.proposals (
    case_id  uuid not null,
    revision integer not null,
    sealed   bytea not null,
    primary key (case_id, revision),
    foreign key (case_id, revision) references cases.revision (case_id, revision)
);

-- What others read of a revision. Rows never change: other choices make another revision.
create table cases.rendition (
    case_id        uuid not null,
    revision       integer not null,
    level          text not null check (level = 'circle'),
    basis_revision integer not null,
    risk           smallint not null check (risk between 0 and 3),
    head           bytea not null,
    body           bytea not null,
    create_time    timestamptz not null,
    primary key (case_id, revision, level),
    foreign key (case_id, revision) references cases.revision (case_id, revision)
);

create table cases.invitation (
    case_id       uuid not null references cases.practice_case (id),
    colleague     text not null,
    second_reader boolean not null,
    create_time   timestamptz not null,
    primary key (case_id, colleague)
);

create index invitation_colleague on cases.invitation (colleague);

-- What other organisations were told. The outbox delivers; this remembers who has something to be told when it closes.
create table cases.notice_sent (
    case_id      uuid not null references cases.practice_case (id),
    organisation text not null,
    sequence     bigint not null check (sequence >= 1),
    kind         text not null check (kind in ('opened', 'closed')),
    message_id   uuid not null unique,
    create_time  timestamptz not null,
    primary key (case_id, organisation, sequence)
);

-- The organisation's own words for deid, that keeps nothing itself.
create table cases.allow_word (word text primary key check (length(word) between 1 and 200));
create table cases.deny_word (word text primary key check (length(word) between 1 and 200));

grant usage on schema cases to {{call .Role "cases"}};
grant select, insert on cases.practice_case, cases.case_key, cases.revision, cases.proposals, cases.rendition,
    cases.invitation, cases.notice_sent to {{call .Role "cases"}};
grant update (status, closed_reason, audience, circle, revision, basis_revision, rendered_revision, kept_basis, kept_status,
    second_reader, released_by, release_revision, risk, update_time, closed_time) on cases.practice_case to {{call .Role "cases"}};
grant update (sealed) on cases.proposals to {{call .Role "cases"}};
grant update (second_reader) on cases.invitation to {{call .Role "cases"}};
grant delete on cases.case_key to {{call .Role "cases"}};
grant select on cases.allow_word, cases.deny_word to {{call .Role "cases"}};
