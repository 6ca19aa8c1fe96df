-- The decision log. Services may only execute audit.append(); nothing updates or deletes.
create table audit.decision (
    id                  uuid primary key,
    trace_id            text not null check (trace_id ~ '^[0-9a-f]{32}$'),
    span_id             text not null check (span_id ~ '^[0-9a-f]{16}$'),
    event_name          text not null,
    decide_time         timestamptz not null,
    status              text not null check (status in ('Ok', 'Error')),
    service             text not null,
    operation           text not null,
    action              text not null,
    allowed             boolean not null,
    reasons             text[] not null,
    caller_kind         text not null,
    caller_id           text not null,
    caller_organisation text not null,
    resource_kind       text not null,
    resource_id         text not null,
    policy_revision     text not null,
    evaluations         jsonb not null,
    recorded_by         text not null, -- the login role that wrote it, which a service cannot choose
    record_time         timestamptz not null default clock_timestamp()
);

create index decision_time on audit.decision (decide_time desc, id desc);
create index decision_resource on audit.decision (resource_id, decide_time desc) where resource_id <> '';
create index decision_trace on audit.decision (trace_id);

-- What the sequencer of the Merkle log has still to take.
create table audit.pending (
    id uuid primary key references audit.decision (id)
);

create table audit.security_event (
    id          bigint generated always as identity primary key,
    event_time  timestamptz not null default clock_timestamp(),
    trace_id    text not null,
    operation   text not null,
    what        text not null,
    recorded_by text not null
);

create index security_event_time on audit.security_event (event_time desc);

-- Taking the same record twice changes nothing (ADL 1.0.0: ingest is idempotent).
create function audit.append(records jsonb) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as
$$
begin
    with added as (
        insert into audit.decision (id, trace_id, span_id, event_name, decide_time, status, service, operation, action,
                                    allowed, reasons, caller_kind, caller_id, caller_organisation, resource_kind,
                                    resource_id, policy_revision, evaluations, recorded_by)
            select r.id, r.trace_id, r.span_id, r.event_name, r.decide_time, r.status, r.service, r.operation, r.action,
                   r.allowed, r.reasons, r.caller_kind, r.caller_id, r.caller_organisation, r.resource_kind,
                   r.resource_id, r.policy_revision, r.evaluations, session_user
            from jsonb_to_recordset(records) as r (id uuid, trace_id text, span_id text, event_name text,
                                                   decide_time timestamptz, status text, service text, operation text,
                                                   action text, allowed boolean, reasons text[], caller_kind text,
                                                   caller_id text, caller_organisation text, resource_kind text,
                                                   resource_id text, policy_revision text, evaluations jsonb)
            on conflict (id) do nothing
            returning id)
    insert into audit.pending (id) select id from added;
end
$$;

create function audit.append_security(events jsonb) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as
$$
begin
    insert into audit.security_event (trace_id, operation, what, recorded_by)
        select r.trace_id, left(r.operation, 200), left(r.what, 200), session_user
        from jsonb_to_recordset(events) as r (trace_id text, operation text, what text);
end
$$;

revoke all on function audit.append(jsonb), audit.append_security(jsonb) from public;

grant usage on schema audit to {{call .Role "audit"}}, {{call .Role "cases"}}, {{call .Role "consent"}}, {{call .Role "review"}}, {{call .Role "gateway"}};
grant execute on function audit.append(jsonb), audit.append_security(jsonb)
    to {{call .Role "audit"}}, {{call .Role "cases"}}, {{call .Role "consent"}}, {{call .Role "review"}}, {{call .Role "gateway"}};
grant select on audit.decision, audit.security_event to {{call .Role "audit"}};
