-- The country to which a paid order goes, and an audit log that is append-only.

-- The country decides about the right of withdrawal. The address may change or be erased later; what the buyer was entitled to when they
-- paid stays. It is written with the address, and stands from the payment on.

create table order_countries (
  order_id uuid primary key,
  country text not null check (length(country) = 2)
);

insert into order_countries (order_id, country) select order_id, country from addresses where length(country) = 2;

-- Entries stay as they were written. Only names, and texts that name somebody, are taken out when that user's data is erased.
create function refuse_change_of_audit_log() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE'
    and (new.id, new.stream, new.at, new.by_user, new.by_role, new.kind)
      = (old.id, old.stream, old.at, old.by_user, old.by_role, old.kind)
    and (new.user_id, new.message, new.subject) is not distinct from (old.user_id, old.message, old.subject)
    and (new.by_name = '' or new.by_name = old.by_name)
    and (new.user_name is null or new.user_name is not distinct from old.user_name)
    and (new.detail is null or new.detail is not distinct from old.detail)
    and (new.reason is null or new.reason is not distinct from old.reason)
  then
    return new;
  end if;
  raise exception 'the audit log is append-only';
end
$$;

create trigger audit_log_is_append_only before update or delete on audit_log
  for each row execute function refuse_change_of_audit_log();
create trigger audit_log_is_not_emptied before truncate on audit_log
  for each statement execute function refuse_change_of_audit_log();
