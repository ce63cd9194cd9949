-- Bulk edits of products, from a grid or from a stock take. Each is kept like an import of a file, so that it can be undone.

alter table catalogue_imports add column source text not null default 'file' check (source in ('file', 'grid', 'stock_take'));

-- It has all columns of a table that changed, so it is made again.
drop view readable_catalogue_imports;
create view readable_catalogue_imports as
  select i.*, to_timestamp(i.at / 1000.0) as "time" from catalogue_imports i;

-- A stock take has a reason of its own.
alter table stock_changes drop constraint stock_changes_reason_check;
alter table stock_changes add constraint stock_changes_reason_check
  check (reason in ('created', 'received', 'counted', 'damaged', 'lost', 'returned', 'correction', 'to_offer', 'from_offer',
    'stock_take')) not valid;

-- What a scanner looks for.
create index variants_by_barcode on variants (barcode);
create index variants_by_sku on variants (lower(sku));
