-- Shows that can be changed, called off and copied.

-- Raised by changes of the show itself; `version` also by pins and chat rules.
alter table streams add column edition integer not null default 1;
alter table streams add column tags text not null default '[]';            -- JSON array
-- The show was called off before it began. Its status is `ended` then.
alter table streams add column cancelled_at integer;
