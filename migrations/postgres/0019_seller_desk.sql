-- What the seller notes on orders. Apart from the orders table: every column and index of it is paid for under the lock of an
-- offer's row. When an order was sent stands in shipments.

create table fulfilments (
  order_id uuid primary key,
  packed_at bigint,
  delivered_at bigint,
  carrier text check (length(carrier) between 1 and 60),
  tracking text check (length(tracking) between 1 and 80)
);

create table order_notes (
  id uuid primary key,
  order_id uuid not null,
  at bigint not null,
  by_user text not null,
  by_name text not null,
  body text not null check (length(body) between 1 and 1000)
);

create index order_notes_of_order on order_notes (order_id, id);

create table order_tags (
  order_id uuid not null,
  tag text not null check (length(tag) between 1 and 30),
  primary key (order_id, tag)
);

-- The tags in use, for the filter of the list.
create index order_tags_by_tag on order_tags (tag, order_id);

-- For the erasure of an author.
create index order_notes_by_author on order_notes (by_user);
