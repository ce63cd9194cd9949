-- Quick items: products that a host makes and sells in the middle of a show.

-- How many the show had: the next one has the next number.
alter table streams add column quick_items bigint not null default 0;
alter table products add column quick_number bigint;
