-- Every index of orders is paid for under the lock of the hot row. Two are asked for by nobody in a hurry: a buyer's own
-- orders are found by (buyer, key), a show's by its offers. And with the status in it, the third took three descents to
-- see what a buyer has, where most have nothing.

drop index orders_mine;
drop index orders_of_stream;
drop index orders_of_buyer;
create index orders_of_buyer on orders (offer, buyer);
