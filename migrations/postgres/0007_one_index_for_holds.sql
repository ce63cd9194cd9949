-- Orders whose units are taken and not paid for: of an offer, and among those the ones whose time is up. One index for both
-- questions, because each index of orders is paid for under the lock of the hot row.

drop index orders_due;
drop index orders_unpaid;
create index orders_unpaid on orders (offer, hold_until) where status in ('held', 'capturing');
