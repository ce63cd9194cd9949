-- The recording of a show that has ended.

alter table streams add column replay text;
-- When its first picture was taken; null: when the show went live.
alter table streams add column replay_started_at integer;
