-- The host's order of the run-down, and sales that begin by themselves.

alter table offers add column position integer not null default 0;   -- of two alike the older comes first
alter table offers add column starts_at integer;                     -- when selling is to begin; the countdown runs before
