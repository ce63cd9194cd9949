-- The country to which a paid order goes, and an audit log that is append-only.

-- The country decides about the right of withdrawal. The address may change or be erased later; what the buyer was entitled to when they
-- paid stays. It is written with the address, and stands from the payment on.

create table order_countries (
  order_id blob primary key,
  country text not null check (length(country) = 2)
) strict;

insert into order_countries (order_id, country) select order_id, country from addresses where length(country) = 2;

-- Entries stay as they were written. Only names, and texts that name somebody, are taken out when that user's data is erased.
create trigger audit_log_is_append_only before update on audit_log
when not (new.id is old.id and new.stream is old.stream and new.at is old.at and new.by_user is old.by_user
  and new.by_role is old.by_role and new.kind is old.kind and new.user_id is old.user_id and new.message is old.message
  and new.subject is old.subject and (new.by_name = '' or new.by_name is old.by_name)
  and (new.user_name is null or new.user_name is old.user_name) and (new.detail is null or new.detail is old.detail)
  and (new.reason is null or new.reason is old.reason))
begin
  select raise(abort, 'the audit log is append-only');
end;

create trigger audit_log_keeps_its_entries before delete on audit_log
begin
  select raise(abort, 'the audit log is append-only');
end;
