-- Services may add jobs; the gateway works them.
grant usage on schema outbox to {{call .Role "cases"}}, {{call .Role "consent"}}, {{call .Role "review"}}, {{call .Role "gateway"}};
grant execute on all functions in schema outbox
    to {{call .Role "cases"}}, {{call .Role "consent"}}, {{call .Role "review"}}, {{call .Role "gateway"}};
grant select, insert, update (kind) on outbox.river_job to {{call .Role "cases"}}, {{call .Role "consent"}}, {{call .Role "review"}};
grant select, insert, update, delete on all tables in schema outbox to {{call .Role "gateway"}};
grant usage, select on all sequences in schema outbox
    to {{call .Role "cases"}}, {{call .Role "consent"}}, {{call .Role "review"}}, {{call .Role "gateway"}};
