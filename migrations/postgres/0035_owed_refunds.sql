-- Money that was taken and is not for an order: the attempt had not won, or its order had ended. It is given back.

create table owed_refunds (
  order_id uuid not null,
  attempt bigint not null,
  amount bigint not null,                     -- what is to be given back
  currency text not null,
  status text not null check (status in ('owed', 'returned')),
  tried_at bigint not null default 0,         -- when the reconciler looked last
  created_at bigint not null,
  changed_at bigint not null,
  primary key (order_id, attempt)
);

create index owed_refunds_open on owed_refunds (tried_at) where status = 'owed';

-- What was taken before this table existed. The provider is asked first, so what somebody has given back is not given back again.
insert into owed_refunds (order_id, attempt, amount, currency, status, created_at, changed_at)
  select p.order_id, p.attempt, p.amount, p.currency, 'owed', p.changed_at, p.changed_at from payments p
  where p.status = 'captured' and p.amount > 0
    and not exists (select 1 from orders o where o.id = p.order_id and o.attempt = p.attempt and o.status in ('capturing', 'paid'));

create view readable_owed_refunds as
  select w.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from owed_refunds w;
