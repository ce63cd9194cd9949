-- The keys of the verbs that add something: restock, extend, create an offer or a product. The object of a key is no longer
-- always an order.

alter table idempotency_keys rename column order_id to subject_id;
