-- For people at a console: the tables with times one can read.

create view shown_streams as
  select s.*, to_timestamp(scheduled_at / 1000.0) as scheduled, to_timestamp(started_at / 1000.0) as started,
         to_timestamp(ended_at / 1000.0) as ended, to_timestamp(created_at / 1000.0) as created
  from streams s;

create view shown_offers as
  select o.*, quantity - reserved as left_now, to_timestamp(opens_at / 1000.0) as opens,
         to_timestamp(closes_at / 1000.0) as closes
  from offers o;

create view shown_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(hold_until / 1000.0) as held_until,
         to_timestamp(paid_at / 1000.0) as paid
  from orders o;

create view shown_messages as
  select m.*, to_timestamp(at / 1000.0) as said from messages m;

create view shown_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;

-- Must return nothing, always: offers whose counter differs from their orders.
create view audit as
  select o.id, o.reserved, coalesce(sum(r.qty), 0) as counted
  from offers o
  left join orders r on r.offer = o.id and r.status in ('held', 'capturing', 'paid')
  group by o.id, o.reserved
  having o.reserved <> coalesce(sum(r.qty), 0);
