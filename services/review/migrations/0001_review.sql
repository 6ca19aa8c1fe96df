-- Notices and dialogues. What someone wrote is only ever in a sealed column, under the key of its dialogue.

-- What came in from another organisation, so that a delivery that is repeated is the same as one.
create table review.inbox (
    peer         text not null,
    message_id   uuid not null,
    receive_time timestamptz not null,
    primary key (peer, message_id)
);

-- Cases that others opened to a circle of ours: ids and a circle, never a title.
create table review.notice (
    id             uuid primary key,
    owner          text not null,
    case_public_id text not null,
    circle         text not null,
    state          text not null check (state in ('open', 'closed')),
    sequence       bigint not null check (sequence >= 1), -- the newest one that was taken in
    receive_time   timestamptz not null,
    unique (owner, case_public_id)
);

create index notice_open on review.notice (receive_time desc, id desc) where state = 'open';

-- The id is the reader's choice and the same on both sides.
create table review.dialogue (
    id              uuid primary key,
    side            text not null check (side in ('reader', 'owner')),
    peer            text not null,
    case_public_id  text not null,
    notice_id       uuid references review.notice (id),
    writer          text,
    request_id      uuid,
    case_id         uuid,
    case_author     text,
    writer_pairwise text,
    state           text not null check (state in ('open', 'closed')),
    create_time     timestamptz not null,
    closed_time     timestamptz,
    draft_until     timestamptz, -- until when the draft of a closed dialogue is kept for its writer
    constraint one_per_request unique (writer, request_id),
    constraint one_per_case unique (writer, notice_id),
    check ((side = 'reader') = (notice_id is not null and writer is not null and request_id is not null)),
    check ((side = 'owner') = (case_id is not null and case_author is not null and writer_pairwise is not null)),
    check ((state = 'closed') = (closed_time is not null)),
    check ((state = 'closed') = (draft_until is not null))
);

create index dialogue_time on review.dialogue (create_time desc, id desc);
create index dialogue_case on review.dialogue (peer, case_public_id) where side = 'reader';
create index dialogue_draft on review.dialogue (draft_until) where state = 'closed';

-- Apart from everything else: without its row here, a dialogue is erased wherever a copy of the rest lies.
create table review.dialogue_key (
    dialogue_id uuid primary key references review.dialogue (id),
    wrapped     bytea not null
);

-- One turn. Only how far it has come ever changes.
create table review.message (
    id          uuid primary key,
    dialogue_id uuid not null references review.dialogue (id),
    from_side   text not null check (from_side in ('reader', 'owner')),
    kind        text not null check (kind in ('question', 'answer', 'reflection', 'learning-point', 'closing-questions')),
    sequence    bigint not null check (sequence >= 1),
    sealed      bytea not null,
    submit_time timestamptz not null,
    delivery    text check (delivery in ('waiting', 'delivered', 'refused')), -- null for what came in
    request_id  uuid,
    unique (dialogue_id, from_side, sequence),
    unique (dialogue_id, request_id),
    check ((delivery is null) = (request_id is null))
);

create table review.draft (
    dialogue_id uuid primary key references review.dialogue (id),
    writer      text not null,
    kind        text not null check (kind in ('question', 'answer', 'reflection', 'learning-point', 'closing-questions')),
    sealed      bytea not null,
    update_time timestamptz not null
);

grant usage on schema review to {{call .Role "review"}};
grant select, insert on review.inbox, review.notice, review.dialogue, review.dialogue_key, review.message, review.draft
    to {{call .Role "review"}};
grant update (circle, state, sequence, receive_time) on review.notice to {{call .Role "review"}};
grant update (state, closed_time, draft_until) on review.dialogue to {{call .Role "review"}};
grant update (delivery) on review.message to {{call .Role "review"}};
grant update (kind, sealed, update_time) on review.draft to {{call .Role "review"}};
grant delete on review.draft to {{call .Role "review"}};
