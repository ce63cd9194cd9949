-- Every index of orders is paid for under the lock of the hot row. These two are asked for by nobody in a hurry: a
-- buyer's own orders are found by (buyer, key), a show's by its offers.

drop index orders_mine;
drop index orders_of_stream;
