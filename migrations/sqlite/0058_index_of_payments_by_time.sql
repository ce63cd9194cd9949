create index if not exists payments_by_time on payments (provider, created_at, order_id, attempt);
