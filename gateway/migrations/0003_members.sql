-- The newest member document that the anchor signed, as it was received. The row outlives its expiry on purpose: its
-- serial is what an older document is refused by, also after the node has been down for a while.

create table gateway.member_document (
    -- The anchor's entity URL.
    issuer      text        primary key check (char_length(issuer) between 1 and 255),
    serial      bigint      not null check (serial >= 1),
    issue_time  timestamptz not null,
    expire_time timestamptz not null check (expire_time > issue_time),
    -- The compact JWS; its signature is checked again whenever it is read.
    document    text        not null check (octet_length(document) <= 1048576),
    fetch_time  timestamptz not null
);

-- Two processes of one gateway write here: whoever is behind changes nothing, whatever its statement says.
create function gateway.keep_newest_member_document() returns trigger language plpgsql as $$
begin
    if new.issuer <> old.issuer or (new.serial, new.issue_time) < (old.serial, old.issue_time) then
        raise exception 'a member document is only replaced by a newer one';
    end if;
    return new;
end
$$;

create trigger member_document_only_newer before update on gateway.member_document
    for each row execute function gateway.keep_newest_member_document();

grant select, insert on gateway.member_document to {{call .Role "gateway"}};
grant update (serial, issue_time, expire_time, document, fetch_time) on gateway.member_document to {{call .Role "gateway"}};
