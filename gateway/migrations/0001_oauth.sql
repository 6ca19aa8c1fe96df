-- What the token endpoint remembers: single-use identifiers and the node's own machine clients.
-- Access tokens are not stored: they are signed, bound to a key and live five minutes at most.

create table gateway.replay (
    kind       text        not null check (kind in ('client', 'grant', 'dpop')),
    -- Whose identifier it is: the client, the grant's issuer, or the thumbprint of the proof's key.
    issuer     text        not null check (char_length(issuer) between 1 and 255),
    jti        text        not null check (char_length(jti) between 16 and 128),
    -- From this moment the artefact is refused for its age, so the row may go.
    expires_at timestamptz not null,
    primary key (kind, issuer, jti)
);

create index replay_expires_at on gateway.replay (expires_at);

create table gateway.client (
    -- Never a URL: those are peer organisations, and they come from the member document.
    id       text        primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    jwks     jsonb       not null check (jsonb_typeof(jwks -> 'keys') = 'array'),
    scopes   text[]      not null,
    created  timestamptz not null,
    disabled timestamptz
);

grant select, insert, delete on gateway.replay to {{call .Role "gateway"}};
grant select, insert on gateway.client to {{call .Role "gateway"}};
grant update (jwks, scopes, disabled) on gateway.client to {{call .Role "gateway"}};
