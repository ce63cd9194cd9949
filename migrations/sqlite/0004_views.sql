-- For people at a console: the tables with times one can read.

create view shown_streams as
  select s.*, datetime(scheduled_at / 1000, 'unixepoch') as scheduled, datetime(started_at / 1000, 'unixepoch') as started,
         datetime(ended_at / 1000, 'unixepoch') as ended, datetime(created_at / 1000, 'unixepoch') as created
  from streams s;

create view shown_offers as
  select o.*, quantity - reserved as left_now, datetime(opens_at / 1000, 'unixepoch') as opens,
         datetime(closes_at / 1000, 'unixepoch') as closes
  from offers o;

create view shown_orders as
  select o.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(hold_until / 1000, 'unixepoch') as held_until,
         datetime(paid_at / 1000, 'unixepoch') as paid
  from orders o;

create view shown_messages as
  select m.*, datetime(at / 1000, 'unixepoch') as said from messages m;

create view shown_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

-- Must return nothing, always: offers whose counter differs from their orders.
create view audit as
  select o.id, o.reserved, coalesce(sum(r.qty), 0) as counted
  from offers o
  left join orders r on r.offer = o.id and r.status in ('held', 'capturing', 'paid')
  group by o.id, o.reserved
  having o.reserved <> coalesce(sum(r.qty), 0);
