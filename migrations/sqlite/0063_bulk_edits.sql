-- Bulk edits of products, from a grid or from a stock take. Each is kept like an import of a file, so that it can be undone.

alter table catalogue_imports add column source text not null default 'file' check (source in ('file', 'grid', 'stock_take'));

-- It has all columns of a table that changed, so it is made again.
drop view readable_catalogue_imports;
create view readable_catalogue_imports as
  select i.*, datetime(i.at / 1000.0, 'unixepoch') as "time" from catalogue_imports i;

-- A stock take has a reason of its own. SQLite changes no constraint, so the table is made again.
drop view readable_stock_changes;

create table new_stock_changes (
  id blob primary key,
  variant blob not null references variants (id),
  at integer not null,
  units integer not null,                      -- less than 0: taken away
  stock integer not null,                      -- after the change
  reason text not null check (reason in ('created', 'received', 'counted', 'damaged', 'lost', 'returned', 'correction',
    'to_offer', 'from_offer', 'stock_take')),
  note text check (length(note) between 1 and 200),
  by_user text not null,                      -- empty: the shop itself, when a sale ended
  by_name text not null
) strict;

insert into new_stock_changes (id, variant, at, units, stock, reason, note, by_user, by_name)
  select id, variant, at, units, stock, reason, note, by_user, by_name from stock_changes;

drop table stock_changes;
alter table new_stock_changes rename to stock_changes;

create index stock_changes_of_variant on stock_changes (variant, id);
create index stock_changes_by_author on stock_changes (by_user);
-- For the erasure of names in them.
create index stock_changes_with_note on stock_changes (id) where note is not null;

create view readable_stock_changes as
  select c.*, datetime(c.at / 1000.0, 'unixepoch') as "time" from stock_changes c;

-- What a scanner looks for.
create index variants_by_barcode on variants (barcode);
create index variants_by_sku on variants (lower(sku));
