-- What was agreed never changes: a yes and a withdrawal are rows that are only added.
create table consent.consent_grant (
    id          uuid primary key,
    case_id     uuid not null,
    revision    integer not null check (revision > 0), -- the basis revision that was read
    purpose     text not null,
    circle      text not null,
    manner      text not null,
    recorded_by uuid not null,
    request_id  uuid not null,
    code_hash   bytea not null unique,
    given_time  timestamptz not null,
    valid_from  timestamptz not null,
    valid_until timestamptz not null,
    check (given_time <= valid_from and valid_from < valid_until),
    unique (recorded_by, request_id)
);

create index consent_grant_case on consent.consent_grant (case_id, revision);

-- The organisations that the circle had when the yes was said.
create table consent.grant_organisation (
    grant_id     uuid not null references consent.consent_grant (id),
    organisation text not null,
    name         text not null,
    primary key (grant_id, organisation)
);

create table consent.withdrawal (
    grant_id       uuid primary key references consent.consent_grant (id),
    withdrawn_time timestamptz not null
);

-- A withdrawal ends every yes for the same case, purpose and circle that was said
-- before it: who stops with an older receipt means what was agreed, not one paper.
create view consent.standing with (security_barrier) as
select g.*,
       (select min(w.withdrawn_time)
        from consent.withdrawal as w
        join consent.consent_grant as e on e.id = w.grant_id
        where e.case_id = g.case_id and e.purpose = g.purpose and e.circle = g.circle
          and (w.grant_id = g.id or w.withdrawn_time >= g.given_time)) as withdrawn_time
from consent.consent_grant as g;

-- The published contract: one row per key, of the newest yes, which replaces the
-- ones before it with their organisations. Whether the time is right is for the
-- policy to say, with the time of the request.
create view consent.effective_grant with (security_barrier) as
select g.case_id, g.revision, g.purpose, g.circle, o.organisation,
       case when g.withdrawn_time is null then 'granted' else 'withdrawn' end as state,
       g.valid_from, g.valid_until
from (select distinct on (case_id, revision, purpose, circle) *
      from consent.standing
      order by case_id, revision, purpose, circle, given_time desc, id desc) as g
join consent.grant_organisation as o on o.grant_id = g.id;

grant usage on schema consent to {{call .Role "consent"}}, {{call .Role "cases"}};
grant select, insert on consent.consent_grant, consent.grant_organisation, consent.withdrawal to {{call .Role "consent"}};
grant select on consent.standing to {{call .Role "consent"}};
grant select on consent.effective_grant to {{call .Role "cases"}};
