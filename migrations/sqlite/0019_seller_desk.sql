-- What the seller notes on orders. Apart from the orders table: every column and index of it is paid for under the lock of an
-- offer's row. When an order was sent stands in shipments.

create table fulfilments (
  order_id blob primary key,
  packed_at integer,
  delivered_at integer,
  carrier text check (length(carrier) between 1 and 60),
  tracking text check (length(tracking) between 1 and 80)
) strict;

create table order_notes (
  id blob primary key,
  order_id blob not null,
  at integer not null,
  by_user text not null,
  by_name text not null,
  body text not null check (length(body) between 1 and 1000)
) strict;

create index order_notes_of_order on order_notes (order_id, id);

create table order_tags (
  order_id blob not null,
  tag text not null check (length(tag) between 1 and 30),
  primary key (order_id, tag)
) strict;

-- The tags in use, for the filter of the list.
create index order_tags_by_tag on order_tags (tag, order_id);

-- For the erasure of an author.
create index order_notes_by_author on order_notes (by_user);
