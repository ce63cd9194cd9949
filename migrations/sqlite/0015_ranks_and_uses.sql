-- Ranks: a sanction keeps the role that imposed it, and an invite says how many users may accept it.

-- Until now a sanction bound everybody but hosts and admins.
alter table sanctions add column by_role text not null default 'host'
  check (by_role in ('moderator', 'producer', 'host', 'admin'));
-- Whoever is banned from one show has no permission of the team in the shop.
create index bans_of_user on sanctions (user_id) where kind = 'ban';

-- Until now twenty users could accept an invite.
alter table invites add column uses_max integer not null default 20 check (uses_max between 1 and 20);
