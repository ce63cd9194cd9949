-- Which orders were sent, and which addresses are erased once they are no longer needed. Apart from the orders table: every column
-- and index of it is paid for under the lock of an offer's row.

create table shipments (
  order_id uuid primary key,
  sent_at bigint not null,
  by_user text not null
);

-- 1: its user asked for erasure while the order was open, or paid and not sent.
alter table addresses add column erase_when_done bigint not null default 0 check (erase_when_done in (0, 1));
